//! A path as every server reads it, or not at all.

use std::borrow::Cow;

/// The longest path, without its query.
const LONGEST: usize = 8 * 1024;

/// The segments of a path, decoded. Only what has one reading is taken: no empty, dotted or parameterised segment, no
/// encoding of what need not be encoded or of what means something unencoded.
pub(super) fn segments(target: &str) -> Result<Vec<Cow<'_, str>>, &'static str> {
    if target.contains('#') {
        return Err("holds a fragment");
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if path.len() > LONGEST {
        return Err("is longer than 8192 bytes");
    }
    let rest = path.strip_prefix('/').ok_or("does not begin with a slash")?;
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    rest.split('/').map(segment).collect()
}

fn segment(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if text.is_empty() {
        return Err("holds an empty segment, or ends with a slash");
    }
    if text.bytes().all(|byte| byte == b'.') {
        return Err("holds a segment of dots");
    }
    if text.bytes().all(is_plain) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let pair = bytes.next().and_then(digit).zip(bytes.next().and_then(digit));
            let (high, low) = pair.ok_or("holds a `%` that is not followed by two upper-case hexadecimal digits")?;
            decoded.push(encoded(high << 4 | low)?);
        } else if is_plain(byte) {
            decoded.push(byte);
        } else {
            return Err("holds a character that must be encoded, or that servers read in several ways");
        }
    }
    let decoded = String::from_utf8(decoded).map_err(|_| "is not UTF-8")?;
    if decoded.chars().any(char::is_control) { Err("holds a control character") } else { Ok(Cow::Owned(decoded)) }
}

/// What stands for itself. Not `;`, which begins a parameter for some, nor `!`, which also stands for what is no text.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~$&'()*+,=:@".contains(&byte)
}

/// A byte that may be encoded: it must be where it may.
fn encoded(byte: u8) -> Result<u8, &'static str> {
    match byte {
        b'/' | b'\\' => Err("holds an encoded slash"),
        b'.' => Err("holds an encoded dot"),
        b'%' => Err("holds an encoded `%`"),
        b';' | b'?' | b'#' => Err("holds an encoded delimiter"),
        0..0x20 | 0x7f => Err("holds a control character"),
        _ if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) => {
            Err("encodes a character that needs no encoding")
        }
        _ => Ok(byte),
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
