//! `sidegate inspect`: what is in a compiled file, or what a source would compile to.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value as Json, json};

use super::Exit;
use super::output::{count, say, say_json};
use super::snapshot::{hex, open};

/// What to look into.
#[derive(Debug, Args)]
pub(super) struct InspectArguments {
    /// A compiled file, or any other source
    path: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Inspects: exit 0 if it is a whole and valid snapshot.
pub(super) fn inspect(arguments: &InspectArguments) -> Exit {
    let built = match open(&arguments.path) {
        Ok(built) => built,
        Err(trouble) => return trouble.tell(arguments.json),
    };
    let (index, publication) = (&built.index, &built.publication);
    let counts = index.counts();
    let numbers = [
        ("types", counts.types),
        ("roles", counts.roles),
        ("subjects", counts.subjects),
        ("resources", counts.resources),
        ("bindings", counts.bindings),
        ("forbids", counts.forbids),
    ];
    let issued_at = publication.issued_at.map(|moment| moment.to_string());
    let max_age = publication.max_age.map(|age| age.as_secs());
    if arguments.json {
        let of = |pairs: &[(&str, usize)]| -> Json {
            pairs.iter().map(|(name, number)| ((*name).to_owned(), json!(number))).collect::<Map<_, _>>().into()
        };
        say_json(&json!({
            "digest": hex(index.digest()),
            "layout": crate::compile::layout::VERSION,
            "sequence": publication.sequence,
            "issued_at": issued_at,
            "max_age_seconds": max_age,
            "bytes": index.bytes().len(),
            "counts": of(&numbers),
        }));
        return Exit::Yes;
    }
    say(&format!("digest     {}", hex(index.digest())));
    say(&format!("layout     {}", crate::compile::layout::VERSION));
    say(&format!("sequence   {}", publication.sequence));
    say(&format!("issued at  {}", issued_at.as_deref().unwrap_or("-")));
    say(&format!("max age    {}", max_age.map_or_else(|| "-".to_owned(), |age| format!("{age} s"))));
    let told = numbers.map(|(noun, number)| count(number, noun.strip_suffix('s').unwrap_or(noun)));
    say(&format!("holds      {}", told.join(", ")));
    say(&format!("bytes      {}", index.bytes().len()));
    Exit::Yes
}
