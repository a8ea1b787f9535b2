//! Headers: one value or none, and none under a name that servers confuse with another.

use crate::compile::layout::HttpHeaderRecord;
use crate::index::Index;

use super::{HttpRequest, Unmapped};

/// The most headers.
const MOST: usize = 512;

/// Headers by which some servers take another method or path than the one asked for.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Refuses a request whose headers, whatever its route, could mean something else to the server behind.
pub(super) fn check(index: &Index, request: &HttpRequest<'_>) -> Result<(), Unmapped> {
    if request.headers.len() > MOST {
        return Err(Unmapped::Header("is one of more than 512"));
    }
    let known: &[HttpHeaderRecord] = index.records(0, index.count::<HttpHeaderRecord>())?;
    for (name, value) in &request.headers {
        match *name {
            ":path" if *value != request.path.as_bytes() => return Err(Unmapped::Path("is told in two ways")),
            ":method" if *value != request.method.as_bytes() => return Err(Unmapped::Method("is told in two ways")),
            ":authority" | "host" if *value != request.host.as_bytes() => {
                return Err(Unmapped::Host("is told in two ways"));
            }
            _ => {}
        }
        if OVERRIDES.iter().any(|other| is_alike(name.as_bytes(), other.as_bytes())) {
            return Err(Unmapped::Header("asks the server for another method or path"));
        }
        if !name.bytes().any(|byte| byte == b'_' || byte.is_ascii_uppercase()) {
            continue;
        }
        for header in known {
            if is_alike(name.as_bytes(), index.text_bytes(header.name.get())?) {
                return Err(Unmapped::Header("is named nearly as one that matters"));
            }
        }
    }
    Ok(())
}

/// Whether servers exist that take one name for the other.
fn is_alike(name: &[u8], other: &[u8]) -> bool {
    let folded = name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() });
    name.len() == other.len() && folded.eq(other.iter().copied())
}

/// The one value of a header, if it is there.
pub(super) fn one<'r>(request: &HttpRequest<'r>, name: &str) -> Result<Option<&'r str>, Unmapped> {
    let mut all = request.headers.iter().filter(|(other, _)| *other == name).map(|(_, value)| *value);
    let Some(value) = all.next() else { return Ok(None) };
    if all.next().is_some() {
        return Err(Unmapped::Header("that matters is sent twice"));
    }
    let text = std::str::from_utf8(value).map_err(|_| Unmapped::Header("that matters is not UTF-8"))?;
    if text.contains(',') {
        return Err(Unmapped::Header("that matters holds a comma, as of two that were joined"));
    }
    if request.is_joined && text.contains('!') {
        return Err(Unmapped::Header("that matters holds a `!`, as in the place of what is not UTF-8"));
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(Unmapped::Header("that matters holds control characters or blanks around it"));
    }
    Ok(Some(text))
}
