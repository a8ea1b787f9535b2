//! Sources on mounts that hide changes: the lower layer of an overlay, a file that is mounted by itself.

use std::fs;
use std::path::Path;

use crate::namespace::Namespace;
use crate::support::{POLICY, ana_may, good, until};

/// A file system in memory, so that nothing of it outlives the namespace.
const MEMORY: &str = "mkdir -p /mnt && mount -t tmpfs -o size=16m tmpfs /mnt\n";

const HIDDEN: &str = "changes of the source may not be seen";

fn replace(file: &Path, text: &str) {
    let next = file.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, file).unwrap();
}

#[test]
fn a_source_in_memory_is_watched() {
    let space = Namespace::of_mounts(MEMORY);
    let source = space.path("/mnt/policy.yaml");
    fs::write(&source, good()).unwrap();
    // Looked at so seldom that only an event can tell.
    let daemon = space.launch().set("SIDEGATE_SNAPSHOT_POLL", "3600s").daemon_of("/mnt/policy.yaml").ready();
    let client = daemon.client();
    for (text, may) in [(POLICY.to_owned(), false), (good(), true)] {
        replace(&source, &text);
        until("the change is served", || ana_may(&client) == may);
    }
}

#[test]
fn an_edit_below_an_overlay_is_found_by_polling() {
    let overlay = "cd /mnt && mkdir low up work top && echo > low/policy.yaml\n\
        mount -t overlay overlay -o lowerdir=low,upperdir=up,workdir=work top";
    let space = Namespace::of_mounts(&format!("{MEMORY}{overlay}"));
    let below = space.path("/mnt/low/policy.yaml");
    fs::write(&below, good()).unwrap();
    let daemon = space.launch().set("SIDEGATE_SNAPSHOT_REREAD", "3600s").daemon_of("/mnt/top/policy.yaml").ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    // In place, as an image's layer on a developer's machine is edited: the overlay hears nothing of it.
    fs::write(&below, POLICY).unwrap();
    until("the change is served", || !ana_may(&client));
    // An edit through the overlay moves the file to the upper layer; that is heard.
    replace(&space.path("/mnt/top/policy.yaml"), &good());
    until("the next change is served", || ana_may(&client));
}

#[test]
fn a_file_that_is_mounted_by_itself_is_warned_about() {
    // What a kubelet does for a subPath.
    let bind = "cd /mnt && mkdir host pod && echo > host/policy.yaml && echo > pod/policy.yaml\n\
        mount --bind host/policy.yaml pod/policy.yaml";
    let space = Namespace::of_mounts(&format!("{MEMORY}{bind}"));
    let outside = space.path("/mnt/host/policy.yaml");
    fs::write(&outside, good()).unwrap();
    let daemon = space.launch().daemon_of("/mnt/pod/policy.yaml").ready();
    let told = daemon.logged(HIDDEN);
    assert!(told["warning"].as_str().unwrap().contains("subPath"), "{told}");
    assert_eq!(told["source"].as_str(), Some("/mnt/pod/policy.yaml"), "{told}");
    let client = daemon.client();
    assert!(ana_may(&client));
    // The same file, rewritten: seen.
    fs::write(&outside, POLICY).unwrap();
    until("an edit in place is served", || !ana_may(&client));
    // Another file in its place: never seen, which is what the warning is for. A forced look finds the old one.
    replace(&outside, &good());
    daemon.process.signal(rustix::process::Signal::HUP);
    until("it was read again", || daemon.metric("sidegate_reloads_total{result=\"unchanged\"}") >= 1);
    assert!(!ana_may(&client), "still the old file");
    assert_eq!(daemon.get("/readyz").0, 200);
}

#[test]
fn a_directory_that_is_mounted_is_not_warned_about() {
    let bind = "cd /mnt && mkdir host pod && echo > host/policy.yaml\nmount --bind host pod";
    let space = Namespace::of_mounts(&format!("{MEMORY}{bind}"));
    let outside = space.path("/mnt/host/policy.yaml");
    fs::write(&outside, good()).unwrap();
    let daemon = space.launch().set("SIDEGATE_SNAPSHOT_POLL", "3600s").daemon_of("/mnt/pod/policy.yaml").ready();
    let client = daemon.client();
    assert!(ana_may(&client));
    replace(&outside, POLICY);
    until("the change is served", || !ana_may(&client));
    assert!(daemon.log(HIDDEN).is_empty());
}
