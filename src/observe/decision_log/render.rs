//! A record as a line of JSON. Looks numbers up in the snapshot that they belong to.

use std::fmt::{self, Write};

use super::{
    Mode, Settings, json,
    property::{Known, may_be_written},
    record::{Record, Text, What, Who},
};
use crate::{
    compile::layout::{EntityRecord, PermissionRecord},
    index::{Corrupt, Index},
    model::{Decision, Entity, Timestamp},
    snapshot::Snapshot,
};

/// Appends the line of a record. `missing` is how many were dropped since the line before.
pub(super) fn line(out: &mut String, record: &Record, settings: &Settings, missing: u64) -> fmt::Result {
    let index = &record.snapshot.index;
    write!(out, "{{\"evaluated_at\":\"{}\"", record.time)?;
    verdict(out, record)?;
    let mut cut = Vec::new();
    out.write_str(",\"subject\":")?;
    who(out, record, record.subject, ("subject.type", "subject.id"), &mut cut)?;
    out.write_str(",\"action\":")?;
    match record.action {
        What::Held(permission) => json::quote(out, index.action_name(permission).unwrap_or_default())?,
        What::Said(name) => said(out, record, name, "action", &mut cut)?,
    }
    out.write_str(",\"resource\":")?;
    who(out, record, record.resource, ("resource.type", "resource.id"), &mut cut)?;
    properties(out, record, settings)?;
    snapshot(out, &record.snapshot, record.time)?;
    write!(out, ",\"door\":\"{}\"", record.origin.door.name())?;
    if !record.text(record.request_id).is_empty() {
        out.write_str(",\"request_id\":")?;
        said(out, record, record.request_id, "request_id", &mut cut)?;
    }
    if let Some(trace) = record.origin.trace {
        write!(out, ",\"trace_id\":\"{}\",\"span_id\":\"{}\"", trace.trace_id(), trace.span_id())?;
    }
    if let [first, rest @ ..] = cut.as_slice() {
        write!(out, ",\"truncated\":[\"{first}\"")?;
        rest.iter().try_for_each(|field| write!(out, ",\"{field}\""))?;
        out.write_char(']')?;
    }
    if settings.mode == Mode::Sampled {
        write!(out, ",\"one_in\":{}", settings.one_in)?;
    }
    if missing > 0 {
        write!(out, ",\"dropped\":{missing}")?;
    }
    out.write_str("}\n")
}

fn verdict(out: &mut String, record: &Record) -> fmt::Result {
    let decision = match record.verdict.decision {
        Decision::Allow => "ALLOW",
        Decision::Deny => "DENY",
    };
    write!(out, ",\"decision\":\"{decision}\",\"reason\":\"{}\"", record.verdict.reason)?;
    if let Some(rule) = record.snapshot.index.rule_id(record.verdict.because) {
        out.write_str(",\"rule_id\":")?;
        json::quote(out, &rule)?;
    }
    write!(out, ",\"undetermined\":{}", record.verdict.undetermined)
}

fn who(
    out: &mut String,
    record: &Record,
    who: Who,
    (kind_field, id_field): (&'static str, &'static str),
    cut: &mut Vec<&'static str>,
) -> fmt::Result {
    match who {
        Who::Held(number) => {
            let named = named(&record.snapshot.index, number);
            json::entity(out, named.unwrap_or(Entity { kind: "", id: "" }))
        }
        Who::Said { kind, id } => {
            out.write_str("{\"type\":")?;
            said(out, record, kind, kind_field, cut)?;
            out.write_str(",\"id\":")?;
            said(out, record, id, id_field, cut)?;
            out.write_char('}')
        }
    }
}

fn named(index: &Index, number: u32) -> Result<Entity<'_>, Corrupt> {
    let record: &EntityRecord = index.record(number)?;
    Ok(Entity { kind: index.type_name(record.kind.get())?, id: index.text(record.id.get())? })
}

/// Writes a text of the request, and notes its field where it goes on.
fn said(
    out: &mut String,
    record: &Record,
    text: Text,
    field: &'static str,
    cut: &mut Vec<&'static str>,
) -> fmt::Result {
    if text.cut {
        cut.push(field);
    }
    json::quote(out, record.text(text))
}

/// Writes the properties that configuration and policy let through, and how many there were beside them.
fn properties(out: &mut String, record: &Record, settings: &Settings) -> fmt::Result {
    let mut withheld = record.withheld;
    let mut written = 0;
    let known = known(record);
    for sent in record.properties() {
        let allowed = settings.properties.get(usize::from(sent.name));
        let Some(name) = allowed.filter(|name| may_be_written(&record.snapshot.index, known, name)) else {
            withheld += 1;
            continue;
        };
        out.write_str(if written == 0 { ",\"properties\":{" } else { "," })?;
        json::quote(out, &name.to_string())?;
        write!(out, ":{}", record.text(sent.value))?;
        written += 1;
    }
    if written > 0 {
        out.write_char('}')?;
    }
    if withheld > 0 {
        write!(out, ",\"properties_withheld\":{withheld}")?;
    }
    Ok(())
}

fn known(record: &Record) -> Known {
    let index = &record.snapshot.index;
    let kind = |who: Who| match who {
        Who::Held(number) => index.record::<EntityRecord>(number).ok().map(|record| record.kind.get()),
        Who::Said { kind, .. } if kind.cut => None,
        Who::Said { kind, .. } => index.type_named(record.text(kind)).ok().flatten().map(|(number, _)| number),
    };
    let (permission, owner) = match record.action {
        What::Held(number) => {
            (Some(number), index.record::<PermissionRecord>(number).ok().map(|record| record.owner.get()))
        }
        What::Said(_) => (None, None),
    };
    Known { subject: kind(record.subject), resource: owner.or_else(|| kind(record.resource)), permission }
}

fn snapshot(out: &mut String, snapshot: &Snapshot, time: Timestamp) -> fmt::Result {
    let Snapshot { sequence, digest, generation, fresh, .. } = snapshot;
    write!(out, ",\"snapshot\":{{\"sequence\":{sequence},\"digest\":\"{digest}\",\"generation\":{generation}")?;
    out.push_str(if fresh.is_over(time) { ",\"stale\":true}" } else { "}" });
    Ok(())
}

#[cfg(test)]
mod tests;
