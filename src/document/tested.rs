//! A policy with the tests that stand beside it, and the snapshot of each test. Asking it is for [`crate::cases`].

use super::gather::Gathered;
use super::{Report, Source, open, read_all, yaml};
use crate::compile::compile;
use crate::index::{self, Index};
use crate::model::{Case, Diagnostic, Facts, Policy, SourceId};

/// A policy and facts with the tests that stand beside them.
#[derive(Debug)]
pub struct Tested {
    policy: Policy,
    facts: Facts,
    cases: Vec<Case>,
    sources: Vec<Source>,
}

impl Tested {
    /// Parses and compiles: all errors together, or what can be tested.
    pub fn read(sources: Vec<Source>) -> Result<Self, Report> {
        if sources.iter().any(|source| index::file::is_compiled(&source.bytes)) {
            let help = "test the policy that it was compiled from";
            let none = Diagnostic::error(yaml::whole(SourceId(0)), "a compiled file holds no tests").help(help);
            return Err(Report::new(vec![none], sources));
        }
        let read = read_all(&sources, Gathered::default(), None).and_then(|(policy, facts, cases)| {
            compile(&policy, &facts)?;
            Ok((policy, facts, cases))
        });
        match read {
            Ok((policy, facts, cases)) => Ok(Self { policy, facts, cases, sources }),
            Err(diagnostics) => Err(Report::new(diagnostics, sources)),
        }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The tests, in the order in which they are written.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The file and line of a test.
    pub fn place(&self, case: &Case) -> (&str, u32) {
        let at = case.name.at;
        let source = usize::try_from(at.source.0).ok().and_then(|number| self.sources.get(number));
        (source.map_or("", |source| source.name.as_str()), at.line)
    }

    /// The snapshot that a test is asked of: the facts with what it gives on top. All errors together, or an index.
    pub fn build(&self, case: &Case) -> Result<Index, Report> {
        let built = open(&self.policy, &self.facts.with(&case.given));
        built.map(|(index, ..)| index).map_err(|diagnostics| Report::new(diagnostics, self.sources.clone()))
    }
}
