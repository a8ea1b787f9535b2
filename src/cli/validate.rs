//! `sidegate validate`: everything that is wrong with a policy and its facts, at once.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::document::{Report, build};
use crate::model::Severity;
use crate::snapshot::{MAX_SOURCE_BYTES, read};

use super::Exit;
use super::output::{count, fail, say, say_json};
use super::snapshot::hex;

/// What to validate.
#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// A file or a directory
    path: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Validates: exit 0 if the snapshot would be applied.
pub(super) fn validate(arguments: &ValidateArguments) -> Exit {
    let sources = match read(&arguments.path, MAX_SOURCE_BYTES) {
        Ok(sources) => sources,
        Err(problem) => return unreadable(arguments, &problem.to_string()),
    };
    match build(sources) {
        Ok(built) => {
            let counts = built.index.counts();
            let digest = hex(built.index.digest());
            if arguments.json {
                say_json(&json!({
                    "valid": true,
                    "digest": digest,
                    "sequence": built.publication.sequence,
                    "bytes": built.index.bytes().len(),
                    "counts": {
                        "types": counts.types, "roles": counts.roles, "subjects": counts.subjects,
                        "resources": counts.resources, "bindings": counts.bindings, "forbids": counts.forbids,
                    },
                    "findings": findings(&built.warnings),
                }));
                return Exit::Yes;
            }
            if !built.warnings.diagnostics.is_empty() {
                say(&built.warnings.to_string());
            }
            let told = [
                (counts.types, "type"),
                (counts.roles, "role"),
                (counts.subjects, "subject"),
                (counts.resources, "resource"),
                (counts.bindings, "binding"),
                (counts.forbids, "forbid"),
            ];
            say(&format!("valid: {}", told.map(|(number, noun)| count(number, noun)).join(", ")));
            say(&format!("digest {digest}"));
            Exit::Yes
        }
        Err(report) if arguments.json => {
            say_json(&json!({"valid": false, "findings": findings(&report)}));
            Exit::BadPolicy
        }
        Err(report) => {
            say(&report.to_string());
            let errors = report.diagnostics.iter().filter(|finding| finding.severity == Severity::Error).count();
            fail(Exit::BadPolicy, &format!("{} in {}", count(errors, "error"), arguments.path.display()))
        }
    }
}

/// A source that cannot be read at all is one finding without a place.
fn unreadable(arguments: &ValidateArguments, problem: &str) -> Exit {
    if arguments.json {
        let file = arguments.path.display().to_string();
        let finding = json!({
            "severity": "error", "file": file, "line": 0, "column": 0, "message": problem, "help": null,
        });
        say_json(&json!({"valid": false, "findings": [finding]}));
    }
    fail(Exit::BadPolicy, problem)
}

fn findings(report: &Report) -> Vec<Json> {
    let file = |source: u32| {
        usize::try_from(source).ok().and_then(|at| report.sources.get(at)).map_or("", |source| source.name.as_str())
    };
    let one = |finding: &crate::model::Diagnostic| {
        json!({
            "severity": if finding.severity == Severity::Error { "error" } else { "warning" },
            "file": file(finding.at.source.0),
            "line": finding.at.line,
            "column": finding.at.column,
            "message": finding.message,
            "help": finding.help,
        })
    };
    report.diagnostics.iter().map(one).collect()
}
