//! Who is in the middle of writing to a source: what is there so far may be valid by itself, and forbid less than the
//! whole. A writer that renames a finished file into place is never seen here.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use notify::{
    EventKind,
    event::{AccessKind, AccessMode, ModifyKind},
};

/// How long a writer that keeps the file open may pause. Beyond, it is thought to have forgotten to close it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long after a file was made its first bytes are waited for: a link is made too, and nobody writes to it.
const BEGINNING: Duration = Duration::from_millis(100);

/// The files that are open for writing as far as events tell, and until when that is believed.
#[derive(Debug, Default)]
pub(super) struct Writing(BTreeMap<PathBuf, Instant>);

impl Writing {
    /// Notes an event on a file; whether it ends a writing.
    pub(super) fn note(&mut self, path: &Path, event: EventKind, now: Instant) -> bool {
        let patience = match event {
            EventKind::Modify(ModifyKind::Data(_)) => PATIENCE,
            EventKind::Create(_) if path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) => BEGINNING,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Create(_)
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(_)) => return self.0.remove(path).is_some(),
            // A change of the mode says nothing, nor does an opening.
            _ => return false,
        };
        self.0.insert(path.to_owned(), now + patience);
        false
    }

    /// How long to wait at most until nobody writes any more; `None` where nobody does.
    pub(super) fn rest(&mut self, now: Instant) -> Option<Duration> {
        self.0.retain(|_, until| *until > now);
        self.0.values().max().map(|until| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        time::{Duration, Instant},
    };

    use notify::event::{
        AccessKind, AccessMode, CreateKind, DataChange, EventKind, MetadataKind, ModifyKind, RemoveKind, RenameMode,
    };

    use super::{BEGINNING, PATIENCE, Writing};

    const DATA: EventKind = EventKind::Modify(ModifyKind::Data(DataChange::Any));
    const CLOSE: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));

    #[test]
    fn lasts_from_the_first_byte_to_the_close() {
        let (mut writing, begun, path) = (Writing::default(), Instant::now(), Path::new("/p/policy.yaml"));
        assert!(!writing.note(path, CLOSE, begun), "nobody wrote");
        assert!(!writing.note(path, DATA, begun) && writing.rest(begun) == Some(PATIENCE));
        for idle in [
            EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)),
            EventKind::Access(AccessKind::Close(AccessMode::Read)),
            EventKind::Access(AccessKind::Open(AccessMode::Any)),
        ] {
            assert!(!writing.note(path, idle, begun) && writing.rest(begun).is_some(), "{idle:?}");
        }
        writing.note(Path::new("/p/other.yaml"), DATA, begun);
        assert!(writing.note(path, CLOSE, begun) && writing.rest(begun).is_some(), "the other one is still written");
        assert!(writing.note(Path::new("/p/other.yaml"), CLOSE, begun) && writing.rest(begun).is_none());
        for end in [EventKind::Remove(RemoveKind::File), EventKind::Modify(ModifyKind::Name(RenameMode::To))] {
            writing.note(path, DATA, begun);
            assert!(writing.note(path, end, begun) && writing.rest(begun).is_none(), "another file, or none");
        }
    }

    #[test]
    fn whoever_never_closes_is_not_waited_for_for_ever() {
        let (mut writing, begun, path) = (Writing::default(), Instant::now(), Path::new("/p/policy.yaml"));
        writing.note(path, DATA, begun);
        let later = begun + Duration::from_secs(4);
        writing.note(path, DATA, later);
        assert_eq!(writing.rest(begun + PATIENCE), Some(Duration::from_secs(4)), "it goes on");
        assert_eq!(writing.rest(later + PATIENCE), None);
    }

    #[test]
    fn a_file_just_made_is_waited_for_and_a_link_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("a.yaml"), directory.path().join("b.yaml"));
        std::fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("a.yaml", &link).unwrap();
        let (mut writing, begun) = (Writing::default(), Instant::now());
        writing.note(&link, EventKind::Create(CreateKind::File), begun);
        assert_eq!(writing.rest(begun), None);
        writing.note(&file, EventKind::Create(CreateKind::File), begun);
        assert_eq!(writing.rest(begun), Some(BEGINNING));
    }
}
