//! Steps → instructions: every operand resolved to a slot, every comparison checked against the schema.

use crate::compile::layout::{InstructionRecord, OperandKind, OperandRecord, Operation, SUBJECT_TYPES, ValueKind};
use crate::compile::schema::{AttributeInfo, Kind, ParameterType, PermissionInfo, Schema, TypeSort};
use crate::compile::values::{Reading, describe, value};
use crate::model::{Literal, Position, Spanned};

use super::parse::{Operand, Step, Term};
use super::{Lowering, Mistake};

/// An operand whose source and type are known, or a literal whose type the other side decides.
enum Resolved<'p> {
    Slot { record: OperandRecord, kind: Kind<'p> },
    Literal,
}

/// Checks and lowers a condition for one permission.
pub(super) fn lower(
    steps: &[Step],
    permission: u32,
    lowering: &mut Lowering<'_, '_>,
) -> Result<Vec<InstructionRecord>, Mistake> {
    let schema = lowering.schema;
    let Some(info) = schema.permission_info(permission) else { return Ok(Vec::new()) };
    steps.iter().map(|step| instruction(step, info, lowering)).collect()
}

/// Operands of a condition that may be absent when it is evaluated, as their author wrote them.
pub(super) fn absent_operands(steps: &[Step], permission: u32, schema: &Schema<'_>) -> Vec<String> {
    let Some(info) = schema.permission_info(permission) else { return Vec::new() };
    // `has(x) && …` is how an author says that absence is meant.
    let asked: Vec<&Term> = steps
        .iter()
        .filter(|s| s.operation == Operation::Has)
        .filter_map(|s| s.left.as_ref())
        .map(|o| &o.term)
        .collect();
    let operands = || steps.iter().flat_map(|step| step.left.iter().chain(&step.right));
    // `has(credential.x)` is unknown where no credential asks: only `request.by_credential` says whether one does.
    let keyed = operands().any(|operand| is_path(operand, &["request", "by_credential"]));
    let absent = operands().filter(|operand| {
        let unkeyed = !keyed
            && matches!(&operand.term, Term::Path(names) if names.first().is_some_and(|root| root == "credential"));
        unkeyed || (!asked.contains(&&operand.term) && may_be_absent(operand, info, schema))
    });
    absent
        .filter_map(|operand| match &operand.term {
            Term::Path(names) => Some(names.join(".")),
            _ => None,
        })
        .collect()
}

fn is_path(operand: &Operand, path: &[&str]) -> bool {
    matches!(&operand.term, Term::Path(names) if names == path)
}

fn may_be_absent(operand: &Operand, info: &PermissionInfo<'_>, schema: &Schema<'_>) -> bool {
    let Term::Path(names) = &operand.term else { return false };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match attribute_of(&names, info, schema) {
        Some(Ok((attribute, _))) => schema.attribute_info(attribute).is_some_and(|a| a.declared.default.is_none()),
        Some(Err(())) | None => names.first() == Some(&"param"),
    }
}

fn instruction(
    step: &Step,
    info: &PermissionInfo<'_>,
    lowering: &mut Lowering<'_, '_>,
) -> Result<InstructionRecord, Mistake> {
    let (left, right) = match (&step.left, &step.right) {
        (None, _) => (nothing(), nothing()),
        (Some(left), None) => (single(step.operation, left, info, lowering)?, nothing()),
        (Some(left), Some(right)) => pair(step, left, right, info, lowering)?,
    };
    Ok(InstructionRecord { operation: step.operation as u8, reserved: [0; 3], left, right })
}

/// The operand of `has(x)`, or a bool standing alone.
fn single(
    operation: Operation,
    operand: &Operand,
    info: &PermissionInfo<'_>,
    lowering: &mut Lowering<'_, '_>,
) -> Result<OperandRecord, Mistake> {
    let place = |message: String| Mistake::new(operand.offset, operand.length, message);
    match (operation, resolve(operand, info, lowering.schema)?) {
        (Operation::Has, Resolved::Slot { record, .. }) if !operand.size && is_attribute(record) => Ok(record),
        (Operation::Has, _) => Err(place("`has` asks for an attribute, a context key or a parameter".to_owned())),
        (_, Resolved::Slot { record, kind: Kind::Bool }) => Ok(record),
        (_, Resolved::Slot { kind, .. }) => {
            let what = describe(lowering.schema, &kind);
            Err(place(format!("this is {what}, not a condition")).help("compare it with a value"))
        }
        (_, Resolved::Literal) => match operand.term {
            Term::Bool(flag) => Ok(literal_operand(lowering, value(ValueKind::Bool, 0, i64::from(flag)))),
            _ => Err(place("a value alone is no condition".to_owned()).help("compare it with something")),
        },
    }
}

/// The two operands of a comparison.
fn pair(
    step: &Step,
    left: &Operand,
    right: &Operand,
    info: &PermissionInfo<'_>,
    lowering: &mut Lowering<'_, '_>,
) -> Result<(OperandRecord, OperandRecord), Mistake> {
    let schema = lowering.schema;
    let (left_side, right_side) = (resolve(left, info, schema)?, resolve(right, info, schema)?);
    let mismatch = |a: &Kind<'_>, b: &Kind<'_>| {
        let message = format!("{} cannot be compared with {} this way", describe(schema, a), describe(schema, b));
        Mistake::new(step.offset, step.length, message)
    };
    match (left_side, right_side) {
        (Resolved::Slot { record: a, kind: left_kind }, Resolved::Slot { record: b, kind: right_kind }) => {
            let wanted = wanted_right(step, &left_kind, schema)?;
            if fits(schema, &wanted, &right_kind) { Ok((a, b)) } else { Err(mismatch(&left_kind, &right_kind)) }
        }
        (Resolved::Slot { record, kind }, Resolved::Literal) => {
            let wanted = wanted_right(step, &kind, schema)?;
            Ok((record, typed(right, &wanted, lowering)?))
        }
        (Resolved::Literal, Resolved::Slot { record, kind }) => {
            let wanted = wanted_left(step, &kind, schema)?;
            Ok((typed(left, &wanted, lowering)?, record))
        }
        (Resolved::Literal, Resolved::Literal) => {
            Err(Mistake::new(step.offset, step.length, "both sides are literals: the condition never changes"))
        }
    }
}

/// The type that the right side must have, given the left side's.
fn wanted_right<'p>(step: &Step, left: &Kind<'p>, schema: &Schema<'_>) -> Result<Kind<'p>, Mistake> {
    let refuse = |why: &str| Err(Mistake::new(step.offset, step.length, format!("{} {why}", describe(schema, left))));
    match (step.operation, left) {
        (Operation::In, Kind::List(_)) => refuse("cannot be an item of a list"),
        (Operation::In, item) => Ok(Kind::List(Box::new(item.clone()))),
        (Operation::Contains, Kind::List(_)) => refuse("is asked with `in`: write `x in list`"),
        (Operation::StartsWith | Operation::EndsWith | Operation::Contains, Kind::String | Kind::Enum(_)) => {
            Ok(Kind::String)
        }
        (Operation::StartsWith | Operation::EndsWith | Operation::Contains, _) => refuse("has no such method"),
        (
            Operation::Less | Operation::LessOrEqual | Operation::Greater | Operation::GreaterOrEqual,
            Kind::Int | Kind::String | Kind::Timestamp,
        ) => Ok(left.clone()),
        (Operation::Less | Operation::LessOrEqual | Operation::Greater | Operation::GreaterOrEqual, _) => {
            refuse("has no order")
        }
        (_, Kind::List(_)) => refuse("is compared with `in` or `contains`"),
        (_, kind) => Ok(kind.clone()),
    }
}

/// The type that the left side must have, given the right side's.
fn wanted_left<'p>(step: &Step, right: &Kind<'p>, schema: &Schema<'_>) -> Result<Kind<'p>, Mistake> {
    match (step.operation, right) {
        (Operation::In, Kind::List(item)) => Ok((**item).clone()),
        (Operation::In, _) => {
            Err(Mistake::new(step.offset, step.length, format!("{} is no list", describe(schema, right))))
        }
        (Operation::StartsWith | Operation::EndsWith | Operation::Contains, _) => {
            Err(Mistake::new(step.offset, step.length, "a method belongs to an attribute, not to a literal"))
        }
        _ => wanted_right(step, right, schema),
    }
}

/// Whether a value of type `found` can stand where `wanted` is wanted.
fn fits(schema: &Schema<'_>, wanted: &Kind<'_>, found: &Kind<'_>) -> bool {
    match (wanted, found) {
        (Kind::String | Kind::Enum(_) | Kind::Governor, Kind::String | Kind::Enum(_) | Kind::Governor) => true,
        (Kind::Reference(a), Kind::Reference(b)) => {
            a == b
                || crate::compile::values::refers_to(schema, *a, *b)
                || crate::compile::values::refers_to(schema, *b, *a)
        }
        (Kind::List(a), Kind::List(b)) => fits(schema, a, b),
        (a, b) => a.code() == b.code() && a.code() != ValueKind::Reference,
    }
}

/// A literal, given the type that the other side wants.
fn typed(operand: &Operand, wanted: &Kind<'_>, lowering: &mut Lowering<'_, '_>) -> Result<OperandRecord, Mistake> {
    let place = |message: String| Mistake::new(operand.offset, operand.length, message);
    if operand.size {
        return Err(place("the size of a literal is known: write the number".to_owned()));
    }
    let is_moment = *wanted == Kind::Timestamp;
    if matches!(operand.term, Term::Timestamp(_)) != is_moment
        && matches!(operand.term, Term::Timestamp(_) | Term::Text(_))
    {
        let what = describe(lowering.schema, wanted);
        return Err(
            place(format!("{what} is wanted here")).help("a moment is written timestamp(\"2026-01-31T09:00:00Z\")")
        );
    }
    let reading = Reading {
        schema: lowering.schema,
        entities: lowering.entities,
        strings: lowering.strings,
        literals: lowering.literals,
    };
    match reading.typed(&literal_of(operand), wanted) {
        Ok(Some(value)) => Ok(literal_operand(lowering, value)),
        Ok(None) => Err(place("there is no `null`".to_owned())),
        Err(problem) => Err(place(format!("the value {problem}"))),
    }
}

fn literal_of(operand: &Operand) -> Spanned<Literal> {
    let value = match &operand.term {
        Term::Bool(flag) => Literal::Bool(*flag),
        Term::Int(int) => Literal::Int(*int),
        Term::Text(text) | Term::Plain(text) | Term::Timestamp(text) => Literal::String(text.clone()),
        Term::List(items) => Literal::List(items.iter().map(literal_of).collect()),
        Term::Path(_) => Literal::Null,
    };
    Spanned::new(value, Position::default())
}

fn literal_operand(lowering: &mut Lowering<'_, '_>, value: crate::compile::layout::ValueRecord) -> OperandRecord {
    slot(OperandKind::Literal, 0, lowering.literals.intern(value))
}

/// Where an operand's value comes from, and its type.
fn resolve<'p>(operand: &Operand, info: &PermissionInfo<'p>, schema: &Schema<'p>) -> Result<Resolved<'p>, Mistake> {
    let Term::Path(names) = &operand.term else { return Ok(Resolved::Literal) };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (record, kind) = path(&names, operand, info, schema)?;
    if !operand.size {
        return Ok(Resolved::Slot { record, kind });
    }
    match kind {
        Kind::String | Kind::Enum(_) | Kind::List(_) => {
            Ok(Resolved::Slot { record: OperandRecord { size: 1, ..record }, kind: Kind::Int })
        }
        _ => Err(Mistake::new(operand.offset, operand.length, format!("{} has no size", describe(schema, &kind)))),
    }
}

fn path<'p>(
    names: &[&str],
    operand: &Operand,
    info: &PermissionInfo<'p>,
    schema: &Schema<'p>,
) -> Result<(OperandRecord, Kind<'p>), Mistake> {
    let mistake = |message: String| Mistake::new(operand.offset, operand.length, message);
    match names {
        ["subject"] => return Ok((slot(OperandKind::SubjectItself, 0, 0), Kind::Reference(SUBJECT_TYPES))),
        ["resource"] => return Ok((slot(OperandKind::ResourceItself, 0, 0), Kind::Reference(info.owner))),
        ["request", "time"] => return Ok((slot(OperandKind::RequestTime, 0, 0), Kind::Timestamp)),
        ["request", "by_credential"] => return Ok((slot(OperandKind::ByCredential, 0, 0), Kind::Bool)),
        ["param", name] => {
            return match parameter(name, info) {
                Some((record, ParameterType::Entity(target))) => Ok((record, Kind::Reference(target))),
                Some(_) => Err(mistake(format!("parameter `{name}` names no entity: a condition cannot read it"))
                    .help("`assigns` limits the roles that a rule lets its holder assign")),
                None => Err(mistake(format!("action `{}` has no parameter `{name}`", info.action.name.value))),
            };
        }
        _ => {}
    }
    match attribute_of(names, info, schema) {
        Some(Ok((attribute, record))) => match schema.attribute_info(attribute) {
            Some(AttributeInfo { kind, .. }) => Ok((record, kind.clone())),
            None => Err(mistake("this attribute is not declared".to_owned())),
        },
        Some(Err(())) => Err(unknown_attribute(names, operand, info, schema)),
        None => Err(mistake(format!("`{}` is not something a condition can read", names.join(".")))
            .help("read resource.x, ancestor.<type>.x, subject.x, credential.x, context.x, param.x, subject, resource, request.time or request.by_credential")),
    }
}

/// The attribute that a path names; an inner error where its owner is clear but has no such attribute.
fn attribute_of(
    names: &[&str],
    info: &PermissionInfo<'_>,
    schema: &Schema<'_>,
) -> Option<Result<(u32, OperandRecord), ()>> {
    let found = |number: Option<u32>, kind: OperandKind, ancestor: u16| {
        Some(number.map(|number| (number, slot(kind, ancestor, number))).ok_or(()))
    };
    match names {
        ["resource", name] => found(schema.attribute(info.owner, name), OperandKind::Resource, 0),
        ["subject", name] => found(asker_attribute(name, TypeSort::Subject, schema), OperandKind::Subject, 0),
        ["credential", name] => found(asker_attribute(name, TypeSort::Credential, schema), OperandKind::Credential, 0),
        ["context", name] => found(schema.context_key(name), OperandKind::Context, 0),
        ["ancestor", kind, name] => {
            let above = schema.type_info(info.owner).map(|own| own.ancestors.as_slice()).unwrap_or_default();
            let kind = schema.type_number(kind).filter(|kind| above.contains(kind));
            match kind {
                Some(kind) => found(schema.attribute(kind, name), OperandKind::Ancestor, kind),
                None => Some(Err(())),
            }
        }
        _ => None,
    }
}

/// An attribute of the subject or of the credential. Several types of that sort may declare it, then with one type of
/// value; the slot names the first of them and the evaluation finds the asker's own by name.
fn asker_attribute(name: &str, sort: TypeSort, schema: &Schema<'_>) -> Option<u32> {
    let types = schema.types.iter().zip(0..).filter(|(info, _)| info.sort == sort);
    let mut found = types.filter_map(|(_, number)| schema.attribute(number, name));
    let first = found.next()?;
    let kind = |number| schema.attribute_info(number).map(|info| &info.kind);
    found.all(|other| kind(other) == kind(first)).then_some(first)
}

fn parameter(name: &str, info: &PermissionInfo<'_>) -> Option<(OperandRecord, ParameterType)> {
    let mut declared = info.action.parameters.iter().zip(&info.parameters).zip(0..);
    let ((_, target), number) = declared.find(|((parameter, _), _)| parameter.name.value == name)?;
    Some((slot(OperandKind::Parameter, 0, number), *target))
}

fn unknown_attribute(names: &[&str], operand: &Operand, info: &PermissionInfo<'_>, schema: &Schema<'_>) -> Mistake {
    let path = names.join(".");
    let own = schema.type_name(info.owner);
    let mistake = |message| Mistake::new(operand.offset, operand.length, message);
    let known = |owner: u16| match schema.attribute_names(owner).as_slice() {
        [] => "it declares none".to_owned(),
        known => format!("it declares {}", known.join(", ")),
    };
    match names {
        ["resource", name] => {
            mistake(format!("`{path}`: type `{own}` has no attribute `{name}`")).help(known(info.owner))
        }
        [root @ ("subject" | "credential"), name] => mistake(format!(
            "`{path}`: no {root} type has an attribute `{name}`, or several have it with different types"
        )),
        ["context", name] => {
            mistake(format!("`{path}`: there is no context key `{name}`")).help(known(crate::compile::layout::ANY_TYPE))
        }
        ["ancestor", kind, name] => match schema.type_number(kind) {
            Some(number) if schema.type_info(info.owner).is_some_and(|own| own.ancestors.contains(&number)) => {
                mistake(format!("`{path}`: type `{kind}` has no attribute `{name}`")).help(known(number))
            }
            _ => mistake(format!("`{path}`: a `{own}` never stands under a `{kind}`")),
        },
        _ => mistake(format!("`{path}` is not declared")),
    }
}

fn is_attribute(record: OperandRecord) -> bool {
    let attributes = [
        OperandKind::Resource,
        OperandKind::Ancestor,
        OperandKind::Subject,
        OperandKind::Credential,
        OperandKind::Context,
        OperandKind::Parameter,
    ];
    attributes.iter().any(|kind| *kind as u8 == record.kind)
}

fn slot(kind: OperandKind, ancestor: u16, number: u32) -> OperandRecord {
    OperandRecord { kind: kind as u8, size: 0, ancestor: ancestor.into(), number: number.into() }
}

fn nothing() -> OperandRecord {
    slot(OperandKind::Nothing, 0, 0)
}
