//! Asks a Cerbos as `sidegate bench` asks Sidegate: `cerbos-load ADDRESS QUESTIONS CALLS CONNECTIONS IN_FLIGHT`.
//!
//! A closed loop: each call follows the answer before it. A question carries the roles that its subject holds where the
//! document stands, as Cerbos wants it, which keeps no facts; the answer is compared with the wanted one. Prints one
//! object of JSON with the fields of `sidegate bench --json` that are compared. Only the fields of Cerbos's messages that
//! are sent or read are declared.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const METHOD: &str = "/cerbos.svc.v1.CerbosService/CheckResources";
const ALLOW: i32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
struct CheckRequest {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(message, optional, tag = "3")]
    principal: Option<Principal>,
    #[prost(message, repeated, tag = "4")]
    resources: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Principal {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, repeated, tag = "3")]
    roles: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, repeated, tag = "1")]
    actions: Vec<String>,
    #[prost(message, optional, tag = "2")]
    resource: Option<Resource>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "3")]
    id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CheckResponse {
    #[prost(message, repeated, tag = "2")]
    results: Vec<Verdict>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Verdict {
    #[prost(map = "string, int32", tag = "2")]
    actions: HashMap<String, i32>,
}

/// A question, and whether it must be allowed.
type Question = (CheckRequest, bool);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, questions, calls, connections, in_flight] = words.as_slice() else {
        return Err("cerbos-load ADDRESS QUESTIONS CALLS CONNECTIONS IN_FLIGHT".into());
    };
    let questions = Arc::new(read(questions)?);
    let (calls, in_flight) = (calls.parse::<usize>()?, in_flight.parse::<usize>()?);
    let (next, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..connections.parse::<usize>()? {
        let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?;
        for _ in 0..in_flight {
            lanes.spawn(ask(channel.clone(), Arc::clone(&questions), Arc::clone(&next), calls));
        }
    }
    let mut times = Vec::with_capacity(calls);
    while let Some(lane) = lanes.join_next().await {
        times.extend(lane??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |per_mille: usize| times[(times.len() * per_mille / 1000).min(times.len() - 1)].as_secs_f64() * 1e6;
    let (p50, p99, count) = (at(500), at(990), times.len());
    println!(
        r#"{{"calls": {count}, "seconds": {seconds}, "calls_per_second": {}, "latency_us": {{"p50": {p50}, "p99": {p99}}}}}"#,
        count as f64 / seconds
    );
    Ok(())
}

/// One call after another; how long each took.
async fn ask(
    channel: tonic::transport::Channel,
    questions: Arc<Vec<Question>>,
    next: Arc<AtomicUsize>,
    calls: usize,
) -> Outcome<Vec<Duration>> {
    let (mut client, mut times) = (tonic::client::Grpc::new(channel), Vec::new());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= calls {
            return Ok(times);
        }
        let (request, wanted) = &questions[number % questions.len()];
        let begun = Instant::now();
        client.ready().await?;
        let codec = tonic_prost::ProstCodec::<CheckRequest, CheckResponse>::default();
        let path = PathAndQuery::from_static(METHOD);
        let answer = client.unary(tonic::Request::new(request.clone()), path, codec).await?.into_inner();
        times.push(begun.elapsed());
        let effect = answer.results.first().and_then(|result| result.actions.values().next());
        if (effect == Some(&ALLOW)) != *wanted {
            return Err(format!("wrong: {request:?} gave {answer:?}").into());
        }
    }
}

/// Lines of `user, roles joined by '+', action, document, allow or deny`, apart by spaces.
fn read(path: &str) -> Outcome<Vec<Question>> {
    let line = |line: &str| {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let [user, roles, action, document, wanted] = <[String; 5]>::try_from(words).map_err(|_| "five words")?;
        let resource = Some(Resource { kind: "document".to_owned(), id: document });
        Ok((
            CheckRequest {
                request_id: String::new(),
                principal: Some(Principal { id: user, roles: roles.split('+').map(str::to_owned).collect() }),
                resources: vec![Entry { actions: vec![action], resource }],
            },
            wanted == "allow",
        ))
    };
    std::fs::read_to_string(path)?.lines().map(line).collect()
}
