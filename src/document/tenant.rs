//! Compiling a whole source, or one tenant's slice of its facts.

use crate::compile::{Compiled, UnknownTenant, compile, slice};
use crate::model::{Diagnostic, EntityName, Facts, Policy, Position, SourceId};

/// Compiles a policy with the slice of a tenant, or with all of its facts.
pub(super) fn compile_part(
    policy: &Policy,
    facts: &Facts,
    tenant: Option<&EntityName>,
) -> Result<Compiled, Vec<Diagnostic>> {
    let Some(tenant) = tenant else { return compile(policy, facts) };
    let facts = slice(policy, facts, tenant).map_err(|unknown| vec![no_tenant(&unknown)])?;
    compile(policy, &facts)
}

/// Which tenants there are, at most a few.
fn no_tenant(unknown: &UnknownTenant) -> Diagnostic {
    const SHOWN: usize = 5;
    let shown: Vec<String> = unknown.known.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let help = match (shown.is_empty(), unknown.known.len().saturating_sub(SHOWN)) {
        (true, _) => "there are none".to_owned(),
        (false, 0) => format!("the tenants are {}", shown.join(", ")),
        (false, more) => format!("the tenants are {} and {more} more", shown.join(", ")),
    };
    // It stands in no file: it was asked for.
    let nowhere = Position { source: SourceId(u32::MAX), ..Position::default() };
    Diagnostic::error(nowhere, unknown.to_string()).help(help)
}
