//! Which route a request takes: the first that fits, where the narrower ones stand first.

use std::borrow::Cow;

use crate::compile::layout::{HttpPartRecord, HttpPartSort, HttpRouteRecord};
use crate::index::{Corrupt, Index, optional};

use super::{HttpRequest, Unmapped};

/// How a path stands to a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    No,
    Yes,
    /// It would if case did not matter, as it does not for some servers.
    InAnotherCase,
}

/// The route of a request.
pub(super) fn find<'i>(
    index: &'i Index,
    request: &HttpRequest<'_>,
    segments: &[Cow<'_, str>],
) -> Result<&'i HttpRouteRecord, Unmapped> {
    let method = request.method.as_bytes();
    if method.is_empty() || !method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-') {
        return Err(Unmapped::Method("is no word in upper case"));
    }
    for route in of_method(index, method)? {
        match fit(index, index.records(route.path.get(), route.path_end.get())?, segments)? {
            Fit::No => continue,
            Fit::InAnotherCase => return Err(Unmapped::Path("fits a route but for upper and lower case")),
            Fit::Yes => {}
        }
        let Some(wanted) = optional(route.host) else { return Ok(route) };
        if host(request.host).map_err(Unmapped::Host)?.as_bytes() == index.text_bytes(wanted)? {
            return Ok(route);
        }
    }
    Err(Unmapped::NoRoute)
}

/// The routes of a method: they stand together.
fn of_method<'i>(index: &'i Index, method: &[u8]) -> Result<&'i [HttpRouteRecord], Corrupt> {
    let all: &[HttpRouteRecord] = index.records(0, index.count::<HttpRouteRecord>())?;
    let own = |route: &HttpRouteRecord| index.text_bytes(route.method.get()).unwrap_or_default();
    let from = all.partition_point(|route| own(route) < method);
    let rest = all.get(from..).unwrap_or_default();
    let mine = rest.partition_point(|route| own(route) == method);
    Ok(rest.get(..mine).unwrap_or_default())
}

fn fit(index: &Index, parts: &[HttpPartRecord], segments: &[Cow<'_, str>]) -> Result<Fit, Corrupt> {
    let mut fit = Fit::Yes;
    let mut left = segments.iter();
    for part in parts {
        let Some(segment) = left.next() else { return Ok(Fit::No) };
        match HttpPartSort::from_code(part.sort).ok_or(Corrupt)? {
            HttpPartSort::Capture => {}
            HttpPartSort::Rest => return Ok(fit),
            HttpPartSort::Literal => {
                let wanted = index.text_bytes(part.text.get())?;
                if segment.as_bytes() != wanted {
                    if !segment.as_bytes().eq_ignore_ascii_case(wanted) {
                        return Ok(Fit::No);
                    }
                    fit = Fit::InAnotherCase;
                }
            }
            _ => return Err(Corrupt),
        }
    }
    Ok(if left.next().is_some() { Fit::No } else { fit })
}

/// A host without its port, if it has one reading.
fn host(authority: &str) -> Result<&str, &'static str> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return Err("has a port that is no number"),
        None => authority,
    };
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if host.is_empty() || host.starts_with('.') || host.ends_with('.') || !host.bytes().all(fits) {
        return Err("is not written in lower case, as a plain name");
    }
    Ok(host)
}
