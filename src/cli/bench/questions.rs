//! What a load generator asks, as messages: the one question of the command line, or those of a file.

use std::path::Path;

use crate::client::bench::Question;
use crate::document;
use crate::model::{Ask, Attributes, Decision, EntityName, Literal};
use crate::service::proto::v1;
use crate::snapshot::{MAX_SOURCE_BYTES, read};

use super::super::Exit;
use super::super::output::Trouble;
use super::super::question;
use super::super::value::OwnedValue;
use super::super::wire::{self, authorize_request};
use super::{BenchArguments, Expected};

/// All questions.
pub(super) fn of(arguments: &BenchArguments) -> Result<Vec<Question>, Trouble> {
    if let Some(path) = &arguments.questions {
        if !arguments.details.is_empty() {
            let help = "what is said about one question cannot be said beside `--questions`: write it in the file";
            return Err(Trouble::new(Exit::Usage, help));
        }
        return of_file(path);
    }
    let (Some(subject), Some(action), Some(resource)) = (&arguments.subject, &arguments.action, &arguments.resource)
    else {
        return Err(Trouble::new(Exit::Usage, "write SUBJECT ACTION RESOURCE, or `--questions FILE`"));
    };
    let asked = question::Question { subject, action, resource, details: &arguments.details };
    let allowed = arguments.expect.map(|expected| expected == Expected::Allow);
    Ok(vec![Question { request: asked.with(authorize_request), allowed }])
}

fn of_file(path: &Path) -> Result<Vec<Question>, Trouble> {
    let sources = read(path, MAX_SOURCE_BYTES).map_err(|problem| Trouble::new(Exit::Usage, problem.to_string()))?;
    let [source] = <[_; 1]>::try_from(sources)
        .map_err(|_| Trouble::new(Exit::Usage, format!("`{}` is not one file", path.display())))?;
    let asked = document::questions(source)
        .map_err(|report| Trouble::new(Exit::Usage, format!("the questions are wrong\n\n{report}")))?;
    let question = |(ask, wanted): (Ask, Option<Decision>)| {
        let request = message(&ask)?;
        Ok(Question { request, allowed: wanted.map(|wanted| wanted == Decision::Allow) })
    };
    asked.into_iter().map(question).collect()
}

fn message(ask: &Ask) -> Result<v1::AuthorizeRequest, Trouble> {
    let entity = |name: &EntityName| wire::entity(name.as_entity());
    Ok(v1::AuthorizeRequest {
        subject: Some(v1::Subject {
            r#type: ask.subject.kind.clone(),
            id: ask.subject.id.clone(),
            properties: properties(&ask.subject_properties)?,
        }),
        action: Some(v1::Action { name: ask.action.clone(), properties: properties(&ask.parameters)? }),
        resource: Some(v1::Resource {
            r#type: ask.resource.kind.clone(),
            id: ask.resource.id.clone(),
            parent: ask.parent.as_ref().map(entity),
            properties: properties(&ask.properties)?,
        }),
        context: properties(&ask.context)?,
        ..v1::AuthorizeRequest::default()
    })
}

fn properties<C: FromIterator<(String, v1::Value)>>(written: &Attributes) -> Result<C, Trouble> {
    written.iter().map(|(name, value)| Ok((name.value.clone(), self::value(&value.value)?))).collect()
}

/// A text is an entity or a time where the command line would take it for one: there is no policy here to ask.
fn value(literal: &Literal) -> Result<v1::Value, Trouble> {
    let owned = match literal {
        Literal::Null => return Ok(v1::Value { kind: None }),
        Literal::Bool(flag) => OwnedValue::Bool(*flag),
        Literal::Int(number) => OwnedValue::Int(*number),
        Literal::String(text) => OwnedValue::parse_text(text).map_err(|problem| Trouble::new(Exit::Usage, problem))?,
        Literal::List(items) => {
            let values = items.iter().map(|item| value(&item.value)).collect::<Result<_, _>>()?;
            return Ok(v1::Value { kind: Some(v1::value::Kind::ListValue(v1::ListValue { values })) });
        }
    };
    Ok(wire::value(&owned.borrow(&[])))
}
