//! `sidegate test`: runs the tests that stand beside a policy, and fails where there are none.

mod junit;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cases::{self, Failure};
use crate::document::Tested;
use crate::snapshot::{MAX_SOURCE_BYTES, read};

use super::Exit;
use super::output::{fail, say};
use junit::Suite;

/// What to test.
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// Each a file or a directory with a policy, its facts and its tests
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Also write the result as XML, in the form that most CI systems show
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A test and how it ended.
struct Ran {
    name: String,
    file: String,
    line: u32,
    failure: Option<Failure>,
}

/// Runs all tests of all sources: exit 0 if every one passed.
pub(super) fn test(arguments: &TestArguments) -> Exit {
    let suites: Vec<_> = arguments.paths.iter().map(|path| (path.display().to_string(), run(path))).collect();
    let exits: Vec<_> = suites.iter().map(|(name, suite)| tell(name, suite)).collect();
    if let Some(file) = &arguments.junit
        && let Err(problem) = fs::write(file, junit::document(&suites))
    {
        return fail(Exit::Runtime, &format!("cannot write {}: {problem}", file.display()));
    }
    // A source that could not be tested outweighs a test that failed: what it holds is not known.
    [Exit::BadPolicy, Exit::No].into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Yes)
}

/// The tests of one source, or why there are none.
fn run(path: &Path) -> Suite {
    let sources = read(path, MAX_SOURCE_BYTES).map_err(|problem| problem.to_string())?;
    let tested = Tested::read(sources).map_err(|report| format!("it is wrong\n\n{report}"))?;
    if tested.cases().is_empty() {
        return Err("it holds no tests: write a section `tests`".to_owned());
    }
    let ran = |outcome: cases::Outcome<'_>| {
        let (file, line) = tested.place(outcome.case);
        Ran { name: outcome.case.name.value.clone(), file: file.to_owned(), line, failure: outcome.failure }
    };
    Ok(cases::run(&tested).into_iter().map(ran).collect())
}

/// One line for each test that failed, and one for the source.
fn tell(name: &str, suite: &Suite) -> Exit {
    let tests = match suite {
        Ok(tests) => tests,
        Err(problem) => return fail(Exit::BadPolicy, &format!("{name} cannot be tested: {problem}")),
    };
    let mut failed = 0;
    for Ran { name, file, line, failure } in tests {
        let Some(Failure { wanted, got }) = failure else { continue };
        failed += 1;
        say(&format!("{file}:{line}: `{name}`: wanted {wanted}, got {got}"));
    }
    say(&format!("{name}: {} passed, {failed} failed", tests.len().saturating_sub(failed)));
    if failed == 0 { Exit::Yes } else { Exit::No }
}
