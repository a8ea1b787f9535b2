//! Replays the fuzzing corpus in a plain test run: what a fuzzer found once stays found. The targets themselves are in
//! `fuzz/`, a package of its own.

/// The package of the fuzz targets.
#[cfg(test)]
#[path = "../fuzz/src"]
pub mod fuzz {
    pub mod replay;
}

#[cfg(test)]
#[path = "it"]
#[expect(dead_code, reason = "the properties use more of them than the targets do")]
mod shared {
    pub(crate) mod reference;
    pub(crate) mod support {
        pub(crate) mod question;
    }
    pub(crate) mod universe;
}
#[cfg(test)]
use shared::{reference, support, universe};

use std::fs;
use std::path::Path;

#[cfg(test)]
use fuzz::replay;

/// Fewer files than this, and the corpus was not found.
const FEWEST: usize = 8;

#[test]
fn the_fixed_policy_loads() {
    assert!(!replay::fixed_index().bytes().is_empty());
}

#[test]
fn every_corpus_file_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in replay::TARGETS {
        let mut files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= FEWEST, "{name}: only {} files", files.len());
        for file in files {
            // A panic's message does not name the file; the output of a failed test does.
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}
