//! T1, T2: every way in which a source is changed, under load; each final version is served, and every answer that was
//! given meanwhile is the reference's on the version that it names.

use std::thread;
use std::time::Duration;

use crate::checker::Pace;
use crate::stage::{Script, Stage};
use crate::support::Daemon;
use crate::writers::{FILE, Volume, Way};

#[test]
fn every_swap_of_a_kubernetes_volume_is_served() {
    let mut script = Script::numbered(6, 31);
    let directory = tempfile::tempdir().unwrap();
    let mut volume = Volume::new(directory.path());
    let first = script.to_come.remove(0);
    volume.swap(&first.text);
    let source = directory.path().to_owned();
    let daemon = Daemon::serve(directory, &source, &[]);
    let mut stage = Stage::open(daemon, &first, &script, Pace::of(4));
    let last = script.to_come.len() - 1;
    for (number, version) in script.to_come.iter().enumerate() {
        stage.write(version, |text| {
            volume.swap(text);
        });
        if script.dice.below(3) > 0 || number == last {
            stage.wait_for(version);
        } else {
            // Superseded soon: it may be served or not.
            thread::sleep(Duration::from_millis(script.dice.next() % 60));
        }
    }
    assert_eq!(stage.daemon.metric("sidegate_reloads_total{result=\"rejected\"}"), 0, "never half of a swap");
    let findings = stage.close();
    findings.assert_all_answered();
    assert!(findings.versions >= 10, "{findings}");
}

#[test]
fn every_way_of_writing_is_served() {
    for is_directory in [false, true] {
        let mut script = Script::draw(1 + 2 * Way::ALL.len());
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        let first = script.to_come.remove(0);
        Way::prepare(&root, &first.text);
        let source = if is_directory { root.join("current") } else { root.join("current").join(FILE) };
        let mut stage = Stage::open(Daemon::serve(directory, &source, &[]), &first, &script, Pace::of(2));
        let mut ways: Vec<Way> = Way::ALL.repeat(2);
        for version in &script.to_come {
            let way = ways.remove(script.dice.below(ways.len()));
            stage.write(version, |text| way.write(&root, text));
            stage.wait_for(version);
        }
        stage.close().assert_all_answered();
    }
}
