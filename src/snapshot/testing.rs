//! Stand-ins for the tests of this floor: a language in which a source is `MARKER [SEQUENCE]`.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::load::{Builder, Snapshot};
use crate::{
    document::{self, Built, Report, Source},
    index::{Index, file::Publication},
};

/// The first line is `MARKER [SEQUENCE]`; `bad` is refused, `panic` panics, no text at all is refused.
pub(crate) fn builder() -> Builder {
    Arc::new(|sources: Vec<Source>| {
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
    let index = index(marker);
    Snapshot {
        sequence: 0,
        issued_at: None,
        max_age: None,
        digest: marker.to_owned(),
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
