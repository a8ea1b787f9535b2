//! `sidegate inspect`: what is in a compiled file, or what a source would compile to, and where its bytes go.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::compile::layout::Section;
use crate::document::Built;
use crate::index::{Index, Table};

use super::Exit;
use super::output::{count, say, say_json};
use super::snapshot::{hex, open};
use crate::model::order;

/// What to look into.
#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// A compiled file, or any other source
    path: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How many of the largest are told.
const LARGEST: usize = 5;

/// Inspects: exit 0 if it is a whole and valid snapshot.
pub(super) fn inspect(arguments: &InspectArguments) -> Exit {
    let built = match open(&arguments.path) {
        Ok(built) => built,
        Err(trouble) => return trouble.tell(arguments.json),
    };
    if arguments.json {
        say_json(&json(&built));
    } else {
        lines(&built);
    }
    Exit::Yes
}

fn json(built: &Built) -> Json {
    let Built { index, publication, .. } = built;
    let named = |pairs: Vec<(String, usize)>| -> Json {
        pairs.into_iter().map(|(name, number)| (name, json!(number))).collect::<Map<_, _>>().into()
    };
    let listed = |pairs: Vec<(String, usize)>| -> Json {
        pairs.into_iter().map(|(name, bindings)| json!({"name": name, "bindings": bindings})).collect()
    };
    let heaviest = index.heaviest(LARGEST);
    json!({
        "digest": hex(index.digest()),
        "layout": crate::compile::layout::VERSION,
        "sequence": publication.sequence,
        "issued_at": publication.issued_at.map(|moment| moment.to_string()),
        "max_age_seconds": publication.max_age.map(|age| age.as_secs()),
        "bytes": index.bytes().len(),
        "counts": named(counts(index).map(|(noun, number)| (noun.to_owned(), number)).into()),
        "tables": named(index.tables().map(|table| (name(table.section), table.bytes)).collect()),
        "largest_holders": listed(heaviest.holders),
        "largest_roles": listed(heaviest.roles),
    })
}

fn lines(built: &Built) {
    let Built { index, publication, .. } = built;
    let issued_at = publication.issued_at.map_or_else(|| "-".to_owned(), |moment| moment.to_string());
    let max_age = publication.max_age.map_or_else(|| "-".to_owned(), |age| format!("{} s", age.as_secs()));
    say(&format!("digest     {}", hex(index.digest())));
    say(&format!("layout     {}", crate::compile::layout::VERSION));
    say(&format!("sequence   {}", publication.sequence));
    say(&format!("issued at  {issued_at}"));
    say(&format!("max age    {max_age}"));
    let told = counts(index).map(|(noun, number)| count(number, noun.strip_suffix('s').unwrap_or(noun)));
    say(&format!("holds      {}", told.join(", ")));
    say(&format!("bytes      {}", index.bytes().len()));
    let heaviest = index.heaviest(LARGEST);
    for (title, largest) in [("holders", heaviest.holders), ("roles", heaviest.roles)] {
        let told: Vec<String> = largest.iter().map(|(name, bindings)| format!("{name} {bindings}")).collect();
        if !told.is_empty() {
            say(&format!("{title:<9}  most bindings: {}", told.join(", ")));
        }
    }
    let mut tables: Vec<Table> = index.tables().filter(|table| table.bytes > 0).collect();
    order::by_key(&mut tables, |table| std::cmp::Reverse(table.bytes));
    for Table { section, bytes } in tables {
        say(&format!("{bytes:>12}  {}", name(section)));
    }
}

fn counts(index: &Index) -> [(&'static str, usize); 6] {
    let counts = index.counts();
    [
        ("types", counts.types),
        ("roles", counts.roles),
        ("subjects", counts.subjects),
        ("resources", counts.resources),
        ("bindings", counts.bindings),
        ("forbids", counts.forbids),
    ]
}

/// A table's name in words with underscores: `entity_slots`.
fn name(section: Section) -> String {
    let mut words = String::new();
    for (place, character) in format!("{section:?}").char_indices() {
        if place > 0 && character.is_uppercase() {
            words.push('_');
        }
        words.extend(character.to_lowercase());
    }
    words
}
