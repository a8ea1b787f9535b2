//! The cutting against tonic's: drawn bodies, in frames of any size, with any end.

use std::{
    collections::VecDeque,
    task::{Poll, Waker},
};

use http::HeaderMap;
use http_body::Body as HttpBody;
use proptest::{collection::vec, prelude::*};
use tonic::Code;

use super::*;
use crate::service::framing::prefix;

const MOST: usize = 200;

/// What a body gives, one after the other; then it ends.
struct Given(VecDeque<Poll<Result<Frame<Bytes>, Status>>>);

impl HttpBody for Given {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.0.pop_front().map_or(Poll::Ready(None), |next| next.map(Some))
    }
}

#[derive(Debug, Clone)]
enum End {
    Clean,
    Trailers,
    Broken(Code),
}

/// A body: its bytes, where they are cut into frames, and how it ends.
#[derive(Debug, Clone)]
struct Drawn {
    bytes: Vec<u8>,
    /// Sizes of frames, and whether one has to be waited for.
    frames: Vec<(usize, bool)>,
    end: End,
}

impl Drawn {
    fn body(&self) -> Body {
        let mut given = VecDeque::new();
        let (mut rest, mut frames) = (&self.bytes[..], self.frames.iter().cycle());
        while !rest.is_empty() {
            let (size, is_late) = frames.next().unwrap();
            let (frame, behind) = rest.split_at((*size).min(rest.len()));
            if *is_late {
                given.push_back(Poll::Pending);
            }
            given.push_back(Poll::Ready(Ok(Frame::data(Bytes::copy_from_slice(frame)))));
            rest = behind;
        }
        match self.end {
            End::Clean => {}
            End::Trailers => given.push_back(Poll::Ready(Ok(Frame::trailers(HeaderMap::new())))),
            End::Broken(code) => given.push_back(Poll::Ready(Err(Status::new(code, "broken")))),
        }
        Body::new(Given(given))
    }
}

fn message(flag: u8, length: usize) -> Vec<u8> {
    let mut message = prefix(length).to_vec();
    message[0] = flag;
    message.extend((0..length).map(|place| place.to_le_bytes()[0]));
    message
}

prop_compose! {
    fn drawn()(
        messages in vec(prop_oneof![
            20 => (0..=MOST).prop_map(|length| message(0, length)),
            1 => (0..20_usize, 1..=255_u8).prop_map(|(length, flag)| message(flag, length)),
            1 => (MOST + 1..MOST + 9).prop_map(|length| message(0, length)),
        ], 0..40),
        cut in prop_oneof![3 => Just(0), 1 => 0..30_usize],
        frames in vec((prop_oneof![0..9_usize, 1..2_000_usize], any::<bool>()), 1..20),
        end in prop_oneof![
            4 => Just(End::Clean),
            1 => Just(End::Trailers),
            1 => Just(End::Broken(Code::Cancelled)),
            1 => Just(End::Broken(Code::Unknown)),
        ],
    ) -> Drawn {
        let mut bytes = messages.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        // Frames of nothing alone would never come to the end.
        let frames = frames.into_iter().chain([(1, false)]).collect();
        Drawn { bytes, frames, end }
    }
}

/// Whatever comes, and what is said at the end.
type Told = (Vec<Vec<u8>>, Option<(Code, String)>);

fn told<T>(
    mut next: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<T, Status>>>,
    add: impl Fn(T, &mut Vec<Vec<u8>>),
) -> Told {
    let (mut messages, mut nobody) = (Vec::new(), Context::from_waker(Waker::noop()));
    loop {
        match next(&mut nobody) {
            Poll::Pending => {}
            Poll::Ready(Some(Ok(more))) => add(more, &mut messages),
            Poll::Ready(Some(Err(status))) => return (messages, Some((status.code(), status.message().to_owned()))),
            Poll::Ready(None) => return (messages, None),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cuts_what_tonic_cuts_and_ends_as_it_does(drawn in drawn(), room in 1..20_usize) {
        let mut questions = Questions::new(drawn.body(), MOST);
        let cut = told(|cx| questions.poll(room, cx), |run, messages| {
            assert!((1..=room).contains(&run.count()));
            let before = messages.len();
            messages.extend(run.messages().map(<[u8]>::to_vec));
            assert_eq!(messages.len() - before, run.count());
        });
        let mut streaming = Streaming::new_request(Raw, drawn.body(), None, Some(MOST));
        let expected = told(|cx| Pin::new(&mut streaming).poll_next(cx), |message, messages| {
            messages.push(message.to_vec());
        });
        prop_assert_eq!(cut, expected);
    }
}
