//! The doors through which a case is asked: the engine itself, and a running daemon.

use std::fs;
use std::path::{Path, PathBuf};

use sidegate::decide::{self, ListError, Listing, Page, PageBounds};
use sidegate::document::{self, Source};
use sidegate::index::Index;
use sidegate::model::{Decision, EntityName, Timestamp};

use super::question::Question;
use super::served::Socket;
use super::translate::FactsText;

/// Something that holds a snapshot and answers from it.
pub(crate) trait Door {
    /// How failures name this door.
    fn name(&self) -> &'static str;

    /// Puts the first snapshot in place.
    ///
    /// # Errors
    /// What the author would read when the source is refused.
    fn load(&mut self, pack: &Path, facts: &FactsText) -> Result<(), String>;

    /// Offers another snapshot of the same pack; when it is refused, the first one stays.
    ///
    /// # Errors
    /// As for [`Door::load`].
    fn reload(&mut self, pack: &Path, facts: &FactsText) -> Result<(), String>;

    /// Whether the answer is an allow.
    ///
    /// # Errors
    /// Any answer that is no decision.
    fn authorize(&mut self, question: &Question) -> Result<Decision, String>;

    /// The allowed actions, in name order.
    ///
    /// # Errors
    /// Any answer that is no list.
    fn list_actions(&mut self, question: &Question) -> Result<Vec<String>, String>;

    /// The resources of the question's resource type that are allowed, as `type/id` and sorted; its resource id counts
    /// for nothing.
    ///
    /// # Errors
    /// Any answer that is no list.
    fn list_resources(&mut self, question: &Question) -> Result<Vec<String>, String>;

    /// The subjects of every type that are allowed, as `type/id` and sorted; the question's subject counts for nothing.
    ///
    /// # Errors
    /// Any answer that is no list.
    fn list_subjects(&mut self, question: &Question) -> Result<Vec<String>, String>;

    /// How many seats of a class are taken at a scope; `None` where this door does not count.
    ///
    /// # Errors
    /// Any answer that is no count.
    fn count_seats(&mut self, class: &str, scope: &EntityName) -> Result<Option<u64>, String>;
}

/// The moment at which the engine's door decides.
fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").expect("a valid moment")
}

/// The engine, called directly. Facts go in as YAML; JSON Lines must build the very same index.
#[derive(Default)]
pub(crate) struct Engine {
    live: Option<Index>,
    /// Whether it answers from the index's bytes, opened once more, as a daemon does that loads a compiled file.
    from_bytes: bool,
}

impl Engine {
    fn live(&self) -> Result<&Index, String> {
        self.live.as_ref().ok_or_else(|| "no snapshot".to_owned())
    }
}

impl Door for Engine {
    fn name(&self) -> &'static str {
        if self.from_bytes { "compiled bytes" } else { "engine" }
    }

    fn load(&mut self, pack: &Path, facts: &FactsText) -> Result<(), String> {
        let yaml = document::build(vec![policy(pack), source("facts.yaml", &facts.yaml)]);
        let lines = document::build(vec![source("facts.jsonl", &facts.json_lines), policy(pack)]);
        match (yaml, lines) {
            (Ok(yaml), Ok(lines)) if yaml.index.digest() == lines.index.digest() => {
                self.live = Some(if self.from_bytes { reopened(&yaml.index)? } else { yaml.index });
                Ok(())
            }
            (Ok(_), Ok(_)) => Err("YAML and JSON Lines of the same facts build different snapshots".to_owned()),
            (Err(report), Err(_)) => Err(report.to_string()),
            (Ok(_), Err(report)) => Err(format!("refused as JSON Lines only: {report}")),
            (Err(report), Ok(_)) => Err(format!("refused as YAML only: {report}")),
        }
    }

    fn reload(&mut self, pack: &Path, facts: &FactsText) -> Result<(), String> {
        self.load(pack, facts)
    }

    fn authorize(&mut self, question: &Question) -> Result<Decision, String> {
        let index = self.live()?;
        let verdict = question.with(|request| decide::authorize(index, request, now()));
        verdict.map(|verdict| verdict.decision).map_err(|malformed| malformed.to_string())
    }

    fn list_actions(&mut self, question: &Question) -> Result<Vec<String>, String> {
        let index = self.live()?;
        let verdicts = question.with(|request| decide::list_actions(index, request, now()));
        let verdicts = verdicts.map_err(|malformed| malformed.to_string())?;
        Ok(verdicts.into_iter().filter(|one| one.verdict.is_allow()).map(|one| one.action).collect())
    }

    fn list_resources(&mut self, question: &Question) -> Result<Vec<String>, String> {
        let index = self.live()?;
        let page = question.with(|request| Listing::of_resources(index, request, None, now())?.page(0, WHOLE));
        whole(page)
    }

    fn list_subjects(&mut self, question: &Question) -> Result<Vec<String>, String> {
        let index = self.live()?;
        let everybody = Question { subject: EntityName { kind: String::new(), id: String::new() }, ..question.clone() };
        let page = everybody.with(|request| Listing::of_subjects(index, request, now())?.page(0, WHOLE));
        whole(page)
    }

    fn count_seats(&mut self, class: &str, scope: &EntityName) -> Result<Option<u64>, String> {
        let count = decide::count_seats(self.live()?, class, scope.as_entity(), now());
        count.map(Some).map_err(|error| error.to_string())
    }
}

fn reopened(index: &Index) -> Result<Index, String> {
    Index::open(index.bytes().to_vec()).map_err(|error| error.to_string())
}

/// Everything on one page.
const WHOLE: PageBounds = PageBounds { allowed: usize::MAX, looked_at: u32::MAX };

fn whole(page: Result<Page<'_>, ListError>) -> Result<Vec<String>, String> {
    let page = page.map_err(|error| error.to_string())?;
    assert_eq!(page.next, None, "a page without bounds is the whole list");
    let mut names: Vec<_> = page.allowed.iter().map(ToString::to_string).collect();
    names.sort();
    Ok(names)
}

/// The pack's policy.
pub(crate) fn policy(pack: &Path) -> Source {
    let path = pack.join("policy.yaml");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source { name: "policy.yaml".to_owned(), bytes }
}

/// A file of a source.
pub(crate) fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

/// Where the packs are.
pub(crate) fn packs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/studios")
}

/// The doors that every case goes through.
pub(crate) fn doors() -> Vec<Box<dyn Door>> {
    let from_bytes = Engine { live: None, from_bytes: true };
    vec![Box::new(Engine::default()), Box::new(from_bytes), Box::new(Socket::default())]
}
