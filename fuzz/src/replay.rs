//! What each fuzz target does with its bytes. `tests/corpus.rs` includes this file and replays the corpus with it, so
//! that a finding stays found without a fuzzer. It states what must hold of any input; it knows no format of its own
//! but the small one of [`request`].

mod authzen;
mod condition_reference;
mod http_request;
mod requests;
mod universes;

pub use authzen::authzen;
pub use condition_reference::condition_reference;
pub use http_request::http_request;
pub use requests::requests;
pub use universes::{decide_reference, list_decide};

use std::sync::OnceLock;

use sidegate::decide::{self, ActionVerdict};
use sidegate::document::{self, Source};
use sidegate::index::Index;
use sidegate::model::{Entity, Malformed, Request, Timestamp, Value, Verdict};

/// A target: any bytes go in, and nothing may panic.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 11] = [
    ("authzen", authzen),
    ("condition", condition),
    ("condition_reference", condition_reference),
    ("decide_reference", decide_reference),
    ("facts_jsonl", facts_jsonl),
    ("http_request", http_request),
    ("index_bytes", index_bytes),
    ("list_decide", list_decide),
    ("policy_yaml", policy_yaml),
    ("request", request),
    ("requests", requests),
];

const FIXED_POLICY: &str = include_str!("../fixed/policy.yaml");
const FIXED_FACTS: &str = include_str!("../fixed/facts.yaml");
const CONDITION_POLICY: &str = include_str!("../fixed/condition.yaml");

/// Requests to ask of an index about which nothing is known; the first ones fit the fixed policy.
const QUESTIONS: [&str; 7] = [
    "subject user/ana\naction update\nresource bot/helper",
    "subject user/ana\naction create\nresource bot/new\nparent workspace/prod\nresource.tag s marketing",
    "subject user/ben\naction clone\nresource bot/helper\nparam.target e workspace/lab\ncontext.mfa b true",
    "subject user/eve\naction view\nresource node/start\nresource.locked n",
    "subject machine/build\naction deploy\nresource bot/helper",
    "subject user/ana\naction access\nresource workspace/prod\nsubject.level i 3",
    "subject nobody/x\naction fly\nresource nothing/y",
];

/// The bytes are a whole policy.
pub fn policy_yaml(data: &[u8]) {
    load(vec![source("policy.yaml", data)]);
}

/// The bytes are facts for the fixed policy.
pub fn facts_jsonl(data: &[u8]) {
    load(vec![source("policy.yaml", FIXED_POLICY.as_bytes()), source("facts.jsonl", data)]);
}

/// The bytes are the condition of a rule, of a limit and of a forbid.
pub fn condition(data: &[u8]) {
    let text = quoted(&String::from_utf8_lossy(data));
    load(vec![source("policy.yaml", CONDITION_POLICY.replace("CONDITION", &text).as_bytes())]);
}

/// The bytes are an index; then they are damage to a good one, five bytes each: where (little-endian), and what to flip.
pub fn index_bytes(data: &[u8]) {
    let mut damaged = fixed_index().bytes().to_vec();
    let length = damaged.len().max(1);
    for flip in data.chunks_exact(5) {
        let [a, b, c, d, mask] = *flip else { continue };
        let place = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(0) % length;
        if let Some(byte) = damaged.get_mut(place) {
            *byte ^= mask;
        }
    }
    for bytes in [data.to_vec(), damaged] {
        if let Ok(index) = Index::open(bytes) {
            // Damage may change an answer, and doors need not agree on it. It may not stop the daemon.
            for question in QUESTIONS {
                let _answers = with_request(question, |request| answers(&index, request));
            }
        }
    }
}

/// The bytes are a request of the fixed policy, a line for each field: `subject user/ana`, `action update`,
/// `resource bot/helper`, `parent workspace/prod`, and properties such as `context.mfa b true`: the field, a letter for
/// the kind of value (`n b i s t e l`) and the value; the items of a list are parted by `|`, each with its own letter.
pub fn request(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    with_request(&text, |request| agree(fixed_index(), request));
}

/// Loads sources. They are refused with words, or they make an index that opens, is the same every time, and answers.
fn load(sources: Vec<Source>) {
    let built = match document::build(sources.clone()) {
        Ok(built) => built,
        Err(report) => {
            assert!(!report.lines().is_empty(), "refused without a word");
            assert!(!report.to_string().is_empty(), "refused without a word");
            return;
        }
    };
    let again = document::build(sources).expect("what loaded once loads again");
    assert_eq!(built.index.digest(), again.index.digest(), "one input, two digests");
    let reopened = Index::open(built.index.bytes().to_vec()).expect("an index opens its own bytes");
    for question in QUESTIONS {
        with_request(question, |request| agree(&reopened, request));
    }
}

/// Asks at every door; all must give the same answer.
fn agree(index: &Index, request: &Request<'_>) {
    let (verdict, explained, listed) = answers(index, request);
    assert_eq!(explained, verdict, "explain and authorize disagree");
    let listed = listed.unwrap_or_default();
    let in_list = listed.iter().find(|listed| listed.action == request.action);
    if let (Ok(verdict), Some(in_list)) = (verdict, in_list) {
        assert_eq!(in_list.verdict, verdict, "list_actions and authorize disagree");
    }
}

type Answers = (Result<Verdict, Malformed>, Result<Verdict, Malformed>, Result<Vec<ActionVerdict>, Malformed>);

fn answers(index: &Index, request: &Request<'_>) -> Answers {
    let time = Timestamp::new(1_790_000_000, 0).unwrap_or(Timestamp::EPOCH);
    let verdict = decide::authorize(index, request, time);
    if let Ok(verdict) = &verdict {
        let _name = index.rule_id(verdict.because);
    }
    let explained = decide::explain(index, request, time).map(|explanation| explanation.verdict);
    (verdict, explained, decide::list_actions(index, request, time))
}

/// The index of the fixed policy and facts.
///
/// # Panics
/// If they do not load: then the language has changed under them.
pub fn fixed_index() -> &'static Index {
    static FIXED: OnceLock<Index> = OnceLock::new();
    FIXED.get_or_init(|| {
        let policy = source("policy.yaml", FIXED_POLICY.as_bytes());
        match document::build(vec![policy, source("facts.yaml", FIXED_FACTS.as_bytes())]) {
            Ok(built) => built.index,
            Err(report) => panic!("the fixed policy does not load:\n{report}"),
        }
    })
}

fn source(name: &str, bytes: &[u8]) -> Source {
    Source { name: name.to_owned(), bytes: bytes.to_vec() }
}

/// A text as a double-quoted YAML scalar, whatever it holds.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        _ => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn with_request<T>(text: &str, ask: impl FnOnce(&Request<'_>) -> T) -> T {
    let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    let lists: Vec<Vec<Value<'_>>> = lines.iter().map(|(_, text)| list_items(text)).collect();
    let field = |name: &str| lines.iter().find(|(key, _)| *key == name).map(|(_, text)| *text);
    let properties = |owner: &str| -> Vec<(&str, Value<'_>)> {
        let named = lines.iter().zip(&lists).filter_map(|((key, text), list)| {
            let name = key.strip_prefix(owner)?.strip_prefix('.')?;
            Some((name, value(text, list)))
        });
        named.collect()
    };
    ask(&Request {
        subject: entity(field("subject").unwrap_or_default()),
        subject_properties: &properties("subject"),
        action: field("action").unwrap_or_default(),
        action_properties: &properties("param"),
        resource: entity(field("resource").unwrap_or_default()),
        parent: field("parent").map(entity),
        resource_properties: &properties("resource"),
        context: &properties("context"),
    })
}

/// Unlike [`Entity::parse`] it takes any text: a half-empty name is for the engine to refuse.
fn entity(text: &str) -> Entity<'_> {
    let (kind, id) = text.split_once('/').unwrap_or((text, ""));
    Entity { kind, id }
}

fn list_items(text: &str) -> Vec<Value<'_>> {
    match text.split_once(' ') {
        Some(("l", items)) => items.split('|').map(|item| value(item, &[])).collect(),
        _ => Vec::new(),
    }
}

fn value<'a>(text: &'a str, list: &'a [Value<'a>]) -> Value<'a> {
    let (kind, text) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "b" => Value::Bool(text == "true"),
        "i" => text.parse().map_or(Value::Null, Value::Int),
        "s" => Value::String(text),
        "t" => Timestamp::parse(text).map_or(Value::Null, Value::Timestamp),
        "e" => Value::Entity(entity(text)),
        "l" => Value::List(list),
        _ => Value::Null,
    }
}
