//! What the daemon tells of itself: what is live, how old it is, what it refused, and a log that holds nothing up.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use sidegate::client::Blocking;
use sidegate::service::proto::health_v1::health_check_response::ServingStatus;
use sidegate::service::proto::v1::{self, snapshot_service_client::SnapshotServiceClient};
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::Channel;

use crate::support::{Daemon, LIMIT, POLICY, ana_may, block_on, command, good, question, refusal, run, until};

/// A compiled file that was issued at a moment and may be relied on for an hour.
fn compile(directory: &TempDir, issued_at: &str, max_age: &str, text: &str) {
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("source.yaml"), text).unwrap();
    let (source, next) = (path("source.yaml"), path("next.sgate"));
    let made = run(&["compile", &source, "-o", &next, "--issued-at", issued_at, "--max-age", max_age]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    fs::rename(next, path("policy.sgate")).unwrap();
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn serve_compiled(directory: TempDir, config: &str) -> Daemon {
    let (source, file) = (directory.path().join("policy.sgate"), directory.path().join("sidegate.toml"));
    fs::write(&file, config).unwrap();
    Daemon::serve(directory, &source, &["--config", file.to_str().unwrap()])
}

fn served_as_stale(client: &Blocking) -> bool {
    client.call(|client| client.authorize(question("ana", "access"))).unwrap().snapshot.unwrap().stale
}

async fn admin(path: &str) -> SnapshotServiceClient<Channel> {
    SnapshotServiceClient::connect(format!("unix:{path}")).await.unwrap()
}

#[test]
fn a_snapshot_past_its_age_is_served_with_a_mark() {
    let directory = tempfile::tempdir().unwrap();
    compile(&directory, "2020-01-01T00:00:00Z", "1h", &good());
    let daemon = serve_compiled(directory, "").ready();
    assert!(ana_may(&daemon.client()) && served_as_stale(&daemon.client()));
    until("it shows", || daemon.metric("sidegate_snapshot_stale") == 1);
    daemon.logged("the live snapshot is older than it may be");
    assert_eq!(daemon.client().call(|client| client.health("")).unwrap(), ServingStatus::Serving);
    compile(&daemon.directory, &now(), "24h", &good().replace("user/bob: {}", "user/bea: {}"));
    until("a new one is live", || !served_as_stale(&daemon.client()));
    until("it shows", || daemon.metric("sidegate_snapshot_stale") == 0);
}

#[test]
fn a_snapshot_past_its_age_is_refused_where_that_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    compile(&directory, &now(), "3s", &good());
    let daemon = serve_compiled(directory, "[snapshot]\nstale = \"deny\"\n");
    let asked = || daemon.client().call(|client| client.authorize(question("ana", "access")));
    until("it is stale", || daemon.log("the live snapshot is older than it may be").len() == 1);
    let (code, message, _) = refusal(asked());
    assert_eq!(code, Code::Unavailable);
    assert!(message.contains("older than it may be") && message.contains("snapshot.stale"), "{message}");
    let listed = daemon.client().call(|client| client.explain(question("ana", "access")));
    assert_eq!(refusal(listed).0, Code::Unavailable);
    until("health says so", || {
        daemon.get("/readyz").0 == 503
            && daemon.client().call(|client| client.health("")).unwrap() == ServingStatus::NotServing
    });
    assert_eq!(daemon.get("/livez").0, 200);
    compile(&daemon.directory, &now(), "24h", &good().replace("user/bob: {}", "user/bea: {}"));
    until("a new one is served", || asked().is_ok());
    until("health says so", || {
        daemon.get("/readyz").0 == 200
            && daemon.client().call(|client| client.health("")).unwrap() == ServingStatus::Serving
    });
}

#[test]
fn without_a_publishers_word_age_counts_from_the_last_good_look() {
    let directory = tempfile::tempdir().unwrap();
    let (source, file) = (directory.path().join("policy.yaml"), directory.path().join("sidegate.toml"));
    fs::write(&source, good()).unwrap();
    fs::write(&file, "[snapshot]\npoll = \"50ms\"\nmax_age = \"4s\"\n").unwrap();
    let daemon = Daemon::serve(directory, &source, &["--config", file.to_str().unwrap()]).ready();
    let until_when = || daemon.metric("sidegate_snapshot_fresh_until_seconds");
    let first = until_when();
    until("its end has moved by twice its age", || until_when() >= first + 8);
    assert!(daemon.log("the live snapshot is older than it may be").is_empty());
    fs::remove_file(&source).unwrap();
    until("it is stale", || served_as_stale(&daemon.client()));
    daemon.logged("the live snapshot is older than it may be");
    daemon.write(&good());
    until("it is fresh", || !served_as_stale(&daemon.client()));
    daemon.logged("the live snapshot is fresh again");
}

#[test]
fn admin_answers_on_loopback_and_nowhere_else() {
    let settings = tempfile::tempdir().unwrap();
    let file = settings.path().join("sidegate.toml");
    let listening_on = |address: &str| {
        fs::write(&file, format!("[listen]\nadmin = \"{address}\"\n")).unwrap();
        file.to_str().unwrap()
    };
    let daemon = Daemon::start_with(&good(), &["--config", listening_on("127.0.0.1:0")]).ready();
    let address = daemon.logged("listening")["admin"].as_str().unwrap().to_owned();
    let live = |address: String| async move {
        let mut client = SnapshotServiceClient::connect(format!("http://{address}")).await.unwrap();
        client
            .get_snapshot(v1::GetSnapshotRequest {})
            .await
            .map(|told| told.into_inner().status.unwrap().live.is_some())
    };
    assert!(block_on(live(address)).unwrap());
    assert_eq!(block_on(live(daemon.data)).unwrap_err().code(), tonic::Code::Unimplemented);
    let ended = run(&["serve", "--snapshot", "policy.yaml", "--config", listening_on("0.0.0.0:0")]);
    assert!(ended.code == Some(78) && ended.err.contains("`listen.admin` is `0.0.0.0:0`"), "{}", ended.err);
}

#[test]
fn admin_tells_what_is_live_and_why_the_rest_is_not() {
    let sockets = tempfile::tempdir().unwrap();
    let socket = sockets.path().join("admin.sock").to_str().unwrap().to_owned();
    let daemon = Daemon::start_with(&good(), &["--admin-uds", &socket]).ready();
    block_on(async {
        let mut client = admin(&socket).await;
        let mut watch = client.watch_snapshot(v1::WatchSnapshotRequest {}).await.unwrap().into_inner();
        let first = watch.message().await.unwrap().unwrap().status.unwrap();
        let live = first.live.unwrap();
        assert_eq!((live.generation, live.restored, live.file_count), (1, false, 1));
        assert!(live.files[0].ends_with("policy.yaml") && live.size_bytes > 100, "{live:?}");
        assert!(live.load_time.is_some() && live.age.is_some() && live.fresh_until.is_none());
        assert_eq!(first.source, daemon.source().to_str().unwrap());
        assert!(first.checked_at.is_some() && first.failure.is_none());
        let digest = live.snapshot.unwrap().digest;

        let many: Vec<String> = (0..150).map(|number| format!("unknown{number}: 1\n")).collect();
        daemon.write(&(POLICY.to_owned() + &many.concat()));
        let refused = watch.message().await.unwrap().unwrap().status.unwrap();
        let failure = refused.failure.unwrap();
        assert_eq!((failure.errors.len(), failure.error_count), (100, 150));
        assert!(failure.errors[0].contains("policy.yaml:13:1: "), "{}", failure.errors[0]);
        assert!(failure.summary.contains("(and 149 more)"), "{}", failure.summary);
        assert_eq!(refused.live.unwrap().snapshot.unwrap().digest, digest, "the last good one");

        daemon.write(POLICY);
        let swapped = watch.message().await.unwrap().unwrap().status.unwrap();
        assert!(swapped.failure.is_none());
        let live = swapped.live.unwrap();
        assert_eq!(live.generation, 2);
        let reloaded = client.reload_snapshot(v1::ReloadSnapshotRequest {}).await.unwrap().into_inner();
        assert_eq!(reloaded.outcome(), v1::ReloadOutcome::Unchanged);
    });
    let told = daemon.log("a snapshot is live");
    assert_eq!(told.len(), 2);
    assert_eq!(told[1]["old_digest"], told[0]["digest"]);
    assert!(told[1]["took"].is_string() && told[1]["bytes"].is_u64(), "{}", told[1]);
    assert!(daemon.metric("sidegate_calls_total{method=\"ReloadSnapshot\",code=\"OK\"}") == 1);
}

#[test]
fn a_scraper_gets_the_format_that_it_asks_for() {
    let daemon = Daemon::start(&good()).ready();
    let get = |accept: &str| {
        let mut stream = TcpStream::connect(&daemon.ops).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: ops\r\n{accept}connection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let open = get("accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5\r\n");
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), "{open}");
    assert!(open.contains("# TYPE sidegate_build info\n") && open.ends_with("# EOF\n"), "{open}");
    for accept in ["", "accept: */*\r\n", "accept: text/plain\r\n"] {
        let older = get(accept);
        assert!(older.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{older}");
        assert!(older.contains("# TYPE sidegate_build_info gauge\n") && !older.contains("# EOF"), "{older}");
    }
}

#[test]
fn no_caller_makes_series() {
    let daemon = Daemon::start(&good()).ready();
    let client = daemon.client();
    let series = || daemon.get("/metrics").1.lines().filter(|line| line.starts_with("sidegate_")).count();
    let ask = |number: usize| {
        let mut request = question(&format!("user{number}"), ["access", "leave", "fly"][number % 3]);
        request.resource.as_mut().unwrap().id = format!("prod{number}");
        request.request_id = format!("{number}");
        client.call(|client| client.authorize(request)).unwrap();
        let malformed = v1::AuthorizeRequest { request_id: format!("{number}"), ..question("", "access") };
        client.call(|client| client.authorize(malformed)).unwrap_err();
    };
    // Metrics follow the snapshot a moment later.
    until("it shows", || daemon.metric("sidegate_snapshot_generation") == 1);
    (0..3).for_each(ask);
    let few = series();
    (3..600).for_each(ask);
    assert_eq!(series(), few);
    assert!(few <= 500, "{few} series");
    assert_eq!(daemon.metric("sidegate_calls_total{method=\"Authorize\",code=\"OK\"}"), 600);
    assert_eq!(daemon.metric("sidegate_calls_total{method=\"Authorize\",code=\"INVALID_ARGUMENT\"}"), 600);
    assert_eq!(daemon.metric("sidegate_call_seconds_count{method=\"Authorize\"}"), 1200);
    assert_eq!(daemon.metric("sidegate_calls_in_flight{method=\"Authorize\"}"), 0);
}

#[test]
fn every_line_of_the_log_is_one_object_whatever_is_in_it() {
    let outer = tempfile::tempdir().unwrap();
    let evil = outer.path().join("a\nb \"quoted\" \u{1b}[31m{\"x\": 1}");
    fs::create_dir(&evil).unwrap();
    fs::write(evil.join("policy.yaml"), good()).unwrap();
    let daemon = Daemon::serve(tempfile::tempdir().unwrap(), &evil, &[]).ready();
    let long = "x".repeat(1 << 20);
    let bad = format!("{POLICY}bindings: [{{subject: \"user/{long}\\n\\e[31m\", role: member, at: workspace/prod}}]\n");
    fs::write(evil.join("next"), bad).unwrap();
    fs::rename(evil.join("next"), evil.join("policy.yaml")).unwrap();
    daemon.logged("the source was refused");
    let asked = daemon.client().call(|client| client.authorize(question(&long, "access\n\u{1b}[31m")));
    assert!(asked.is_err());
    let ended = daemon.terminate();
    assert_eq!(ended.code, Some(0));
    for line in ended.err.lines() {
        let object: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object["fields"]["message"].is_string() && object["level"].is_string(), "{line}");
        assert!(line.len() < 40_000, "{} bytes", line.len());
        assert!(!line.contains('\u{1b}'), "{line}");
    }
    assert!(ended.err.lines().count() >= 4, "{}", ended.err);
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy.yaml");
    fs::write(&source, good()).unwrap();
    let socket = directory.path().join("data.sock");
    // A port of its own for the metrics: the log, which would tell the port, is not read.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let arguments = ["serve", "--snapshot", source.to_str().unwrap(), "--log-format", "json", "--log", "trace"];
    let more = ["--listen", "", "--uds", socket.to_str().unwrap(), "--ops-listen", &address];
    let mut child = command(&[&arguments[..], &more].concat()).stderr(Stdio::piped()).spawn().unwrap();
    let uds = format!("unix:{}", socket.display());
    until("it listens", || socket.exists());
    let client = Blocking::connect(&uds, LIMIT).unwrap();
    let asked = || client.call(|client| client.authorize(question("ana", "access")));
    until("it serves", || asked().is_ok());
    let dropped = || {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("sidegate_log_dropped_total ")).unwrap();
        line.parse::<u64>().unwrap()
    };
    // A pipe holds 64 KiB, the queue a MiB; each call leaves several lines at `trace`.
    until("lines are dropped", || {
        (0..200).for_each(|_| assert!(asked().is_ok()));
        dropped() > 0
    });
    let begun = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(0), "it ends though nobody reads");
}
