//! Patterns of requests: reading one, and how two of them stand to each other.

use crate::model::order;
use std::cmp::Ordering;

/// The most segments of a path.
const MOST_SEGMENTS: usize = 64;
/// The longest method and the longest host.
const LONGEST_METHOD: usize = 20;
const LONGEST_HOST: usize = 253;

/// Which requests a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) methods: Vec<String>,
    pub(super) host: Option<String>,
    pub(super) path: Vec<Segment>,
}

/// One segment of a path; the wider ones sort behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Segment {
    /// This text.
    Literal(String),
    /// Any one segment.
    Capture(String),
    /// One segment or more, at the end.
    Rest(String),
}

/// What is wrong with a text, and what to do.
pub(super) type Wrong = (String, &'static str);

impl Pattern {
    /// Reads `GET|HEAD api.example.org/ws/{workspace}/{rest*}`.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        const FORM: &str = "write methods, a space and a path, like `GET|HEAD /ws/{workspace}`";
        let (methods, target) = text.split_once(' ').ok_or(("it has no path".to_owned(), FORM))?;
        let slash = target.find('/').ok_or(("it has no path".to_owned(), FORM))?;
        let (host, path) = target.split_at_checked(slash).ok_or(("it has no path".to_owned(), FORM))?;
        Ok(Self { methods: read_methods(methods)?, host: read_host(host)?, path: read_path(path)? })
    }

    /// The names that the path gives.
    pub(super) fn captures(&self) -> impl Iterator<Item = (&str, bool)> {
        self.path.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::Capture(name) => Some((name.as_str(), false)),
            Segment::Rest(name) => Some((name.as_str(), true)),
        })
    }
}

fn read_methods(text: &str) -> Result<Vec<String>, Wrong> {
    let mut methods: Vec<String> = text.split('|').map(str::to_owned).collect();
    for method in &methods {
        let fits = !method.is_empty()
            && method.len() <= LONGEST_METHOD
            && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if !fits || method == "CONNECT" {
            let help = "methods are upper-case words with `|` between them; `CONNECT` has no path";
            return Err((format!("`{method}` is no method that a route can have"), help));
        }
    }
    order::natural(&mut methods);
    if methods.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(("it names a method twice".to_owned(), "name each method once"));
    }
    Ok(methods)
}

fn read_host(text: &str) -> Result<Option<String>, Wrong> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    if text.is_empty() {
        Ok(None)
    } else if text.len() > LONGEST_HOST || !text.bytes().all(fits) || text.starts_with('.') || text.ends_with('.') {
        let help = "a host is written in lower case, without a port, or left out for every host";
        Err((format!("`{text}` is no host that a route can have"), help))
    } else {
        Ok(Some(text.to_owned()))
    }
}

fn read_path(text: &str) -> Result<Vec<Segment>, Wrong> {
    let Some(rest) = text.strip_prefix('/').filter(|rest| !rest.is_empty()) else { return Ok(Vec::new()) };
    let segments: Vec<Segment> = rest.split('/').map(read_segment).collect::<Result<_, _>>()?;
    if segments.len() > MOST_SEGMENTS {
        return Err((format!("its path has over {MOST_SEGMENTS} segments"), "use `{name*}` for the rest of a path"));
    }
    let (_, before) = segments.split_last().unwrap_or((&Segment::Literal(String::new()), &[]));
    if before.iter().any(|segment| matches!(segment, Segment::Rest(_))) {
        return Err((
            "`{name*}` stands before the end".to_owned(),
            "only the last segment can be the rest of the path",
        ));
    }
    Ok(segments)
}

fn read_segment(text: &str) -> Result<Segment, Wrong> {
    if let Some(name) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let (name, is_rest) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
        if !is_name(name) {
            let help = "name it with lower-case letters, digits and `_`, like `{workspace}`";
            return Err((format!("`{text}` is no name for a segment"), help));
        }
        return Ok(if is_rest { Segment::Rest(name.to_owned()) } else { Segment::Capture(name.to_owned()) });
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~$&'()*+,=:@".contains(&byte);
    if text.is_empty() {
        Err(("an empty segment, or a slash at the end".to_owned(), "such a request is always denied; write one slash"))
    } else if text.bytes().all(|byte| byte == b'.') || !text.bytes().all(fits) {
        let help = "write letters, digits and `-._~$&'()*+,=:@`, or a whole segment as `{name}`";
        Err((format!("no request that is not denied has the segment `{text}`"), help))
    } else {
        Ok(Segment::Literal(text.to_owned()))
    }
}

/// Whether a text can name a segment.
pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && text.len() <= 64
}

/// How two patterns of one method stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    /// No request fits both.
    Apart,
    /// They fit the same requests.
    Same,
    /// Every request that fits one fits the other.
    Nested,
    /// Some fit both, and neither is narrower.
    Crossing,
    /// They would meet if case did not matter.
    Case,
}

/// How the first stands to the second.
pub(super) fn relation(one: (Option<&str>, &[Segment]), other: (Option<&str>, &[Segment])) -> Relation {
    let (mut narrower, mut wider, mut other_case) = (false, false, false);
    match (one.0, other.0) {
        (Some(left), Some(right)) if left != right => return Relation::Apart,
        (Some(_), None) => narrower = true,
        (None, Some(_)) => wider = true,
        _ => {}
    }
    let (mut left, mut right) = (one.1.iter(), other.1.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) | (Some(Segment::Rest(_)), Some(Segment::Rest(_))) => break,
            (None, Some(_)) | (Some(_), None) => return Relation::Apart,
            (Some(Segment::Rest(_)), Some(_)) => {
                wider = true;
                break;
            }
            (Some(_), Some(Segment::Rest(_))) => {
                narrower = true;
                break;
            }
            (Some(Segment::Literal(left)), Some(Segment::Literal(right))) if left != right => {
                if !left.eq_ignore_ascii_case(right) {
                    return Relation::Apart;
                }
                other_case = true;
            }
            (Some(left), Some(right)) => match width(left).cmp(&width(right)) {
                Ordering::Less => narrower = true,
                Ordering::Greater => wider = true,
                Ordering::Equal => {}
            },
        }
    }
    match (other_case, narrower, wider) {
        (true, _, _) => Relation::Case,
        (false, true, true) => Relation::Crossing,
        (false, false, false) => Relation::Same,
        (false, _, _) => Relation::Nested,
    }
}

/// What fits two paths of which neither is narrower.
pub(super) fn meeting(one: &[Segment], other: &[Segment]) -> Vec<Segment> {
    let mut path = Vec::new();
    let (mut left, mut right) = (one.iter(), other.iter());
    loop {
        match (left.next(), right.next()) {
            (Some(rest @ Segment::Rest(_)), Some(Segment::Rest(_))) => {
                path.push(rest.clone());
                return path;
            }
            (Some(Segment::Rest(_)), Some(next)) => {
                path.push(next.clone());
                path.extend(right.cloned());
                return path;
            }
            (Some(next), Some(Segment::Rest(_))) => {
                path.push(next.clone());
                path.extend(left.cloned());
                return path;
            }
            (Some(left), Some(right)) => {
                let narrower = if width(left) < width(right) { left } else { right };
                path.push(narrower.clone());
            }
            (None, _) | (_, None) => return path,
        }
    }
}

fn width(segment: &Segment) -> u8 {
    match segment {
        Segment::Literal(_) => 0,
        Segment::Capture(_) => 1,
        Segment::Rest(_) => 2,
    }
}

/// The order in which patterns of one method are tried: of two that fit one request the narrower comes first.
pub(super) fn order(one: (Option<&str>, &[Segment]), other: (Option<&str>, &[Segment])) -> Ordering {
    let key = |segment: &Segment| match segment {
        Segment::Literal(text) => (0, text.clone()),
        Segment::Capture(_) => (1, String::new()),
        Segment::Rest(_) => (2, String::new()),
    };
    let path = one.1.iter().map(key).cmp(other.1.iter().map(key));
    path.then_with(|| match (one.0, other.0) {
        (Some(left), Some(right)) => left.cmp(right),
        (left, right) => right.is_some().cmp(&left.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Relation, relation};

    fn of(one: &str, other: &str) -> Relation {
        let (one, other) = (Pattern::parse(one).unwrap(), Pattern::parse(other).unwrap());
        relation((one.host.as_deref(), &one.path), (other.host.as_deref(), &other.path))
    }

    #[test]
    fn two_patterns_stand_to_each_other() {
        for (one, other, wanted) in [
            ("GET /a", "GET /b", Relation::Apart),
            ("GET /a", "GET /a/b", Relation::Apart),
            ("GET /", "GET /{x*}", Relation::Apart),
            ("GET /a", "GET /{x}", Relation::Nested),
            ("GET /a/{x*}", "GET /a/b", Relation::Nested),
            ("GET /a/{x}", "GET /{y}/b", Relation::Crossing),
            ("GET /a/{x*}", "GET /{y}/b", Relation::Crossing),
            ("GET /a/{x}", "GET /a/{y}", Relation::Same),
            ("GET h/a/{x}", "GET /a/b", Relation::Crossing),
            ("GET h/a/b", "GET /a/{x}", Relation::Nested),
            ("GET h/a", "GET i/a", Relation::Apart),
            ("GET /A/b", "GET /a/b", Relation::Case),
            ("GET /A/b", "GET /a/c", Relation::Apart),
        ] {
            assert_eq!(of(one, other), wanted, "{one} and {other}");
            assert_eq!(of(other, one), wanted, "{other} and {one}");
        }
    }

    #[test]
    fn what_no_request_can_fit_is_no_pattern() {
        for text in [
            "/a",
            "GET",
            "GET a",
            "get /a",
            "GET|GET /a",
            "CONNECT /a",
            "GET /a/",
            "GET //a",
            "GET /a/../b",
            "GET /.",
            "GET /a%20b",
            "GET /a;b",
            "GET /a?b",
            "GET /a#b",
            "GET /{}",
            "GET /{A}",
            "GET /{a*}/b",
            "GET /x{a}",
            "GET H/a",
            "GET h:80/a",
            "GET h./a",
            "GET  /a",
            "GET /a\\b",
            "GET /a!b",
            "GET|/a",
            "* /a",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
        for text in ["GET /", "GET|HEAD /a/{b}/{c*}", "GET api.example.org/a", "PATCH /.well-known/x", "GET /a:b@c"] {
            assert!(Pattern::parse(text).is_ok(), "{text}");
        }
    }
}
