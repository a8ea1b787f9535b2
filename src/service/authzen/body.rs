//! The body of a request: how large it may be, how long it may take, and that it says what it is.

use std::{future::poll_fn, pin::pin, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
    },
};
use http_body::Body as _;
use tokio::time::timeout;

use super::answer::Fault;

/// What is taken for a body of an honest size before any of it has come.
const FIRST: usize = 4096;

/// How large a body may be, by the key that says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) key: &'static str,
    pub(super) bytes: usize,
}

/// The whole body of a request that says it is JSON.
pub(super) async fn collect(headers: &HeaderMap, body: Body, most: Most, patience: Duration) -> Result<Vec<u8>, Fault> {
    check(headers)?;
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > most.bytes as u64) {
        return Err(Fault::too_large(most.key, most.bytes));
    }
    timeout(patience, read(body, most)).await.unwrap_or_else(|_| Err(Fault::slow()))
}

fn check(headers: &HeaderMap) -> Result<(), Fault> {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (kind, more) = (kinds.next().and_then(|kind| kind.to_str().ok()).unwrap_or_default(), kinds.next());
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if more.is_some() || !essence.eq_ignore_ascii_case("application/json") {
        return Err(Fault::malformed("content-type", "must be `application/json`"));
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Fault::malformed("content-encoding", "must be left out"));
    }
    Ok(())
}

async fn read(body: Body, most: Most) -> Result<Vec<u8>, Fault> {
    let mut body = pin!(body);
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
