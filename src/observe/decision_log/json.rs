//! Texts and values as JSON that is safe to print: nothing in it moves a terminal's cursor or turns its text around.

use std::fmt::{self, Write};

use crate::model::{Entity, Value};

/// Writes a text in quotes.
pub(super) fn quote(out: &mut impl Write, text: &str) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    while let Some((before, found, behind)) = split_at_special(rest) {
        out.write_str(before)?;
        match found {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            // All of them lie below 0x10000.
            other => write!(out, "\\u{:04x}", u32::from(other))?,
        }
        rest = behind;
    }
    out.write_str(rest)?;
    out.write_char('"')
}

fn split_at_special(text: &str) -> Option<(&str, char, &str)> {
    let (at, found) = text.char_indices().find(|(_, letter)| is_special(*letter))?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, found, rest.get(found.len_utf8()..)?))
}

fn is_special(letter: char) -> bool {
    if letter.is_ascii() {
        return letter == '"' || letter == '\\' || letter.is_ascii_control();
    }
    let separates = matches!(letter, '\u{2028}' | '\u{2029}');
    let turns =
        matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    separates || turns || letter.is_control()
}

/// Writes a value of a request.
pub(super) fn value(out: &mut impl Write, value: &Value<'_>) -> fmt::Result {
    match value {
        Value::List(items) => {
            out.write_char('[')?;
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.write_char(',')?;
                }
                scalar(out, item)?;
            }
            out.write_char(']')
        }
        one => scalar(out, one),
    }
}

fn scalar(out: &mut impl Write, value: &Value<'_>) -> fmt::Result {
    match value {
        // A door makes no list within a list.
        Value::Null | Value::List(_) => out.write_str("null"),
        Value::Bool(flag) => write!(out, "{flag}"),
        Value::Int(number) => write!(out, "{number}"),
        Value::String(text) => quote(out, text),
        Value::Timestamp(moment) => write!(out, "\"{moment}\""),
        Value::Entity(named) => entity(out, *named),
    }
}

/// Writes an entity.
pub(super) fn entity(out: &mut impl Write, Entity { kind, id }: Entity<'_>) -> fmt::Result {
    out.write_str("{\"type\":")?;
    quote(out, kind)?;
    out.write_str(",\"id\":")?;
    quote(out, id)?;
    out.write_char('}')
}

#[cfg(test)]
mod tests {
    use super::{quote, value};
    use crate::model::{Entity, Timestamp, Value};

    #[test]
    fn nothing_that_moves_a_cursor_gets_through() {
        let mut out = String::new();
        let text = "a\"\\\n\0\u{1b}[2J\u{7f}\u{85}\u{2028}\u{202e}é✓😀";
        quote(&mut out, text).unwrap();
        assert_eq!(out, "\"a\\\"\\\\\\n\\u0000\\u001b[2J\\u007f\\u0085\\u2028\\u202eé✓😀\"");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    #[test]
    fn every_value_is_json() {
        let items = [Value::Int(-3), Value::String("x\""), Value::Bool(true), Value::Null];
        let entity = Entity { kind: "user", id: "a/b" };
        let list = [
            (Value::List(&items), r#"[-3,"x\"",true,null]"#),
            (Value::Timestamp(Timestamp::EPOCH), r#""1970-01-01T00:00:00Z""#),
            (Value::Entity(entity), r#"{"type":"user","id":"a/b"}"#),
            (Value::Int(i64::MIN), "-9223372036854775808"),
        ];
        for (sent, expected) in list {
            let mut out = String::new();
            value(&mut out, &sent).unwrap();
            assert_eq!(out, expected);
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
        }
    }
}
