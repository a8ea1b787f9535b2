//! Stand-ins for the tests of this floor: a language in which a source is `MARKER [SEQUENCE]`.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use super::load::{Builder, Snapshot};
use crate::{
    document::{self, Built, Report, Source},
    index::{Index, file::Publication},
};

/// Which snapshots were freed, by digest, and on threads of which names.
static FREED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Notes that a snapshot is freed here.
pub(crate) fn note_freed(digest: &str) {
    let thread = thread::current().name().unwrap_or_default().to_owned();
    FREED.lock().unwrap().push((digest.to_owned(), thread));
}

/// On which threads snapshots of this digest were freed.
pub(crate) fn freed(digest: &str) -> Vec<String> {
    let freed = FREED.lock().unwrap();
    freed.iter().filter(|(own, _)| own == digest).map(|(_, thread)| thread.clone()).collect()
}

/// The first line is `MARKER [SEQUENCE]`; `bad` is refused, `panic` panics, no text at all is refused.
pub(crate) fn builder() -> Builder {
    Arc::new(|sources: Vec<Source>, _: &mut dyn FnMut()| {
        let text: String = sources.iter().map(|source| String::from_utf8_lossy(&source.bytes).into_owned()).collect();
        let mut words = text.lines().next().unwrap_or_default().split_whitespace();
        let marker = words.next().unwrap_or("bad");
        assert_ne!(marker, "panic", "a build that panics");
        if marker == "bad" {
            return Err(Report::default());
        }
        let sequence = words.next().map_or(0, |word| word.parse().unwrap());
        let publication = Publication { sequence, ..Publication::default() };
        Ok(Built { index: index(marker), publication, warnings: Report::default() })
    })
}

/// An index that differs from that of any other marker.
pub(crate) fn index(marker: &str) -> Index {
    let text = format!(
        "sidegate: 1\nsubject_types: {{user: {{}}}}\ntypes: {{workspace: {{root: true, actions: [access]}}}}\n\
         roles: {{member: {{at: workspace, allow: [{{on: workspace, actions: [access]}}]}}}}\n\
         subjects: {{user/{marker}: {{}}}}\nresources: {{workspace/prod: {{}}}}\n\
         bindings: [{{subject: user/{marker}, role: member, at: workspace/prod}}]\n"
    );
    let source = Source { name: "policy.yaml".to_owned(), bytes: text.into_bytes() };
    match document::build(vec![source]) {
        Ok(built) => built.index,
        Err(_) => Index::open(marker.as_bytes().to_vec()).unwrap(),
    }
}

/// A snapshot of that index, which was never live.
pub(crate) fn snapshot(marker: &str) -> Snapshot {
    snapshot_of(index(marker), marker)
}

/// A snapshot of an index under a name.
pub(crate) fn snapshot_of(index: Index, digest: &str) -> Snapshot {
    Snapshot {
        sequence: 0,
        issued_at: None,
        max_age: None,
        digest: digest.to_owned(),
        generation: 0,
        source: PathBuf::from("policy.yaml"),
        files: Vec::new(),
        file_count: 1,
        loaded_at: SystemTime::UNIX_EPOCH,
        took: Duration::ZERO,
        fresh: Arc::default(),
        restored: false,
        counts: index.counts(),
        warnings: Vec::new(),
        index,
    }
}
