//! Text to nouns: reads YAML and JSON Lines sources into a policy and facts, and shows mistakes where they stand.
//!
//! It knows how things are written, never what they mean: whether a type exists is for [`crate::compile`] to say. Every
//! mistake of every source is reported in one pass.

mod asked;
mod case;
mod decode;
mod fact;
mod file;
mod gather;
mod holder;
mod http;
mod json;
mod node;
mod permission;
mod purview;
mod report;
#[cfg(test)]
mod schema;
mod shape;
mod sink;
mod streamed;
mod suggest;
mod tenant;
mod tested;
#[cfg(test)]
mod tests;
mod text;
mod vocabulary;
mod yaml;

use crate::index::file::Publication;
use crate::index::{self, Index};
use crate::model::{Case, Diagnostic, EntityName, Facts, Policy, Position, SourceId, order};
use decode::Decode;
use file::FileDoc;
use gather::{Gathered, once, refuse_twice};
use sink::Sink;

pub use asked::{Asked, questions};
pub use report::Report;
pub use streamed::{Input, build_streamed};
pub use tested::Tested;

/// The largest YAML file in bytes: far beyond what [`node::MAX_NODES`] admits, so it bounds the reading alone.
const MAX_YAML_BYTES: u64 = 256 << 20;

/// The largest JSON Lines file in bytes: some 40 million bindings. A line becomes a tree alone, never the file.
const MAX_LINES_BYTES: u64 = 4 << 30;

/// One source file as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How errors name it; one that ends with `.jsonl` is read as JSON Lines, any other as YAML.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Source {
    /// Whether it is read as JSON Lines.
    pub fn is_lines(&self) -> bool {
        report::is_lines(&self.name)
    }
}

/// A policy and facts that passed everything.
#[derive(Debug)]
pub struct Built {
    /// The index.
    pub index: Index,
    /// What the source says about itself: text can declare a sequence, a compiled file more.
    pub publication: Publication,
    /// Findings that do not stop the snapshot.
    pub warnings: Report,
}

/// Parses, compiles and opens: all errors together, or an index.
pub fn build(sources: Vec<Source>) -> Result<Built, Report> {
    build_in_steps(sources, &mut || {})
}

/// As [`build`]; while it opens a compiled snapshot it calls `pause` every few microseconds, for a thread that must give
/// way to others.
///
/// # Errors
/// As [`build`].
pub fn build_in_steps(sources: Vec<Source>, pause: &mut dyn FnMut()) -> Result<Built, Report> {
    build_of(sources, None, pause)
}

/// As [`build`], of one tenant's slice of the facts alone; a mistake elsewhere is not seen.
///
/// # Errors
/// As [`build`]; a name that is no root resource, and a compiled snapshot, which was checked as a whole.
pub fn build_tenant(sources: Vec<Source>, tenant: &EntityName) -> Result<Built, Report> {
    build_of(sources, Some(tenant), &mut || {})
}

fn build_of(sources: Vec<Source>, tenant: Option<&EntityName>, pause: &mut dyn FnMut()) -> Result<Built, Report> {
    if sources.iter().any(|source| index::file::is_compiled(&source.bytes)) {
        return open_compiled(sources, tenant, pause);
    }
    // Of a slice every binding is looked at by its scope.
    let into = if tenant.is_some() { Gathered::default() } else { Gathered::packing() };
    let built = read_all(&sources, into, tenant).and_then(|(policy, facts, _)| open_part(&policy, &facts, tenant));
    match built {
        Ok((index, sequence, warnings)) => {
            let publication = Publication { sequence, ..Publication::default() };
            Ok(Built { index, publication, warnings: Report::new(warnings, sources) })
        }
        Err(diagnostics) => Err(Report::new(diagnostics, sources)),
    }
}

/// Opens a compiled file, which is a snapshot by itself.
fn open_compiled(
    mut sources: Vec<Source>,
    tenant: Option<&EntityName>,
    pause: &mut dyn FnMut(),
) -> Result<Built, Report> {
    let refuse = |problem: String, sources: Vec<Source>| {
        Err(Report::new(vec![Diagnostic::error(yaml::whole(SourceId(0)), problem)], sources))
    };
    if sources.len() > 1 {
        return refuse("a compiled snapshot stands alone, without other files".to_owned(), sources);
    }
    if tenant.is_some() {
        return refuse("a compiled snapshot is checked as a whole: name its sources instead".to_owned(), sources);
    }
    let bytes = sources.first_mut().map(|source| std::mem::take(&mut source.bytes)).unwrap_or_default();
    match index::file::open_in_steps(bytes, pause) {
        Ok((publication, index)) => Ok(Built { index, publication, warnings: Report::default() }),
        Err(problem) => refuse(problem.to_string(), sources),
    }
}

/// Reads all sources as one policy with its facts, or reports every mistake in them.
pub fn parse(sources: &[Source]) -> Result<(Policy, Facts), Vec<Diagnostic>> {
    read_with(sources, Gathered::default(), |_, _| Vec::new()).map(|(policy, facts, _)| (policy, facts))
}

/// The index of a policy with its facts, the sequence and the warnings.
fn open(policy: &Policy, facts: &Facts) -> Result<(Index, u64, Vec<Diagnostic>), Vec<Diagnostic>> {
    open_part(policy, facts, None)
}

/// As [`open`], of one tenant's slice of the facts.
fn open_part(
    policy: &Policy,
    facts: &Facts,
    tenant: Option<&EntityName>,
) -> Result<(Index, u64, Vec<Diagnostic>), Vec<Diagnostic>> {
    let compiled = tenant::compile_part(policy, facts, tenant)?;
    let broken = |error| vec![Diagnostic::error(Position::default(), format!("the compiled index is broken: {error}"))];
    let index = Index::open(compiled.bytes).map_err(broken)?;
    Ok((index, facts.sequence.as_ref().map_or(0, |sequence| sequence.value), compiled.warnings))
}

/// As [`parse`]; where every noun could be read in spite of mistakes, what is wrong with their meaning is told too.
fn read_all(
    sources: &[Source],
    into: Gathered,
    tenant: Option<&EntityName>,
) -> Result<(Policy, Facts, Vec<Case>), Vec<Diagnostic>> {
    read_with(sources, into, |policy, facts| tenant::compile_part(policy, facts, tenant).err().unwrap_or_default())
}

fn read_with(
    sources: &[Source],
    into: Gathered,
    meaning: impl FnOnce(&Policy, &Facts) -> Vec<Diagnostic>,
) -> Result<(Policy, Facts, Vec<Case>), Vec<Diagnostic>> {
    let names = sources.iter().map(|source| source.name.as_str()).collect();
    let mut sources = sources.iter();
    read_each(names, into, |id, gathered, sink| read(sources.next()?, id, gathered, sink), meaning)
}

/// Reads sources of these names, one after another.
fn read_each(
    names: Vec<&str>,
    mut gathered: Gathered,
    mut read_next: impl FnMut(SourceId, &mut Gathered, &mut Sink<'_>) -> Option<()>,
    meaning: impl FnOnce(&Policy, &Facts) -> Vec<Diagnostic>,
) -> Result<(Policy, Facts, Vec<Case>), Vec<Diagnostic>> {
    let count = names.len();
    let mut sink = Sink::new(names);
    for number in 0..count {
        let id = SourceId(u32::try_from(number).unwrap_or(u32::MAX));
        if !sink.is_full() && read_next(id, &mut gathered, &mut sink).is_none() {
            gathered.has_gaps = true;
        }
    }
    let has_gaps = gathered.has_gaps;
    gathered.has_gaps |= sink.failed();
    let (policy, facts, cases) = gathered.finish(&mut sink);
    if !sink.failed() && policy == Policy::default() {
        let help = "a policy declares at least `subject_types`, `types` and `roles`";
        sink.error_with(yaml::whole(SourceId(0)), "there is no policy here", help);
    }
    if !sink.failed() {
        return Ok((policy, facts, cases));
    }
    // Of what was only half read, compiling would name mistakes that are none.
    let wrong = if sink.lost() || has_gaps { Vec::new() } else { meaning(&policy, &facts) };
    let mut all = sink.into_diagnostics();
    all.extend(wrong);
    order::by_key(&mut all, |diagnostic| diagnostic.at);
    Err(all)
}

/// Reads one source; `None` where part of it could not be read, which is then reported.
fn read(source: &Source, id: SourceId, gathered: &mut Gathered, sink: &mut Sink<'_>) -> Option<()> {
    let is_lines = source.is_lines();
    let most = if is_lines { MAX_LINES_BYTES } else { MAX_YAML_BYTES };
    if u64::try_from(source.bytes.len()).is_ok_and(|bytes| bytes > most) {
        let message = format!("the file has {} bytes, more than the {most} allowed", source.bytes.len());
        sink.error_with(yaml::whole(id), message, "split it, or ship the policy compiled");
        return None;
    }
    let text = text(source, id, sink)?;
    if is_lines {
        return read_lines(text, id, gathered, sink);
    }
    let root = yaml::read(text, id, sink)?;
    file::is_current(&root, sink)?;
    gathered.add(FileDoc::decode(&root, sink)?, sink);
    Some(())
}

fn read_lines(text: &str, id: SourceId, gathered: &mut Gathered, sink: &mut Sink<'_>) -> Option<()> {
    let (mut is_empty, mut whole) = (true, Some(()));
    for (number, line) in (1..).zip(text.split('\n')) {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if sink.is_full() {
            return None;
        }
        is_empty = false;
        let node = json::read(line, id, number, sink);
        if node.and_then(|node| fact::line(&node, sink, &mut gathered.facts)).is_none() {
            sink.fail();
            whole = None;
        }
        gathered.pack();
    }
    if is_empty {
        sink.error_with(yaml::whole(id), "the file is empty", "remove it, or write one fact on each line");
        return None;
    }
    whole
}

/// The text without a byte order mark.
fn text<'s>(source: &'s Source, id: SourceId, sink: &mut Sink<'_>) -> Option<&'s str> {
    match std::str::from_utf8(&source.bytes) {
        Ok(text) => Some(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let at = report::position_of_byte(source, id, error.valid_up_to());
            sink.error_with(at, "the file is not UTF-8", "save it as UTF-8");
            None
        }
    }
}
