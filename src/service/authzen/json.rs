//! A body of JSON as a tree: strict, of bounded depth and size, no member given twice. Knows no field by name.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::model::{Malformed, order};

/// The deepest nesting of objects and arrays.
const MAX_DEPTH: u8 = 32;
/// A body of so many bytes holds one value at most: what a tree takes stays in proportion to its text.
const BYTES_PER_VALUE: usize = 4;
/// A small body may be as dense as it likes.
const ALWAYS: usize = 1024;
/// How much of a name is shown.
const SHOWN: usize = 64;
/// Up to so many members are compared one by one.
const FEW: usize = 8;

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// A whole number of 64 bits, written without a fraction or an exponent.
    Int(i64),
    /// Any other number.
    Number,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads one value that fills the whole body.
pub(super) fn read(body: &[u8]) -> Result<Json, Malformed> {
    let left = Cell::new(ALWAYS.max(body.len() / BYTES_PER_VALUE));
    let mut reader = serde_json::Deserializer::from_slice(body);
    let tree = One { depth: MAX_DEPTH, left: &left }.deserialize(&mut reader);
    tree.and_then(|tree| reader.end().map(|()| tree))
        .map_err(|error| Malformed::new("body", format!("is not the JSON that is read here: {error}")))
}

/// Reads one value; `left` counts those that may still come.
#[derive(Clone, Copy)]
struct One<'c> {
    depth: u8,
    left: &'c Cell<usize>,
}

impl One<'_> {
    /// Counts one value.
    fn count<E: Error>(self) -> Result<(), E> {
        let fewer = self.left.get().checked_sub(1).ok_or_else(|| E::custom("too many values for its size"))?;
        self.left.set(fewer);
        Ok(())
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested deeper than 32 levels"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        self.count()?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(i64::try_from(number).map_or(Json::Number, Json::Int))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let one = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(one)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let one = self.deeper()?;
        let mut object: Vec<(String, Json)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(one)?;
            if object.is_empty() {
                // Most objects of a body that wants to be large have one member.
                object.reserve_exact(1);
            }
            object.push((name, value));
        }
        match twice(&object) {
            None => Ok(Json::Object(object)),
            Some(name) => Err(A::Error::custom(format_args!("`{}` is given twice", shown(name)))),
        }
    }
}

/// A name that two members have.
fn twice(object: &[(String, Json)]) -> Option<&str> {
    if object.len() <= FEW {
        let is_first = |at: usize, name: &str| object.iter().take(at).all(|(earlier, _)| earlier != name);
        return object.iter().enumerate().find(|(at, (name, _))| !is_first(*at, name)).map(|(_, (name, _))| &**name);
    }
    let mut names: Vec<&str> = object.iter().map(|(name, _)| &**name).collect();
    order::natural(&mut names);
    names.windows(2).find_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    })
}

/// The beginning of a name.
pub(super) fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ALWAYS, Json, read};

    fn error(text: &str) -> String {
        read(text.as_bytes()).unwrap_err().problem
    }

    #[test]
    fn each_form_is_told_apart() {
        let text = r#"{"a":[null,true,-7,9223372036854775807,9223372036854775808,1.0,1e2,"\u00e9"]}"#;
        let items = vec![
            Json::Null,
            Json::Bool(true),
            Json::Int(-7),
            Json::Int(i64::MAX),
            Json::Number,
            Json::Number,
            Json::Number,
            Json::Text("é".into()),
        ];
        assert_eq!(read(text.as_bytes()), Ok(Json::Object(vec![("a".into(), Json::List(items))])));
    }

    #[test]
    fn refuses_what_could_be_read_in_two_ways() {
        for text in ["", " ", "{", "{}{}", "{} x", "{'a':1}", "{\"a\":01}", "\"\\ud800\"", "nul", "[1,]", "NaN"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"\"\xff\"").is_err());
        assert!(read(b"\xef\xbb\xbf{}").is_err());
        assert!(error(r#"{"a":{"b":1,"b":2}}"#).contains("`b` is given twice"));
        assert!(error(r#"{"a":1,"\u0061":2}"#).contains("`a` is given twice"));
        let mut many: Vec<_> = (0..100).map(|number| format!("\"{number}\":0")).collect();
        many.push("\"7\":1".to_owned());
        assert!(error(&format!("{{{}}}", many.join(","))).contains("`7` is given twice"));
        let long = "n".repeat(100_000);
        assert!(error(&format!("{{\"{long}\":1,\"{long}\":1}}")).len() < 300);
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(nested(32).as_bytes()).is_ok());
        assert!(error(&nested(33)).contains("nested deeper"));
        assert!(read("[".repeat(1_000_000).as_bytes()).is_err());
        assert!(read(format!("[{}0]", "0,".repeat(ALWAYS - 2)).as_bytes()).is_ok());
        assert!(error(&format!("[{}0]", "0,".repeat(50_000))).contains("too many values"));
        assert!(error(&format!("[{}{{}}]", "{\"\":0},".repeat(50_000))).contains("too many values"));
    }

    proptest! {
        #[test]
        fn reads_nothing_that_serde_json_refuses(text in "[\\[\\]{}\",:0-9a\\-.eE \\\\un]{0,24}") {
            if let Ok(tree) = read(text.as_bytes()) {
                let wanted: Result<serde_json::Value, _> = serde_json::from_str(&text);
                prop_assert!(wanted.is_ok(), "{text}: {tree:?}");
            }
        }
    }
}
