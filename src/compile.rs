//! Policy and facts → flat tables. Every mistake is found here, all of them together; what comes out can be decided on
//! without a further check of meaning.
//!
//! It may allocate and take its time. It reads no file and knows no file format, and it never decides: the only rule
//! about who wins stands in [`crate::decide`].

mod canonical;
mod condition;
mod confusable;
mod credentials;
mod eligible;
mod entities;
mod findings;
mod forbids;
mod groups;
mod holdings;
mod http;
mod intern;
pub mod layout;
mod limits;
mod purviews;
mod requirements;
mod roles;
mod schema;
mod seats;
mod sets;
mod slice;
mod slots;
mod superuser;
mod templates;
mod tenants;
mod values;
mod write;

use crate::model::{Diagnostic, Facts, Policy};

use condition::Conditions;
use credentials::Credentials;
use eligible::Known;
use entities::Entities;
use findings::Findings;
use forbids::Forbids;
use groups::{BuiltIn, Memberships};
use holdings::{Holdings, Stage};
use intern::Runs;
use requirements::Requirements;
use roles::Roles;
use schema::Schema;
use sets::PermissionSets;
use tenants::mark;
use values::Literals;
use write::Tables;

pub use slice::{UnknownTenant, slice};

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
    let mut compiled = compile_all(&canonical::policy(policy), facts);
    match &mut compiled {
        Ok(Compiled { warnings, .. }) => mark(warnings, policy, facts),
        Err(findings) => mark(findings, policy, facts),
    }
    compiled
}

fn compile_all(policy: &Policy, facts: &Facts) -> Result<Compiled, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let built_in = BuiltIn::used(policy, facts);
    let schema = Schema::resolve(policy, &built_in.types, &mut findings);
    findings.stop_on_error()?;
    let mut tables = Tables::default();
    let entities = Entities::resolve(&schema, facts, &built_in, &mut findings);
    confusable::warn(&schema, &entities, &mut findings);
    let mut memberships = Memberships::resolve(policy, facts, &schema, &entities, &mut findings);
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
    let credentials = Credentials::resolve(policy, facts, &mut lowering, (&attributes, &defaults), &mut findings);
    let known = Known { attributes: &attributes, defaults: &defaults, literals: &literals };
    let requirements = Requirements::resolve(policy, &schema, &roles, &mut findings);
    let stage =
        Stage { schema: &schema, entities: &entities, roles: &roles, requirements: &requirements, known: &known };
    let mut sets = PermissionSets::new(schema.permissions.len());
    let holdings = Holdings::resolve(&stage, facts, &mut memberships, &mut sets, &mut findings);
    let seats = seats::resolve(policy, &schema, &roles, &mut findings);
    let http = http::resolve(policy, &schema, &mut findings);
    let warnings = findings.finish()?;
    let mut lists = Runs::default();
    tables.write_schema(&schema, &literals, &defaults, policy.strict_properties);
    tables.write_conditions(&conditions);
    tables.write_roles(&roles, &requirements, &mut lists);
    tables.write_forbids(&forbids, schema.permissions.len(), &mut sets);
    tables.write_entities(&entities, &attributes, &memberships, &holdings, &forbids.terms);
    drop(holdings);
    tables.write_credentials(&credentials, &mut sets);
    tables.write_sets(&sets);
    tables.write_seats(&seats, &mut lists);
    tables.write_lists(&lists);
    tables.write_http(&http);
    match tables.finish() {
        Ok(bytes) => Ok(Compiled { bytes, warnings }),
        Err(problem) => Err(vec![Diagnostic::error(crate::model::Position::default(), problem)]),
    }
}
