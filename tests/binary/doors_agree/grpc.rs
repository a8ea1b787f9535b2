//! The calls of our own: one by one, a batch, a stream.

use sidegate::service::proto::v1::{
    self, authorization_service_client::AuthorizationServiceClient, authorize_stream_response, batch_authorize_result,
};
use tonic::Code;

use super::{Answer, Asked, Door, Target};
use crate::support::wire;

/// `Authorize`, question by question.
pub(super) struct Authorize;

/// `BatchAuthorize`, all at once.
pub(super) struct Batch;

/// `AuthorizeStream`, all on one stream.
pub(super) struct Stream;

#[tonic::async_trait]
impl Door for Authorize {
    fn name(&self) -> &'static str {
        "Authorize"
    }

    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer> {
        let mut client = AuthorizationServiceClient::new(daemon.channel.clone());
        let mut answers = Vec::new();
        for question in &asked.questions {
            answers.push(match client.authorize(wire::authorize(question)).await {
                Ok(response) => of_response(&response.into_inner()),
                Err(status) if status.code() == Code::InvalidArgument => Answer::Malformed,
                Err(status) => panic!("{question:?}: {status}"),
            });
        }
        answers
    }
}

#[tonic::async_trait]
impl Door for Batch {
    fn name(&self) -> &'static str {
        "BatchAuthorize"
    }

    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer> {
        let requests = asked.questions.iter().map(wire::authorize).collect();
        let batch = v1::BatchAuthorizeRequest { requests, ..Default::default() };
        let mut client = AuthorizationServiceClient::new(daemon.channel.clone());
        let v1::BatchAuthorizeResponse { results, snapshot, .. } =
            client.batch_authorize(batch).await.unwrap().into_inner();
        let digest = snapshot.unwrap().digest;
        let answer = |result: v1::BatchAuthorizeResult| match result.outcome.unwrap() {
            batch_authorize_result::Outcome::Verdict(verdict) => of_verdict(&verdict, &digest),
            batch_authorize_result::Outcome::Error(error) => of_error(&error),
        };
        results.into_iter().map(answer).collect()
    }
}

#[tonic::async_trait]
impl Door for Stream {
    fn name(&self) -> &'static str {
        "AuthorizeStream"
    }

    async fn ask(&self, daemon: &Target, asked: &Asked) -> Vec<Answer> {
        let requests: Vec<_> = asked.questions.iter().map(wire::authorize).collect();
        let questions = requests.into_iter().map(|request| v1::AuthorizeStreamRequest { request: Some(request) });
        let mut client = AuthorizationServiceClient::new(daemon.channel.clone());
        let mut stream = client.authorize_stream(tokio_stream::iter(questions)).await.unwrap().into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await.unwrap() {
            answers.push(match answer.outcome.unwrap() {
                authorize_stream_response::Outcome::Response(response) => of_response(&response),
                authorize_stream_response::Outcome::Error(error) => of_error(&error),
            });
        }
        answers
    }
}

fn of_error(error: &v1::ItemError) -> Answer {
    assert_eq!(error.code, i32::from(Code::InvalidArgument), "{error:?}");
    Answer::Malformed
}

fn of_response(response: &v1::AuthorizeResponse) -> Answer {
    let verdict = v1::Verdict {
        decision: response.decision,
        reason: response.reason,
        rule_id: response.rule_id.clone(),
        undetermined: response.undetermined,
    };
    of_verdict(&verdict, &response.snapshot.as_ref().unwrap().digest)
}

fn of_verdict(verdict: &v1::Verdict, digest: &str) -> Answer {
    Answer::Verdict {
        allow: verdict.decision() == v1::Decision::Allow,
        reason: verdict.reason().as_str_name().trim_start_matches("REASON_").to_owned(),
        rule: verdict.rule_id.clone(),
        undetermined: verdict.undetermined,
        digest: digest.to_owned(),
    }
}
