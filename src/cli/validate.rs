//! `sidegate validate`: everything that is wrong with a policy and its facts, at once.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::document::{Report, build_tenant};
use crate::model::{EntityName, Severity};
use crate::snapshot::{MAX_SOURCE_BYTES, read};

use super::Exit;
use super::output::{count, fail, say, say_json};
use super::snapshot::{build, hex};

/// What to validate.
#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// A file or a directory
    path: PathBuf,
    /// Check only this root resource's slice of the facts (TYPE/ID), with the policy
    #[arg(long, value_name = "TYPE/ID", value_parser = tenant)]
    tenant: Option<EntityName>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Validates: exit 0 if the snapshot would be applied.
pub(super) fn validate(arguments: &ValidateArguments) -> Exit {
    let built = match &arguments.tenant {
        None => build(&arguments.path),
        Some(tenant) => read(&arguments.path, MAX_SOURCE_BYTES).map(|sources| build_tenant(sources, tenant)),
    };
    let built = match built {
        Ok(built) => built,
        Err(problem) => return unreadable(arguments, &problem.to_string()),
    };
    match built {
        Ok(built) => {
            let counts = built.index.counts();
            // A slice is never served: its digest would be taken for the snapshot's.
            let digest = arguments.tenant.is_none().then(|| hex(built.index.digest()));
            if arguments.json {
                say_json(&json!({
                    "valid": true,
                    "tenant": arguments.tenant.as_ref().map(ToString::to_string),
                    "digest": digest,
                    "sequence": built.publication.sequence,
                    "bytes": digest.is_some().then_some(built.index.bytes().len()),
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
            let of = arguments.tenant.as_ref().map_or_else(String::new, |tenant| format!(" for tenant {tenant}"));
            say(&format!("valid{of}: {}", told.map(|(number, noun)| count(number, noun)).join(", ")));
            if let Some(digest) = digest {
                say(&format!("digest {digest}"));
            }
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

fn tenant(text: &str) -> Result<EntityName, String> {
    EntityName::parse(text).ok_or_else(|| "a tenant is written TYPE/ID".to_owned())
}

/// A source that cannot be read at all is one finding without a place.
fn unreadable(arguments: &ValidateArguments, problem: &str) -> Exit {
    if arguments.json {
        let file = arguments.path.display().to_string();
        let finding = json!({
            "severity": "error", "file": file, "line": 0, "column": 0, "message": problem, "help": null, "tenant": null,
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
            "tenant": finding.tenant,
        })
    };
    report.diagnostics.iter().map(one).collect()
}
