//! `AuthorizeStream`: one stream a connection, with several questions on their way. Answers come in order.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::BytesMut;
use h2::{RecvStream, SendStream};
use http::StatusCode;

use super::answer::{self, next_message};
use super::lane::Lane;
use super::link::Current;
use super::pace::Ticket;
use super::tally::Failure;

/// Asks until there is nothing more to ask; a stream that ends is opened again.
pub(super) async fn ask(lane: Lane, window: usize) {
    let mut current = lane.link.current().await;
    while !lane.pace.is_over() {
        let mut waiting = VecDeque::new();
        let Err(failure) = converse(&lane, &mut current, window, &mut waiting).await else { break };
        for (ticket, _) in waiting {
            lane.failed(ticket, failure);
        }
        if failure == Failure::Broken
            && let Ok(next) = lane.link.after(&current).await
        {
            current = next;
        }
    }
}

/// Questions that have no answer yet.
type Waiting = VecDeque<(Ticket, u32)>;

/// One stream.
async fn converse(lane: &Lane, current: &mut Current, window: usize, waiting: &mut Waiting) -> Result<(), Failure> {
    let (mut questions, mut answers) = open(lane, current).await?;
    let (mut arrived, mut asked, mut is_over) = (BytesMut::new(), BytesMut::new(), false);
    loop {
        while waiting.len() < window
            && let Some(ticket) = lane.pace.take_due()
        {
            ask_one(lane, ticket, waiting, &mut asked);
        }
        if !asked.is_empty() {
            questions.send_data(asked.split().freeze(), false)?;
        }
        is_over |= lane.pace.is_over();
        if is_over && waiting.is_empty() {
            questions.send_data(asked.freeze(), true)?;
            return Ok(());
        }
        let has_room = waiting.len() < window && !is_over;
        tokio::select! {
            biased;
            data = answers.data() => {
                let Some(data) = data else { return Err(ended(&mut answers).await) };
                let data = data?;
                answers.flow_control().release_capacity(data.len())?;
                arrived.extend_from_slice(&data);
                read(lane, waiting, &mut arrived)?;
            }
            ticket = lane.pace.take(), if has_room => match ticket {
                Some(ticket) => ask_one(lane, ticket, waiting, &mut asked),
                None => is_over = true,
            }
        }
    }
}

async fn open(lane: &Lane, current: &mut Current) -> Result<(SendStream<bytes::Bytes>, RecvStream), Failure> {
    std::future::poll_fn(|cx| current.sender.poll_ready(cx)).await?;
    let (response, questions) = current.sender.send_request(lane.request.clone(), false)?;
    let response = response.await?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Http(response.status().as_u16()));
    }
    if let Some(code) = response.headers().get("grpc-status") {
        let code = code.to_str().ok().and_then(|code| code.parse().ok());
        return Err(code.map_or(Failure::Unreadable, Failure::Status));
    }
    Ok((questions, response.into_body()))
}

fn ask_one(lane: &Lane, ticket: Ticket, waiting: &mut Waiting, asked: &mut BytesMut) {
    let (number, message) = lane.questions.draw();
    asked.extend_from_slice(&message);
    lane.sent(ticket);
    waiting.push_back((ticket, number));
}

/// Judges every answer that is whole.
fn read(lane: &Lane, waiting: &mut Waiting, arrived: &mut BytesMut) -> Result<(), Failure> {
    let now = Instant::now();
    while let Some(message) = next_message(arrived).map_err(|_| Failure::Unreadable)? {
        let Some((ticket, number)) = waiting.pop_front() else { return Err(Failure::Unreadable) };
        match answer::streamed(message) {
            Some((said, digest)) => lane.answered(ticket, now, std::iter::once((number, said)), &digest),
            None => lane.failed(ticket, Failure::Unreadable),
        }
    }
    Ok(())
}

/// Why the daemon ended the stream.
async fn ended(answers: &mut RecvStream) -> Failure {
    let trailers = match answers.trailers().await {
        Ok(trailers) => trailers.unwrap_or_default(),
        Err(error) => return error.into(),
    };
    let code = trailers.get("grpc-status").and_then(|code| code.to_str().ok()).and_then(|code| code.parse().ok());
    code.map_or(Failure::Unreadable, Failure::Status)
}

impl From<h2::Error> for Failure {
    fn from(_: h2::Error) -> Self {
        Self::Broken
    }
}
