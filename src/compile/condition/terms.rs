//! Structured terms of a tenant's role: data, never expression text. They lower to the same programs as conditions.

use crate::compile::findings::Findings;
use crate::compile::layout::Operation;
use crate::model::{Literal, Spanned, Term as ModelTerm, TermOperator};

use super::parse::{Operand, Step, Term};
use super::{Conditions, Lowering, Mistake, lower};

/// Who carries the terms, for errors: role, type and the condition's scope.
pub(in crate::compile) struct TermOwner<'a> {
    /// `role custom/x on bot`.
    pub(in crate::compile) name: &'a str,
    /// What attributes may be read: `resource`, `subject`, `context`.
    pub(in crate::compile) roots: &'a [Spanned<String>],
}

/// The programs of some terms, all of which must hold, for the permissions they guard; `None` if a term is wrong.
pub(in crate::compile) fn condition_of_terms(
    terms: &[&ModelTerm],
    owner: &TermOwner<'_>,
    permissions: &[u32],
    lowering: &mut Lowering<'_, '_>,
    conditions: &mut Conditions,
    findings: &mut Findings,
) -> Option<Vec<u32>> {
    let mut steps = Vec::new();
    let mut texts = Vec::new();
    for term in terms {
        let (step, text) = step_of(term, owner, findings)?;
        // Each term is checked alone first, so that a mistake is reported where that term stands.
        for permission in permissions {
            if let Err(mistake) = lower::lower(std::slice::from_ref(&step), *permission, lowering) {
                report(mistake, term, owner, findings);
                return None;
            }
        }
        steps.push(step);
        texts.push(text);
        if texts.len() > 1 {
            steps.push(join());
        }
    }
    let text = lowering.strings.intern(&texts.join(" && "));
    let mut programs = Vec::with_capacity(permissions.len());
    for permission in permissions {
        programs.push(conditions.intern(lower::lower(&steps, *permission, lowering).ok()?, text));
    }
    Some(programs)
}

fn join() -> Step {
    Step { operation: Operation::And, left: None, right: None, offset: 0, length: 0 }
}

fn report(mistake: Mistake, term: &ModelTerm, owner: &TermOwner<'_>, findings: &mut Findings) {
    let message = format!("{}: condition on `{}`: {}", owner.name, term.attribute.value, mistake.message);
    match mistake.help {
        Some(help) => findings.error_with_help(term.attribute.at, message, help),
        None => findings.error(term.attribute.at, message),
    }
}

/// One comparison, and how it reads.
fn step_of(term: &ModelTerm, owner: &TermOwner<'_>, findings: &mut Findings) -> Option<(Step, String)> {
    let attribute = &term.attribute;
    let mut complain = |message: &str, help: &str| {
        findings.error_with_help(
            attribute.at,
            format!("{}: condition on `{}` {message}", owner.name, attribute.value),
            help,
        );
        None
    };
    let [(_, operator)] = term.operators.as_slice() else {
        let message = if term.operators.is_empty() { "compares with nothing" } else { "has several comparisons" };
        return complain(message, "give it exactly one of eq, ne, in or eq_attr");
    };
    let root = attribute.value.split('.').next().unwrap_or("");
    if !owner.roots.iter().any(|allowed| allowed.value == root) {
        return complain(
            "reads what the template does not let it read",
            "the template's `conditions: {attributes_of: [...]}` lists what may be read",
        );
    }
    let left = path(&attribute.value);
    let (operation, right, text) = match operator {
        TermOperator::Eq(value) => {
            (Operation::Equal, literal(value), format!("{} == {}", attribute.value, show(value)))
        }
        TermOperator::Ne(value) => {
            (Operation::NotEqual, literal(value), format!("{} != {}", attribute.value, show(value)))
        }
        TermOperator::In(values) => {
            let items = values.iter().map(literal).collect();
            let shown: Vec<String> = values.iter().map(show).collect();
            (Operation::In, operand(Term::List(items)), format!("{} in [{}]", attribute.value, shown.join(", ")))
        }
        TermOperator::EqAttribute(other) => {
            let root = other.value.split('.').next().unwrap_or("");
            if !owner.roots.iter().any(|allowed| allowed.value == root) {
                return complain(
                    "compares with what the template does not let it read",
                    "the template's `conditions: {attributes_of: [...]}` lists what may be read",
                );
            }
            (Operation::Equal, path(&other.value), format!("{} == {}", attribute.value, other.value))
        }
    };
    let nested = matches!(operator, TermOperator::Eq(value) | TermOperator::Ne(value) if matches!(value.value, Literal::List(_) | Literal::Null));
    if nested {
        return complain("compares with a list or with null", "use `in` for one of several values");
    }
    Some((Step { operation, left: Some(left), right: Some(right), offset: 0, length: 0 }, text))
}

fn path(text: &str) -> Operand {
    operand(Term::Path(text.split('.').map(str::to_owned).collect()))
}

fn literal(value: &Spanned<Literal>) -> Operand {
    operand(match &value.value {
        Literal::Null => Term::List(Vec::new()),
        Literal::Bool(flag) => Term::Bool(*flag),
        Literal::Int(int) => Term::Int(*int),
        Literal::String(text) => Term::Plain(text.clone()),
        Literal::List(items) => Term::List(items.iter().map(literal).collect()),
    })
}

fn operand(term: Term) -> Operand {
    Operand { offset: 0, length: 0, size: false, term }
}

fn show(value: &Spanned<Literal>) -> String {
    match &value.value {
        Literal::Null => "null".to_owned(),
        Literal::Bool(flag) => flag.to_string(),
        Literal::Int(int) => int.to_string(),
        Literal::String(text) => format!("\"{}\"", text.escape_debug()),
        Literal::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
    }
}
