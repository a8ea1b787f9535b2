//! Runs the studios' cases against their packs, through every door.
//!
//! `SIDEGATE_CASES=DIR cargo test studio_cases -- --nocapture` runs another directory of the same form.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use serde_json::Value;
use sidegate::model::Decision;

use crate::support::cases::{self, Case, CaseFile};
use crate::support::daemon::{self, Door};
use crate::support::pack::Pack;
use crate::support::translate;
use crate::support::vocabulary::Vocabulary;

#[test]
fn studio_cases() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let directories =
        env::var_os("SIDEGATE_CASES").map_or_else(|| vec![own.clone(), own.join("readings")], |one| vec![one.into()]);
    let mut failed = 0;
    for directory in directories {
        let files = cases::read_directory(&directory);
        assert!(!files.is_empty(), "no case file in {}", directory.display());
        failed += files.iter().map(run_file).sum::<usize>();
    }
    assert_eq!(failed, 0, "cases failed: see above");
}

/// Runs one file through every door, prints a line for each and returns how many failures there are.
fn run_file(file: &CaseFile) -> usize {
    let run = |mut door: Box<dyn Door>| run_door(file, door.as_mut());
    daemon::doors().into_iter().map(run).sum()
}

fn run_door(file: &CaseFile, door: &mut dyn Door) -> usize {
    let (mut passed, mut failures) = (0, Vec::new());
    let (entity_types, mut packs) = (file.entity_types(), BTreeMap::new());
    for case in file.cases() {
        let read = || Pack::read(&daemon::packs().join(case.product));
        let pack = packs.entry(case.product).or_insert_with(read);
        match ask(&case, pack, &entity_types, door) {
            Ok(()) => passed += 1,
            Err(why) => failures.push(format!("  {}: {why}", case.id)),
        }
    }
    println!("{}: {}: {passed} passed, {} failed", file.name, door.name(), failures.len());
    for failure in &failures {
        println!("{failure}");
    }
    failures.len()
}

/// Takes a case through one door.
fn ask(case: &Case<'_>, pack: &Pack, entity_types: &[&str], door: &mut dyn Door) -> Result<(), String> {
    let invalid = case.expect.as_str() == Some("invalid");
    let mut live = &case.first;
    let mut loaded = door.load(&pack.directory, &translate::facts(&case.first, pack));
    if let Some((second, accepted)) = &case.second {
        loaded.map_err(|error| format!("the first snapshot was refused: {error}"))?;
        loaded = door.reload(&pack.directory, &translate::facts(second, pack));
        if !invalid && loaded.is_ok() != *accepted {
            return Err(format!("the reload gave {loaded:?}, wanted accepted: {accepted}"));
        }
        if !invalid && !*accepted {
            loaded = Ok(());
        } else {
            live = second;
        }
    }
    match (loaded, invalid) {
        (Ok(()), true) => Err("was accepted, wanted invalid".to_owned()),
        (Err(error), true) => names_all(&error, &case.error_names),
        (Err(error), false) => Err(format!("was refused: {error}")),
        (Ok(()), false) => answer(case, &Vocabulary { entity_types, pack, facts: live }, door),
    }
}

fn names_all(error: &str, names: &[&str]) -> Result<(), String> {
    let missing: Vec<_> = names.iter().filter(|name| !error.contains(**name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("the error does not name {missing:?}: {error}")) }
}

fn answer(case: &Case<'_>, vocabulary: &Vocabulary<'_>, door: &mut dyn Door) -> Result<(), String> {
    let question = || vocabulary.question(case.request);
    let answer = match case.request["query"].as_str() {
        None => Value::from(word(door.authorize(&question())?)),
        Some("list-actions") => Value::from(door.list_actions(&question())?),
        Some("list-resources") => Value::from(door.list_resources(&question())?),
        Some("who-can") => Value::from(door.list_subjects(&question())?),
        Some("seats") => {
            let class = vocabulary.pack.seat_class().ok_or("the policy has not one class of seats")?;
            Value::from(door.count_seats(class, &Vocabulary::scope(case.request))?)
        }
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
