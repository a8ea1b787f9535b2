//! Runs the studios' cases against their packs, through every door.
//!
//! `SIDEGATE_CASES=DIR cargo test studio_cases -- --nocapture` runs another directory of the same form.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sidegate::model::Decision;

use crate::support::cases::{self, Case, CaseFile};
use crate::support::daemon::{self, Door};
use crate::support::translate::{self, Vocabulary};

/// What became of a case.
enum Outcome {
    Passed,
    Skipped,
    Failed(String),
}

#[test]
fn studio_cases() {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let directory = env::var_os("SIDEGATE_CASES").map_or_else(default, PathBuf::from);
    let files = cases::read_directory(&directory);
    assert!(!files.is_empty(), "no case file in {}", directory.display());
    let mut doors = daemon::doors();
    let failed: usize = files.iter().map(|file| run_file(file, &mut doors)).sum();
    assert_eq!(failed, 0, "cases failed: see above");
}

/// Runs one file, prints its line and returns how many cases failed.
fn run_file(file: &CaseFile, doors: &mut [Box<dyn Door>]) -> usize {
    let (mut passed, mut skipped, mut failures) = (0, 0, Vec::new());
    for case in file.cases() {
        match run_case(file, &case, doors) {
            Outcome::Passed => passed += 1,
            Outcome::Skipped => skipped += 1,
            Outcome::Failed(why) => failures.push(format!("  {}: {why}", case.id)),
        }
    }
    println!("{}: {passed} passed, {} failed, {skipped} skipped", file.name, failures.len());
    for failure in &failures {
        println!("{failure}");
    }
    failures.len()
}

fn run_case(file: &CaseFile, case: &Case<'_>, doors: &mut [Box<dyn Door>]) -> Outcome {
    let pack = daemon::packs().join(case.product);
    let is_built = case.request["query"].as_str() != Some("seats");
    if !pack.join("policy.yaml").is_file() || !is_built {
        return Outcome::Skipped;
    }
    let parameters = cases::declared_parameters(&cases::read_yaml(&pack.join("policy.yaml")));
    let vocabulary = Vocabulary { entity_types: file.entity_types(), parameters };
    let failures = doors.iter_mut().filter_map(|door| {
        let why = ask(case, &pack, &vocabulary, door.as_mut()).err()?;
        Some(format!("{}: {why}", door.name()))
    });
    match failures.collect::<Vec<_>>().join("; ") {
        none if none.is_empty() => Outcome::Passed,
        failures => Outcome::Failed(failures),
    }
}

/// Takes a case through one door.
fn ask(case: &Case<'_>, pack: &Path, vocabulary: &Vocabulary<'_>, door: &mut dyn Door) -> Result<(), String> {
    let invalid = case.expect.as_str() == Some("invalid");
    let mut loaded = door.load(pack, &translate::facts(&case.first));
    if let Some((second, accepted)) = &case.second {
        loaded.map_err(|error| format!("the first snapshot was refused: {error}"))?;
        loaded = door.reload(pack, &translate::facts(second));
        if !invalid && loaded.is_ok() != *accepted {
            return Err(format!("the reload gave {loaded:?}, wanted accepted: {accepted}"));
        }
        if !invalid && !*accepted {
            loaded = Ok(());
        }
    }
    match (loaded, invalid) {
        (Ok(()), true) => Err("was accepted, wanted invalid".to_owned()),
        (Err(error), true) => names_all(&error, &case.error_names),
        (Err(error), false) => Err(format!("was refused: {error}")),
        (Ok(()), false) => answer(case, vocabulary, door),
    }
}

fn names_all(error: &str, names: &[&str]) -> Result<(), String> {
    let missing: Vec<_> = names.iter().filter(|name| !error.contains(**name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("the error does not name {missing:?}: {error}")) }
}

fn answer(case: &Case<'_>, vocabulary: &Vocabulary<'_>, door: &mut dyn Door) -> Result<(), String> {
    let question = vocabulary.question(case.request);
    let answer = match case.request["query"].as_str() {
        None => Value::from(word(door.authorize(&question)?)),
        Some("list-actions") => Value::from(door.list_actions(&question)?),
        Some("list-resources") => Value::from(door.list_resources(&question)?),
        Some("who-can") => Value::from(door.list_subjects(&question)?),
        Some(other) => return Err(format!("`{other}` is no query")),
    };
    if answer == *case.expect { Ok(()) } else { Err(format!("answered {answer}, wanted {}", case.expect)) }
}

fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allow",
        Decision::Deny => "deny",
    }
}
