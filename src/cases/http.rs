//! A written request of HTTP, through the same mapping as the door's.

use crate::decide;
use crate::index::Index;
use crate::mapping::{self, Claim, Claims, HttpRequest};
use crate::model::{Attributes, HttpAsk, Literal, Spanned, Timestamp};

use super::Got;

/// What the policy makes of it.
pub(super) fn ask(index: &Index, ask: &HttpAsk, time: Timestamp) -> Got {
    let HttpAsk { method, path, host, headers, claims, principal, extensions } = ask;
    let request = HttpRequest {
        method,
        path,
        host,
        headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        is_joined: false,
        principal,
        extensions,
        claims: &Written(claims),
    };
    let question = match mapping::question(index, &request) {
        Ok(question) => question,
        Err(unmapped) => return Got::Unmapped(unmapped),
    };
    match question.ask(|request| decide::authorize(index, request, time)) {
        Ok(verdict) => Got::Decision { verdict, rule: index.rule_id(verdict.because) },
        Err(malformed) => Got::Malformed(malformed),
    }
}

/// Claims as a test writes them: under whatever key the policy looks for them.
#[derive(Debug)]
struct Written<'a>(&'a Attributes);

impl Claims for Written<'_> {
    fn find(&self, path: &mut dyn Iterator<Item = &str>) -> Option<Claim<'_>> {
        let name = path.skip(1).collect::<Vec<_>>().join(".");
        self.0.iter().find(|(own, _)| own.value == name).map(|(_, value)| claim(value))
    }
}

fn claim(value: &Spanned<Literal>) -> Claim<'_> {
    match &value.value {
        Literal::List(items) => Claim::List(items.iter().map(scalar).collect()),
        _ => scalar(value),
    }
}

fn scalar(value: &Spanned<Literal>) -> Claim<'_> {
    match &value.value {
        Literal::Null => Claim::Null,
        Literal::Bool(flag) => Claim::Bool(*flag),
        #[expect(
            clippy::cast_precision_loss,
            reason = "numbers of JSON are no more exact, and the mapping looks for that"
        )]
        Literal::Int(number) => Claim::Number(*number as f64),
        Literal::String(text) => Claim::Text(text),
        Literal::List(_) => Claim::Other,
    }
}
