//! Ids that a reader cannot tell apart. Each stays what its bytes are: this warns, and refuses nothing.
//!
//! Two ids look alike when their skeletons are equal (Unicode Technical Standard 39): the same letters of another script,
//! composed or not, full-width or not, with characters in between that do not show. Ids of ASCII alone are never compared
//! with each other: `user/l` and `user/1` are nobody's attack, and there are many of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher};

use unicode_security::confusable_detection::skeleton;

use super::entities::{Entities, EntityInfo};
use super::findings::Findings;
use super::schema::Schema;

/// Warns of entities of one type whose ids look alike.
pub(super) fn warn(schema: &Schema<'_>, entities: &Entities<'_>, findings: &mut Findings) {
    for same_type in entities.list.chunk_by(|a, b| a.kind == b.kind) {
        // One pass over bytes is all that an ordinary snapshot pays.
        if same_type.iter().any(|info| !info.id.is_ascii()) {
            warn_of_type(schema, same_type, findings);
        }
    }
}

fn warn_of_type(schema: &Schema<'_>, same_type: &[EntityInfo<'_>], findings: &mut Findings) {
    // By the hash of the skeleton: the texts themselves would need as much memory as the ids.
    let mut known: HashMap<u64, &EntityInfo<'_>> = HashMap::new();
    for info in same_type.iter().filter(|info| !info.id.is_ascii()) {
        match known.entry(hash(skeleton(info.id))) {
            Entry::Occupied(other) => report(schema, info, other.get(), findings),
            Entry::Vacant(free) => drop(free.insert(info)),
        }
    }
    let ascii = Ascii::new();
    for info in same_type.iter().filter(|info| info.id.is_ascii()) {
        if let Some(other) = known.get(&hash(ascii.skeleton(info.id))) {
            report(schema, other, info, findings);
        }
    }
}

fn hash(skeleton: impl Iterator<Item = char>) -> u64 {
    let mut hasher = DefaultHasher::new();
    skeleton.for_each(|c| hasher.write_u32(u32::from(c)));
    hasher.finish()
}

fn report(schema: &Schema<'_>, info: &EntityInfo<'_>, other: &EntityInfo<'_>, findings: &mut Findings) {
    if !skeleton(info.id).eq(skeleton(other.id)) {
        // Two skeletons of one hash.
        return;
    }
    let kind = schema.type_name(info.kind);
    let message = format!("`{kind}/{}` looks like `{kind}/{}`", shown(info.id), shown(other.id));
    findings.warning(info.place(), message, "ids are compared byte by byte: these are two; rename one of them");
}

/// An id in which every character can be told from every other.
fn shown(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii() { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

/// Skeletons of ASCII text, by table: there may be millions of them.
struct Ascii([String; 128]);

impl Ascii {
    fn new() -> Self {
        let mut byte = 0_u8;
        Self([(); 128].map(|()| {
            let text = char::from(byte).to_string();
            byte += 1;
            skeleton(&text).collect()
        }))
    }

    fn skeleton(&self, text: &str) -> impl Iterator<Item = char> {
        text.bytes().flat_map(|byte| self.0.get(usize::from(byte)).map_or("", String::as_str).chars())
    }
}

#[cfg(test)]
mod tests {
    use unicode_security::confusable_detection::skeleton;

    use super::{Ascii, shown};

    #[test]
    fn the_table_says_what_the_standard_says() {
        let ascii = Ascii::new();
        for text in ["ana", "I1l|0Om", "rn/`'\"", "a b-c_d.e:f", "*"] {
            assert!(ascii.skeleton(text).eq(skeleton(text)), "{text}");
        }
    }

    #[test]
    fn what_does_not_show_is_shown() {
        assert_eq!(shown("an\u{430}\u{200b}"), "an\\u{430}\\u{200b}");
    }
}
