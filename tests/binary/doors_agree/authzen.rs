//! `AuthZEN`: an evaluation for each question, and all of them as one batch.

use axum::body::{Body, to_bytes};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value as Json, json};

use super::{Answer, Asked, Door, Target};
use crate::support::question::{Props, Question, Val};

/// `/access/v1/evaluation`, question by question.
pub(super) struct Evaluation;

/// `/access/v1/evaluations`, all at once.
pub(super) struct Evaluations;

#[tonic::async_trait]
impl Door for Evaluation {
    fn name(&self) -> &'static str {
        "evaluation"
    }

    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer> {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://{}/access/v1/evaluation", daemon.data);
        let mut answers = Vec::new();
        for question in &asked.questions {
            let request = http::Request::post(&uri).header("content-type", "application/json");
            let response = client.request(request.body(Body::from(text(question).to_string())).unwrap()).await.unwrap();
            let status = response.status().as_u16();
            let body = to_bytes(Body::new(response.into_body()), 1 << 20).await.unwrap();
            answers.push(match status {
                200 => {
                    let answer: Json = serde_json::from_slice(&body).unwrap();
                    verdict(&answer, &answer["context"]["snapshot"])
                }
                400 => Answer::Malformed,
                _ => panic!("{status} to {question:?}: {body:?}"),
            });
        }
        answers
    }
}

#[tonic::async_trait]
impl Door for Evaluations {
    fn name(&self) -> &'static str {
        "evaluations"
    }

    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer> {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let items: Vec<_> = asked.questions.iter().map(text).collect();
        let request = http::Request::post(format!("http://{}/access/v1/evaluations", daemon.data));
        let body = Body::from(json!({"evaluations": items}).to_string());
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let response = client.request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = to_bytes(Body::new(response.into_body()), 64 << 20).await.unwrap();
        let answer: Json = serde_json::from_slice(&body).unwrap();
        let snapshot = &answer["context"]["snapshot"];
        let items = answer["evaluations"].as_array().unwrap().iter();
        items
            .map(|item| match item["context"]["error"]["status"].as_u64() {
                None => verdict(item, snapshot),
                Some(400) => Answer::Malformed,
                Some(_) => panic!("{item}"),
            })
            .collect()
    }
}

fn verdict(answer: &Json, snapshot: &Json) -> Answer {
    let context = &answer["context"];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    Answer::Verdict {
        allow: answer["decision"].as_bool().unwrap(),
        reason: text(&context["reason"]),
        rule: text(&context["rule_id"]),
        undetermined: context["undetermined"] == true,
        digest: text(&snapshot["digest"]),
    }
}

fn text(question: &Question) -> Json {
    let mut text = json!({
        "subject": {
            "type": question.subject.kind, "id": question.subject.id, "properties": object(&question.subject_properties),
        },
        "action": {"name": question.action, "properties": object(&question.action_properties)},
        "resource": {
            "type": question.resource.kind, "id": question.resource.id, "properties": object(&question.resource_properties),
        },
        "context": object(&question.context),
    });
    if let Some(parent) = &question.parent {
        text["resource"]["parent"] = json!({"type": parent.kind, "id": parent.id});
    }
    text
}

fn object(properties: &Props) -> Map<String, Json> {
    properties.iter().map(|(name, sent)| (name.clone(), value(sent))).collect()
}

fn value(sent: &Val) -> Json {
    match sent {
        Val::Null => Json::Null,
        Val::Bool(flag) => json!(flag),
        Val::Int(number) => json!(number),
        Val::Str(text) => json!(text),
        Val::Time(moment) => json!(moment.to_string()),
        Val::List(items) => items.iter().map(value).collect(),
        Val::Entity(name) => json!({"type": name.kind, "id": name.id}),
    }
}
