//! Sources that are read as they come: of lines of facts no text is kept, so that many millions take little memory.

use std::io::BufRead;

use super::gather::Gathered;
use super::sink::Sink;
use super::{Built, MAX_LINES_BYTES, Report, Source, build, fact, json, open_part, read, read_each, yaml};
use crate::index::file::{Publication, is_compiled};
use crate::model::{Position, SourceId};

/// A source on its way.
pub struct Input<'r> {
    name: String,
    text: Text<'r>,
}

enum Text<'r> {
    Whole(Vec<u8>),
    Lines(Box<dyn BufRead + 'r>),
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'r> Input<'r> {
    /// A source of which everything is here.
    pub fn whole(source: Source) -> Self {
        Self { name: source.name, text: Text::Whole(source.bytes) }
    }

    /// Lines of facts.
    pub fn lines(name: String, lines: impl BufRead + 'r) -> Self {
        Self { name, text: Text::Lines(Box::new(lines)) }
    }
}

/// As [`build`]. The report of what is wrong holds no text of lines of facts: see [`Report::reread`].
///
/// # Errors
/// As [`build`].
pub fn build_streamed(inputs: Vec<Input<'_>>) -> Result<Built, Report> {
    let is_whole = |input: &Input<'_>| matches!(&input.text, Text::Whole(bytes) if is_compiled(bytes));
    if inputs.iter().any(is_whole) {
        // A compiled file stands alone; of others beside it nothing but the names matters.
        return build(inputs.into_iter().map(Input::into_source).collect());
    }
    let names: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
    let mut inputs = inputs.into_iter();
    let mut sources = Vec::new();
    let read = read_each(
        names.iter().map(String::as_str).collect(),
        Gathered::packing(),
        |id, gathered, sink| match inputs.next()? {
            Input { name, text: Text::Lines(lines) } => {
                sources.push(Source { name, bytes: Vec::new() });
                read_lines(lines, id, gathered, sink)
            }
            whole => {
                let source = whole.into_source();
                let done = read(&source, id, gathered, sink);
                sources.push(source);
                done
            }
        },
        |policy, facts| open_part(policy, facts, None).err().unwrap_or_default(),
    );
    // Those that were not come to, because there were too many mistakes before.
    sources.extend(inputs.map(|input| Source { name: input.name, bytes: Vec::new() }));
    match read.and_then(|(policy, facts, _)| open_part(&policy, &facts, None)) {
        Ok((index, sequence, warnings)) => {
            let publication = Publication { sequence, ..Publication::default() };
            Ok(Built { index, publication, warnings: Report::new(warnings, sources) })
        }
        Err(diagnostics) => Err(Report::new(diagnostics, sources)),
    }
}

impl Input<'_> {
    fn into_source(self) -> Source {
        let bytes = if let Text::Whole(bytes) = self.text { bytes } else { Vec::new() };
        Source { name: self.name, bytes }
    }
}

/// Lines of facts, each read by itself.
fn read_lines(lines: impl BufRead, id: SourceId, gathered: &mut Gathered, sink: &mut Sink<'_>) -> Option<()> {
    // One byte more tells a source that is too long from one that is just long enough.
    let mut lines = lines.take(MAX_LINES_BYTES + 1);
    let (mut line, mut is_empty, mut whole) = (Vec::new(), true, Some(()));
    for number in 1.. {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                sink.error(Position { line: number, ..yaml::whole(id) }, format!("cannot be read: {error}"));
                return None;
            }
        }
        if lines.limit() == 0 {
            let message = format!("the file has more than the {MAX_LINES_BYTES} bytes allowed");
            sink.error_with(yaml::whole(id), message, "split it, or ship the policy compiled");
            return None;
        }
        let text = text_of(&line, id, number, sink)?;
        if text.trim_ascii().is_empty() {
            continue;
        }
        if sink.is_full() {
            return None;
        }
        is_empty = false;
        let node = json::read(text, id, number, sink);
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

/// A line without its end, and without a byte order mark.
fn text_of<'l>(line: &'l [u8], id: SourceId, number: u32, sink: &mut Sink<'_>) -> Option<&'l str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = if number == 1 { line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line) } else { line };
    match std::str::from_utf8(line) {
        Ok(text) => Some(text),
        Err(error) => {
            let before = line.get(..error.valid_up_to()).map(String::from_utf8_lossy).unwrap_or_default();
            let column = u32::try_from(before.chars().count()).unwrap_or(u32::MAX).saturating_add(1);
            let at = Position { source: id, line: number, column, length: 1 };
            sink.error_with(at, "the file is not UTF-8", "save it as UTF-8");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Built, Input, Report, Source, build, build_streamed};

    const POLICY: &str = "sidegate: 1\nsubject_types: {user: {}}\ntypes: {site: {root: true, actions: [open]}}\n\
        roles: {keeper: {at: site, allow: [{on: site, actions: [open]}]}}\n";
    const FACTS: &str = "\u{feff}{\"kind\":\"subject\",\"id\":\"user/ana\"}\r\n\n{\"kind\":\"resource\",\"id\":\"site/a\"}\n\
        {\"kind\":\"binding\",\"subject\":\"user/ana\",\"role\":\"keeper\",\"at\":\"site/a\"}\n\
        {\"kind\":\"binding\",\"subject\":\"user/ana\",\"role\":\"keeper\",\"at\":\"site/a\",\"disabled\":true}";

    fn both(facts: &[u8]) -> [Result<Built, Report>; 2] {
        let source = |name: &str, bytes: &[u8]| Source { name: name.to_owned(), bytes: bytes.to_vec() };
        let whole = vec![source("facts.jsonl", facts), source("policy.yaml", POLICY.as_bytes())];
        let streamed =
            vec![Input::lines("facts.jsonl".to_owned(), facts), Input::whole(source("policy.yaml", POLICY.as_bytes()))];
        [build(whole), build_streamed(streamed)]
    }

    #[test]
    fn gives_the_same_bytes() {
        let [whole, streamed] = both(FACTS.as_bytes()).map(|built| built.unwrap().index);
        assert_eq!(whole.counts().bindings, 2);
        assert_eq!(whole.bytes(), streamed.bytes());
    }

    #[test]
    fn says_the_same_at_the_same_places() {
        for wrong in [
            FACTS.replace("keeper", "kepper"),
            FACTS.replacen("\"site/a\"}\n", "\"site/b\"}\n", 1),
            FACTS.replace("\"disabled\":true", "\"disabled\":1"),
            FACTS.replace("\"id\":\"user/ana\"", "\"id\":\"user/ana\",,"),
            FACTS.replace("binding", "bindung"),
            String::new(),
            "\n \n".to_owned(),
        ] {
            let [whole, mut streamed] = both(wrong.as_bytes()).map(|built| built.err().unwrap());
            assert_eq!(streamed.lines(), whole.lines(), "{wrong}");
            streamed.reread(|name| (name == "facts.jsonl").then(|| Box::new(wrong.as_bytes()) as _));
            assert_eq!(streamed.to_string(), whole.to_string(), "{wrong}");
        }
    }

    #[test]
    fn names_the_place_that_is_not_utf_8() {
        let wrong = [FACTS.as_bytes(), b"\n{\"kind\": \"\xc3\xa9\xff\"}"].concat();
        let [whole, streamed] = both(&wrong).map(|built| built.err().unwrap().lines());
        assert_eq!(streamed, whole);
        assert!(whole[0].contains("facts.jsonl:6:12: "), "{whole:?}");
    }
}
