//! Requests of HTTP through the mapping: whatever is taken has one reading.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sidegate::decide;
use sidegate::document;
use sidegate::index::Index;
use sidegate::mapping::{self, Claim, Claims, HttpRequest};
use sidegate::model::Timestamp;

use super::source;

/// The first line is a method, a space and a target; every other a name, a colon and a value: of a header, or of `@host`,
/// `@principal`, `@joined` and claims such as `@sub`.
///
/// # Panics
/// When a request is taken that a server could read in another way.
pub fn http_request(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let (method, path) = first.split_once(' ').unwrap_or((&first, ""));
    let pairs = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((String::from_utf8_lossy(line.get(..colon)?).into_owned(), line.get(colon + 1..)?))
    });
    let (told, headers): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| name.starts_with('@'));
    let told =
        Told(told.iter().map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned())).collect());
    let word = |name: &str| told.0.get(name).map_or("", String::as_str);
    let request = HttpRequest {
        method,
        path,
        host: word("@host"),
        headers: headers.iter().map(|(name, value)| (name.as_str(), *value)).collect(),
        is_joined: told.0.contains_key("@joined"),
        principal: word("@principal"),
        extensions: &BTreeMap::new(),
        claims: &told,
    };
    let Ok(question) = mapping::question(index(), &request) else { return };
    let target = path.split('?').next().unwrap_or_default();
    for odd in ["//", "/.", "./", "\\", ";", "#", "%2", "%2e", "%5C", "%00", "%25", "!", " "] {
        // What needs encoding may begin like an encoded dot or slash, and a name may begin or end with a dot.
        let harmless = match odd {
            "/." | "./" => {
                target.split('/').all(|segment| segment.is_empty() || segment.bytes().any(|byte| byte != b'.'))
            }
            "%2" => !["%2E", "%2F", "%2e", "%2f", "%25", "%23"].iter().any(|bad| target.contains(bad)),
            _ => false,
        };
        assert!(harmless || !target.contains(odd), "{target:?} was taken");
    }
    assert!(!question.subject.id.is_empty() && !question.resource.id.is_empty());
    let verdict = question.ask(|request| decide::authorize(index(), request, Timestamp::NEW_YEAR_2026));
    if let Ok(verdict) = verdict {
        let changes = mapping::header_changes(index(), &question, &verdict, "digest");
        let changes = changes.expect("a whole snapshot");
        assert_eq!((changes.remove.len(), changes.set.len()), (1, 2));
    }
}

/// What is said besides headers.
#[derive(Debug)]
struct Told(BTreeMap<String, String>);

impl Claims for Told {
    fn find(&self, path: &mut dyn Iterator<Item = &str>) -> Option<Claim<'_>> {
        let text = self.0.get(&format!("@{}", path.nth(1)?))?;
        Some(match text.as_str() {
            "null" => Claim::Null,
            "true" => Claim::Bool(true),
            "{}" => Claim::Other,
            list if list.starts_with('[') => Claim::List(list.split(',').map(Claim::Text).collect()),
            text => text.parse().map_or(Claim::Text(text), Claim::Number),
        })
    }
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let policy = include_str!("../../fixed/http.yaml");
        document::build(vec![source("policy.yaml", policy.as_bytes())]).expect("the fixed mapping loads").index
    })
}
