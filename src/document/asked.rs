//! Questions in a file of their own, one on each line, as a load generator asks them. The snapshot has no part in this.

use super::case::AskDoc;
use super::decode::{Decode, documents};
use super::fact::AttributesDoc;
use super::sink::Sink;
use super::text::Id;
use super::{Report, Source, json, text, yaml};
use crate::model::{Ask, Decision, EntityName, SourceId};

documents! {
    /// One question, as the `ask` of a test writes it, and the decision that is wanted.
    AskedDoc {
        subject = "subject": EntityName,
        action = "action": Id,
        resource = "resource": EntityName,
        parent = "parent": Option<EntityName>,
        subject_properties = "subject_properties": Option<AttributesDoc>,
        parameters = "parameters": Option<AttributesDoc>,
        properties = "properties": Option<AttributesDoc>,
        context = "context": Option<AttributesDoc>,
        expect = "expect": Option<Decision>,
    }
}

/// A question and the decision that is wanted, where one is.
pub type Asked = (Ask, Option<Decision>);

/// Reads a file of questions, each a line of JSON: all of them, or every mistake.
pub fn questions(source: Source) -> Result<Vec<Asked>, Report> {
    let mut sink = Sink::new(vec![source.name.as_str()]);
    let mut asked = Vec::new();
    if let Some(text) = text(&source, SourceId(0), &mut sink) {
        for (number, line) in (1..).zip(text.split('\n')) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            if sink.is_full() {
                break;
            }
            let node = json::read(line, SourceId(0), number, &mut sink);
            match node.and_then(|node| AskedDoc::decode(&node, &mut sink)) {
                Some(doc) => asked.push(doc.into_asked()),
                None => sink.fail(),
            }
        }
        if asked.is_empty() && !sink.failed() {
            sink.error_with(yaml::whole(SourceId(0)), "there are no questions here", "write one on each line");
        }
    }
    if sink.failed() { Err(Report::new(sink.into_diagnostics(), vec![source])) } else { Ok(asked) }
}

impl AskedDoc {
    fn into_asked(self) -> Asked {
        let Self { subject, action, resource, parent, subject_properties, parameters, properties, context, expect } =
            self;
        let ask = AskDoc { subject, action, resource, parent, subject_properties, parameters, properties, context };
        (ask.into_ask(), expect)
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Source, questions};

    fn read(text: &str) -> Result<Vec<super::Asked>, Vec<String>> {
        let source = Source { name: "asked.jsonl".to_owned(), bytes: text.as_bytes().to_vec() };
        questions(source).map_err(|report| report.lines())
    }

    #[test]
    fn each_line_is_a_question() {
        let text = "{\"subject\": \"user/ana\", \"action\": \"edit\", \"resource\": \"doc/a\", \"expect\": \"deny\"}\n\n\
            {\"subject\": \"user/bob\", \"action\": \"edit\", \"resource\": \"doc/a\", \"context\": {\"mfa\": true}}\n";
        let asked = read(text).unwrap();
        assert_eq!(asked.iter().map(|(_, wanted)| *wanted).collect::<Vec<_>>(), [Some(Decision::Deny), None]);
        assert_eq!(asked.get(1).unwrap().0.context.len(), 1);
    }

    #[test]
    fn mistakes_are_named_where_they_stand() {
        let wrong =
            read("{\"subject\": \"ana\", \"action\": \"edit\", \"resource\": \"doc/a\"}\n{\"expect\": \"no\"}\n");
        let lines = wrong.unwrap_err();
        assert!(lines.first().unwrap().starts_with("asked.jsonl:1:13: error: "), "{lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("asked.jsonl:2:")), "{lines:?}");
        assert_eq!(read("\n").unwrap_err(), ["asked.jsonl: error: there are no questions here"]);
    }
}
