//! The body of a request: how large it may be, how long it may take, that it says what it is and where it ends.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    time::Duration,
};

use axum::{
    body::Body,
    http::{
        HeaderMap, Version,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING},
        request::Parts,
    },
};
use http_body::Body as _;
use tokio::time::timeout;

use super::answer::Fault;

/// What is taken for a body of an honest size before any of it has come.
const FIRST: usize = 4096;

/// Of a body that is refused so much is read and thrown away: a client that is still sending would lose the answer.
const REST: usize = 1024 * 1024;

/// How large a body may be, by the key that says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) key: &'static str,
    pub(super) bytes: usize,
}

/// The whole body of a request that says it is JSON.
pub(super) async fn collect(head: &Parts, body: Body, most: Most, patience: Duration) -> Result<Vec<u8>, Fault> {
    let mut body = pin!(body);
    let whole = async {
        let refused = match check(head, most) {
            Ok(()) => match read(body.as_mut(), most).await {
                Ok(bytes) => return Ok(bytes),
                Err(refused) => refused,
            },
            Err(refused) => refused,
        };
        if said(&head.headers).is_none_or(|said| said <= REST as u64) {
            throw_away(body).await;
        }
        Err(refused)
    };
    timeout(patience, whole).await.unwrap_or_else(|_| Err(Fault::slow()))
}

/// How long the body says it is.
fn said(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

fn check(head: &Parts, most: Most) -> Result<(), Fault> {
    let headers = &head.headers;
    // Where one in front and we could read it differently, the next request is anybody's.
    if head.version == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
        return Err(Fault::malformed("host", "must be sent, and once"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !is_chunked || codings.next().is_some() {
        return Err(Fault::unknown_coding());
    }
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (kind, more) = (kinds.next().and_then(|kind| kind.to_str().ok()).unwrap_or_default(), kinds.next());
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if more.is_some() || !essence.eq_ignore_ascii_case("application/json") {
        return Err(Fault::malformed("content-type", "must be `application/json`"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Fault::malformed("content-encoding", "must be left out"));
    }
    if said(headers).is_some_and(|said| said > most.bytes as u64) {
        return Err(Fault::too_large(most.key, most.bytes));
    }
    Ok(())
}

async fn read(mut body: Pin<&mut Body>, most: Most) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::with_capacity(FIRST.min(most.bytes));
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| Fault::broken(&tonic::Status::from_error(error.into_inner())))?;
        let Some(data) = frame.data_ref() else { continue };
        if data.len() > most.bytes.saturating_sub(bytes.len()) {
            return Err(Fault::too_large(most.key, most.bytes));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

async fn throw_away(mut body: Pin<&mut Body>) {
    let mut left = REST;
    while let Some(Ok(frame)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) {
            Some(less) => left = less,
            None => return,
        }
    }
}
