//! The daemon with the real policy language: answers, reloads, and keeps what is good.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use sidegate::{
    app::{self, ExitReason, Running},
    client::{Blocking, allows},
    config::Config,
    service::proto::v1,
};

/// Longer than any honest wait; the usual one is a few milliseconds.
const LIMIT: Duration = Duration::from_secs(20);

const POLICY: &str = "\
sidegate: 1
subject_types: {user: {}}
types:
  account: {root: true}
  workspace: {parent: account, actions: [access]}
roles:
  member: {at: workspace, allow: [{on: workspace, actions: [access]}]}
subjects: {user/ana: {}}
resources:
  account/orbit: {}
  workspace/prod: {parent: account/orbit}
";
const BINDING: &str = "bindings: [{subject: user/ana, role: member, at: workspace/prod}]\n";

fn start(source: &Path) -> (Running, Blocking) {
    let config = Config {
        snapshot: Some(source.to_owned()),
        listen: Some(([127, 0, 0, 1], 0).into()),
        ops_listen: None,
        ..Config::default()
    };
    let running = app::start(&config).unwrap();
    assert!(running.ready(LIMIT), "{:?}", running.store().status());
    let client = Blocking::connect(&running.addresses().data.unwrap().to_string(), LIMIT).unwrap();
    (running, client)
}

fn may_access(client: &Blocking) -> bool {
    let request = v1::AuthorizeRequest {
        subject: Some(v1::Subject { r#type: "user".into(), id: "ana".into(), ..Default::default() }),
        action: Some(v1::Action { name: "access".into(), ..Default::default() }),
        resource: Some(v1::Resource { r#type: "workspace".into(), id: "prod".into(), ..Default::default() }),
        ..Default::default()
    };
    allows(&client.call(|client| client.authorize(request)).unwrap())
}

fn wait_until(client: &Blocking, allowed: bool) {
    let begun = Instant::now();
    while may_access(client) != allowed {
        assert!(begun.elapsed() < LIMIT, "never became {allowed}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_edit_of_the_file_changes_the_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.yaml");
    fs::write(&path, POLICY.to_owned() + BINDING).unwrap();
    let (running, client) = start(&path);
    assert!(may_access(&client));
    fs::write(&path, POLICY).unwrap();
    wait_until(&client, false);
    fs::write(&path, POLICY.to_owned() + BINDING).unwrap();
    wait_until(&client, true);
    fs::write(&path, "sidegate: 1\nrolls: {}\n").unwrap();
    let begun = Instant::now();
    while running.store().status().failure.is_none() {
        assert!(begun.elapsed() < LIMIT, "the bad file was never refused");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(may_access(&client), "the last good snapshot serves");
    running.shutdown();
    assert_eq!(running.wait(), ExitReason::Stopped { cut: 0 });
}

#[test]
fn a_swap_of_a_volume_changes_the_answer_every_time() {
    let volume = tempfile::tempdir().unwrap();
    let swap = |number: usize, text: &str| {
        let version = format!("..v{number}");
        fs::create_dir(volume.path().join(&version)).unwrap();
        fs::write(volume.path().join(&version).join("policy.yaml"), text).unwrap();
        symlink(&version, volume.path().join("..data_tmp")).unwrap();
        fs::rename(volume.path().join("..data_tmp"), volume.path().join("..data")).unwrap();
    };
    swap(0, &(POLICY.to_owned() + BINDING));
    symlink("..data/policy.yaml", volume.path().join("policy.yaml")).unwrap();
    let (_running, client) = start(volume.path());
    for number in 1..=6 {
        let allowed = number % 2 == 0;
        let text = if allowed { POLICY.to_owned() + BINDING } else { POLICY.to_owned() };
        swap(number, &text);
        wait_until(&client, allowed);
    }
}
