//! Policy and facts → flat tables. Every mistake is found here, all of them together; what comes out can be decided on
//! without a further check of meaning.
//!
//! It may allocate and take its time. It reads no file and knows no file format, and it never decides: the only rule
//! about who wins stands in [`crate::decide`].

mod condition;
mod confusable;
mod entities;
mod findings;
mod forbids;
mod holdings;
mod intern;
pub mod layout;
mod limits;
mod roles;
mod schema;
mod slots;
mod templates;
mod values;
mod write;

use crate::model::{Diagnostic, Facts, Policy};

use condition::Conditions;
use entities::Entities;
use findings::Findings;
use forbids::Forbids;
use holdings::Holdings;
use roles::Roles;
use schema::Schema;
use values::Literals;
use write::Tables;

/// A policy and its facts, ready to be opened as an index.
#[derive(Debug)]
pub struct Compiled {
    /// The index's bytes: the same input always gives the same bytes, in whatever order it was written.
    pub bytes: Vec<u8>,
    /// Findings that do not stop the snapshot.
    pub warnings: Vec<Diagnostic>,
}

/// Gives a policy and its facts their meaning.
///
/// # Errors
/// Every error of the policy and the facts, in the order of their places, together with the warnings. A mistake in the
/// vocabulary hides mistakes that can only be seen through it.
pub fn compile(policy: &Policy, facts: &Facts) -> Result<Compiled, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let schema = Schema::resolve(policy, &mut findings);
    findings.stop_on_error()?;
    let mut tables = Tables::default();
    let entities = Entities::resolve(&schema, facts, &mut findings);
    confusable::warn(&schema, &entities, &mut findings);
    let mut literals = Literals::default();
    let attributes = entities.attribute_values(&schema, &mut literals, &mut tables.strings, &mut findings);
    let defaults = literals.defaults(&schema, &entities, &mut tables.strings, &mut findings);
    let mut conditions = Conditions::default();
    let mut lowering = condition::Lowering {
        schema: &schema,
        entities: &entities,
        literals: &mut literals,
        strings: &mut tables.strings,
    };
    let roles = Roles::resolve(policy, facts, &mut lowering, &mut conditions, &mut findings);
    let forbids = Forbids::resolve(policy, facts, &mut lowering, &mut conditions, &mut findings);
    let holdings = Holdings::resolve(&schema, &entities, &roles, policy, facts, &mut findings);
    let warnings = findings.finish()?;
    tables.write_schema(&schema, &literals, &defaults, policy.strict_properties);
    tables.write_conditions(&conditions);
    tables.write_roles(&roles);
    tables.write_forbids(&forbids, schema.permissions.len());
    tables.write_entities(&entities, &attributes, &holdings, &forbids.terms);
    match tables.finish() {
        Ok(bytes) => Ok(Compiled { bytes, warnings }),
        Err(problem) => Err(vec![Diagnostic::error(crate::model::Position::default(), problem)]),
    }
}
