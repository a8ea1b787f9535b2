//! Templates: `bot/{bot}`, `user/{claim.sub}`, and the one place that knows what may stand between braces.

use crate::compile::findings::Findings;
use crate::compile::layout::{CLAIM_SEPARATOR, HttpPartSort};
use crate::compile::schema::{Schema, TypeSort};
use crate::model::{Spanned, name_problem};

use super::{PartInfo, TemplateInfo, pattern::is_name};

/// What a template of one route can name.
pub(super) struct Scope<'s, 'p> {
    pub(super) schema: &'s Schema<'p>,
    /// The names that the path gives; whether each is the rest of it.
    pub(super) captures: &'s [(&'s str, bool)],
    /// Under which key claims stand.
    pub(super) claims: &'s str,
}

/// Whom or what a template names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sought {
    /// Who asks.
    Subject,
    /// What is asked about.
    Resource,
}

const SOURCES: &str =
    "write `{name}` for a segment of the path, `{header.x-name}`, `{claim.name}`, `{extension.name}` or `{principal}`";

impl Scope<'_, '_> {
    /// Reads `type/part/part`; `None` after a report.
    pub(super) fn entity(
        &self,
        text: &Spanned<String>,
        sought: Sought,
        label: &str,
        findings: &mut Findings,
    ) -> Option<TemplateInfo> {
        let Some((kind, id)) = text.value.split_once('/') else {
            let message = format!("{label}: `{}` is no `type/id`", text.value);
            findings.error_with_help(text.at, message, "write the type, a slash and the id, like `bot/{bot}`");
            return None;
        };
        self.check_kind(kind, text, sought, label, findings)?;
        let parts: Vec<&str> = split(id);
        let count = parts.len();
        let mut found = Vec::with_capacity(count);
        for (place, part) in (1..).zip(parts) {
            match self.part(part, sought) {
                Ok(PartInfo { sort: HttpPartSort::Rest, .. }) if place < count => {
                    let message = format!("{label}: `{part}` stands before the end of `{}`", text.value);
                    findings.error_with_help(text.at, message, "the rest of a path can only be the end of an id");
                    return None;
                }
                Ok(part) => found.push(part),
                Err((problem, help)) => {
                    findings.error_with_help(text.at, format!("{label}: `{part}` {problem}"), help);
                    return None;
                }
            }
        }
        Some(TemplateInfo { kind: kind.to_owned(), parts: found })
    }

    fn check_kind(
        &self,
        kind: &str,
        text: &Spanned<String>,
        sought: Sought,
        label: &str,
        findings: &mut Findings,
    ) -> Option<()> {
        let sort = self.schema.type_number(kind).and_then(|number| self.schema.sort(number));
        let (fits, wanted) = match sought {
            Sought::Subject => {
                (matches!(sort, Some(TypeSort::Subject | TypeSort::Credential)), "a type of subjects or credentials")
            }
            Sought::Resource => (sort == Some(TypeSort::Resource), "a type of resources"),
        };
        if !fits {
            findings.error(text.at, format!("{label}: `{kind}` is not {wanted}"));
        }
        fits.then_some(())
    }

    /// One part of an id, or the source of a value.
    pub(super) fn part(&self, text: &str, sought: Sought) -> Result<PartInfo, (&'static str, &'static str)> {
        let Some(source) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return if text.is_empty() || text.contains(['{', '}']) || name_problem(text).is_some() {
                Err(("is neither a text nor a whole name in braces", SOURCES))
            } else {
                Ok(PartInfo { sort: HttpPartSort::Literal, text: text.to_owned() })
            };
        };
        let part = |sort, text: &str| Ok(PartInfo { sort, text: text.to_owned() });
        match source.split_once('.') {
            None if source == "principal" => part(HttpPartSort::Principal, ""),
            None if sought == Sought::Subject => {
                Err(("would let a request say who asks by its path", "take it from a claim, the principal or a header"))
            }
            None => match self.captures.iter().find(|(name, _)| *name == source) {
                Some((name, true)) => part(HttpPartSort::Rest, name),
                Some((name, false)) => part(HttpPartSort::Capture, name),
                None if is_name(source) => Err(("is no segment of the path", SOURCES)),
                None => Err(("is no source", SOURCES)),
            },
            Some(("header", name)) if is_header(name) => part(HttpPartSort::Header, name),
            Some(("extension", name)) if !name.is_empty() => part(HttpPartSort::Extension, name),
            Some(("claim", names)) if names.split('.').all(|name| !name.is_empty()) => {
                let separator = CLAIM_SEPARATOR.to_string();
                part(HttpPartSort::Claim, &format!("{}{separator}{}", self.claims, names.replace('.', &separator)))
            }
            Some(_) => Err(("is no source", SOURCES)),
        }
    }
}

/// The parts of an id: slashes within braces are the names' own.
fn split(id: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_u32);
    for (place, byte) in id.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                parts.extend(id.get(start..place));
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.extend(id.get(start..));
    parts
}

/// Whether a header of this name can be read or set. Servers do not agree on `_`.
fn is_header(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= 128 && name.bytes().all(fits) && name != "host"
}

/// Reports what is no header.
pub(super) fn check_header(name: &Spanned<String>, findings: &mut Findings) {
    if !is_header(&name.value) {
        let help = "write it in lower case with letters, digits and `-`; `host` cannot be changed";
        findings.error_with_help(name.at, format!("`{}` is no header that can be set or removed", name.value), help);
    }
}
