//! `Authorize` and `BatchAuthorize`: one call after another, each with its own answer.

use std::future::poll_fn;
use std::time::Instant;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, StatusCode};

use super::Door;
use super::answer;
use super::lane::Lane;
use super::link::Current;
use super::pace::Ticket;
use super::questions::FRAME;
use super::tally::Failure;

/// How often a call that the daemon did not take up is sent again, as its connection came to its end.
const ATTEMPTS: usize = 3;

/// Asks until there is nothing more to ask.
pub(super) async fn ask(lane: Lane, door: Door) {
    let mut current = lane.link.current().await;
    while let Some(ticket) = lane.pace.take().await {
        let (asked, message) = match door {
            Door::Batch(size) => {
                let (numbers, message) = lane.questions.draw_batch(size.get());
                (Asked::Batch(numbers), message)
            }
            Door::Authorize | Door::Stream => {
                let (number, message) = lane.questions.draw();
                (Asked::One(number), message)
            }
        };
        lane.sent(ticket);
        match answer(&lane, &mut current, message).await {
            Ok(message) => judge(&lane, ticket, &asked, message),
            Err(failure) => lane.failed(ticket, failure),
        }
    }
}

/// The questions of one call.
enum Asked {
    One(u32),
    Batch(Vec<u32>),
}

/// The message of an answer. A call on a connection that ends before the daemon took the call up is made again.
async fn answer(lane: &Lane, current: &mut Current, message: Bytes) -> Result<Bytes, Failure> {
    let mut attempts = 0;
    loop {
        let error = match call(&mut current.sender, &lane.request, message.clone()).await {
            Ok(answered) => return answered,
            Err(error) => error,
        };
        attempts += 1;
        let untouched = error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM);
        *current = lane.link.after(current).await.map_err(|_| Failure::Unreachable)?;
        if !untouched || attempts >= ATTEMPTS {
            return Err(Failure::Broken);
        }
    }
}

/// One call; the outer error is the connection's.
async fn call(
    sender: &mut SendRequest<Bytes>,
    request: &Request<()>,
    message: Bytes,
) -> Result<Result<Bytes, Failure>, h2::Error> {
    poll_fn(|cx| sender.poll_ready(cx)).await?;
    let (response, mut body) = sender.send_request(request.clone(), false)?;
    body.send_data(message, true)?;
    let (head, mut body) = response.await?.into_parts();
    if head.status != StatusCode::OK {
        return Ok(Err(Failure::Http(head.status.as_u16())));
    }
    if let Some(ended) = status(&head.headers) {
        return Ok(ended.and(Err(Failure::Unreadable)));
    }
    let mut arrived = Bytes::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        // Nearly always the whole answer is one piece, and none is copied.
        arrived = if arrived.is_empty() { data } else { [arrived, data].concat().into() };
    }
    let ended = body.trailers().await?.as_ref().and_then(status).unwrap_or(Err(Failure::Unreadable));
    Ok(ended.and_then(|()| message_of(&arrived)))
}

/// What headers say about a call that has ended; `None` where it has not.
fn status(headers: &HeaderMap) -> Option<Result<(), Failure>> {
    let code = headers.get("grpc-status")?.to_str().ok().and_then(|code| code.parse().ok());
    Some(match code {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Status(code)),
        None => Err(Failure::Unreadable),
    })
}

/// The one message of an answer.
fn message_of(arrived: &Bytes) -> Result<Bytes, Failure> {
    let whole = |length: [u8; 4]| usize::try_from(u32::from_be_bytes(length)).ok()?.checked_add(FRAME);
    match arrived.first_chunk::<FRAME>() {
        Some([0, length @ ..]) if whole(*length) == Some(arrived.len()) => Ok(arrived.slice(FRAME..)),
        _ => Err(Failure::Unreadable),
    }
}

fn judge(lane: &Lane, ticket: Ticket, asked: &Asked, message: Bytes) {
    let now = Instant::now();
    let judged = match asked {
        Asked::One(number) => answer::single(message)
            .map(|(said, digest)| lane.answered(ticket, now, std::iter::once((*number, said)), &digest)),
        // Nothing was to stop a batch: every question has an answer.
        Asked::Batch(numbers) => answer::batch(message)
            .filter(|(said, _)| said.len() == numbers.len())
            .map(|(said, digest)| lane.answered(ticket, now, numbers.iter().copied().zip(said), &digest)),
    };
    if judged.is_none() {
        lane.failed(ticket, Failure::Unreadable);
    }
}
