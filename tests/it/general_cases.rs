//! Runs the tests that stand beside policies: the project's general cases, and those of the packs. Each is asked of the
//! engine, of the index's bytes opened again, and of a running daemon.

use std::fs;
use std::path::{Path, PathBuf};

use sidegate::cases::{self, judge, with_request};
use sidegate::client::{ClientError, Listed};
use sidegate::decide;
use sidegate::document::{self, Tested};
use sidegate::index::Index;
use sidegate::model::{Case, EntityName, Facts, Query, Request, Timestamp, Wanted};
use sidegate::service::proto::v1;
use sidegate::snapshot;

use crate::support::daemon;
use crate::support::overlay::Files;
use crate::support::question::Question;
use crate::support::served::Served;
use crate::support::wire;

/// The smallest number of general cases that may be left: a suite that vanished would pass.
const AT_LEAST: usize = 60;

fn general() -> Vec<PathBuf> {
    yaml(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/general"))
}

/// The packs: the studios and the examples beside them.
fn packs() -> Vec<PathBuf> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let entries = [daemon::packs(), examples].map(|directory| fs::read_dir(directory).unwrap());
    let mut packs: Vec<_> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    packs.sort();
    packs
}

fn yaml(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths
}

fn tested(path: &Path) -> Tested {
    let sources = snapshot::read(path, 1 << 24).unwrap();
    Tested::read(sources).unwrap_or_else(|report| panic!("{report}"))
}

fn told(tested: &Tested, case: &Case, door: &str, why: &str) -> String {
    let (file, line) = tested.place(case);
    format!("{file}:{line}: `{}`, {door}: {why}", case.name.value)
}

/// Runs every test of every path through a door; there must be many.
fn through(paths: &[PathBuf], at_least: usize, mut run: impl FnMut(&Path, &Tested) -> Vec<String>) {
    let (mut count, mut failures) = (0, Vec::new());
    for path in paths {
        let tested = tested(path);
        count += tested.cases().len();
        failures.extend(run(path, &tested));
    }
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    assert!(count >= at_least, "only {count} tests were found in {paths:?}");
}

fn everywhere() -> Vec<PathBuf> {
    general().into_iter().chain(packs()).collect()
}

#[test]
fn general_cases() {
    through(&general(), AT_LEAST, in_the_engine);
}

#[test]
fn cases_of_the_packs() {
    let packs = packs();
    assert!(packs.len() >= 6, "five studios and an example: {packs:?}");
    for pack in &packs {
        through(std::slice::from_ref(pack), 5, in_the_engine);
    }
}

#[test]
fn the_packs_are_whole_and_give_no_warning() {
    for pack in packs() {
        for file in ["policy.yaml", "facts.yaml", "tests.yaml", "README.md"] {
            assert!(pack.join(file).is_file(), "{} has no {file}", pack.display());
        }
        let built = document::build(snapshot::read(&pack, 1 << 24).unwrap());
        let built = built.unwrap_or_else(|report| panic!("{}: {report}", pack.display()));
        assert!(built.warnings.diagnostics.is_empty(), "{}: {}", pack.display(), built.warnings);
    }
}

#[test]
fn cases_from_bytes() {
    through(&everywhere(), AT_LEAST, |_, tested| {
        let one = |case: &Case| {
            let index = tested.build(case).map_err(|report| report.to_string());
            let again = index.map(|index| Index::open(index.bytes().to_vec()).unwrap());
            let failure = judge(tested.policy(), case, again.as_ref().map_err(Clone::clone))?;
            Some(told(tested, case, "from bytes", &format!("wanted {}, got {}", failure.wanted, failure.got)))
        };
        tested.cases().iter().filter_map(one).collect()
    });
}

#[test]
fn cases_of_a_running_daemon() {
    through(&everywhere(), AT_LEAST, |path, tested| {
        let files = Files::read(path);
        let mut live: Option<(Vec<(String, String)>, Served)> = None;
        let mut one = |case: &Case| {
            let texts = files.for_test(&case.name.value);
            if live.as_ref().is_none_or(|(other, _)| *other != texts) {
                // One daemon at a time: what is dropped first gives its threads back.
                live = None;
                let written: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
                let served = Served::start(&written);
                live = Some((texts, served));
            }
            let (_, served) = live.as_ref().unwrap();
            served_rightly(tested, case, served).err().map(|why| told(tested, case, "daemon", &why))
        };
        tested.cases().iter().filter_map(&mut one).collect()
    });
}

fn in_the_engine(_: &Path, tested: &Tested) -> Vec<String> {
    let failed = cases::run(tested).into_iter().filter_map(|outcome| Some((outcome.case, outcome.failure?)));
    failed.map(|(case, why)| told(tested, case, "engine", &format!("wanted {}, got {}", why.wanted, why.got))).collect()
}

/// Whether a daemon that serves a test's files, tests and all, holds what the runner builds, and says at its own moment
/// what the engine says at that moment. What the engine says at the test's moment is tested above.
fn served_rightly(tested: &Tested, case: &Case, served: &Served) -> Result<(), String> {
    let failure = served.running.store().status().failure;
    let index = match (tested.build(case), failure) {
        (Ok(index), None) => index,
        (Err(_), Some(failure)) => return refused_rightly(case, &failure.rendered),
        (Ok(_), Some(failure)) => return Err(format!("refused by the daemon only: {}", failure.rendered)),
        (Err(report), None) => return Err(format!("refused by the runner only: {report}")),
    };
    let live = served.running.store().load_full().ok_or("nothing is live")?;
    // Facts that were added as text stand in another order, which the digest tells and no answer does.
    if case.given == Facts::default() && live.index.digest() != index.digest() {
        return Err("the daemon holds another snapshot than the runner".to_owned());
    }
    let question = match &case.query {
        Query::Decide(ask) | Query::Actions(ask) | Query::Resources(ask, _) | Query::Subjects(ask) => {
            with_request(tested.policy(), ask, Question::of)
        }
        Query::Levels { .. } | Query::Seats { .. } => return counted_rightly(tested, case, &index, served),
        // Asked of a real Envoy, with examples that have their own test.
        Query::Http(_) | Query::Nothing => return Ok(()),
    };
    let answer = match &case.query {
        Query::Resources(_, within) => resources(served, &question, within.as_ref()),
        Query::Subjects(_) => subjects(served, &question),
        Query::Actions(_) => actions(served, &question),
        Query::Decide(_) | Query::Http(_) | Query::Levels { .. } | Query::Seats { .. } | Query::Nothing => {
            let request = wire::authorize(&question);
            return match served.client.call(|client| client.authorize(request)) {
                Ok(response) => same(&index, &question, &response),
                Err(error) => refused_rightly(case, &format!("{error:?}")),
            };
        }
    };
    match answer {
        Ok((names, at)) => {
            let said = Case { time: moment(at.as_ref()), wanted: Wanted::Names(names), ..case.clone() };
            judge(tested.policy(), &said, Ok(&index))
                .map_or(Ok(()), |failure| Err(format!("listed {}, the engine {}", failure.wanted, failure.got)))
        }
        Err(error) => refused_rightly(case, &format!("{error:?}")),
    }
}

/// Whether a daemon says the same levels and seats as the engine at the daemon's moment.
fn counted_rightly(tested: &Tested, case: &Case, index: &Index, served: &Served) -> Result<(), String> {
    let (wanted, at) = match &case.query {
        Query::Levels { subject, at } => {
            let (subject, scope) = (Some(wire::entity(subject)), Some(wire::entity(at)));
            let request = v1::ListLevelsRequest { subject, scope, page_size: 2, ..Default::default() };
            let answer = served.client.call(|client| client.every_level(request)).map_err(|error| error.to_string())?;
            let levels = answer.levels.into_iter().map(|one| (one.governor, one.level));
            (Wanted::Levels(levels.collect()), answer.evaluated_at)
        }
        Query::Seats { class, at } => {
            let seat_classes = vec![class.clone()];
            let request = v1::CountSeatsRequest { scope: Some(wire::entity(at)), seat_classes, ..Default::default() };
            let answer = served.client.call(|client| client.count_seats(request)).map_err(|error| error.to_string())?;
            let [count] = answer.counts.as_slice() else { return Err(format!("counted {:?}", answer.counts)) };
            (Wanted::Count(count.count), answer.evaluated_at)
        }
        _ => return Err("neither levels nor seats".to_owned()),
    };
    let said = Case { time: moment(at.as_ref()), wanted, ..case.clone() };
    judge(tested.policy(), &said, Ok(index))
        .map_or(Ok(()), |failure| Err(format!("said {}, the engine {}", failure.wanted, failure.got)))
}

/// Names, and the moment at which they were listed.
type Listing = Result<(Vec<String>, Option<prost_types::Timestamp>), ClientError>;

fn resources(served: &Served, question: &Question, within: Option<&EntityName>) -> Listing {
    let within = within.map(|scope| v1::Entity { r#type: scope.kind.clone(), id: scope.id.clone() });
    // Small pages: the lists of cases are short, and are to go over several.
    let request = v1::ListResourcesRequest { within, page_size: 2, ..wire::list_resources(question) };
    served.client.call(|client| client.every_resource(request)).map(|listed| names(&listed))
}

fn subjects(served: &Served, question: &Question) -> Listing {
    let subject_type = question.subject.kind.clone();
    let request = v1::ListSubjectsRequest { subject_type, page_size: 2, ..wire::list_subjects(question) };
    served.client.call(|client| client.every_subject(request)).map(|listed| names(&listed))
}

fn actions(served: &Served, question: &Question) -> Listing {
    let request = wire::list_actions(question);
    let response = served.client.call(|client| client.list_actions(request))?;
    let allows = |listed: &v1::ActionVerdict| {
        listed.verdict.as_ref().is_some_and(|verdict| verdict.decision() == v1::Decision::Allow)
    };
    let allowed = response.actions.into_iter().filter(allows).map(|listed| listed.action);
    Ok((allowed.collect(), response.evaluated_at))
}

fn names(listed: &Listed) -> (Vec<String>, Option<prost_types::Timestamp>) {
    let names = listed.entities.iter().map(|entity| format!("{}/{}", entity.r#type, entity.id));
    (names.collect(), listed.evaluated_at)
}

fn moment(at: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::new(at.seconds, u32::try_from(at.nanos).ok()?))
}

fn refused_rightly(case: &Case, told: &str) -> Result<(), String> {
    let names = match &case.wanted {
        Wanted::Invalid(names) => names.clone(),
        Wanted::Malformed(field) => vec![field.clone()],
        Wanted::Decision { .. } | Wanted::Names(_) | Wanted::Levels(_) | Wanted::Count(_) => {
            return Err(format!("refused: {told}"));
        }
    };
    match names.iter().find(|name| !told.contains(name.as_str())) {
        Some(name) => Err(format!("`{name}` is not named: {told}")),
        None => Ok(()),
    }
}

fn same(index: &Index, question: &Question, response: &v1::AuthorizeResponse) -> Result<(), String> {
    let at = moment(response.evaluated_at.as_ref()).ok_or("an answer without a moment")?;
    let decide = |request: &Request<'_>| decide::authorize(index, request, at);
    let verdict = question.with(decide).map_err(|malformed| malformed.to_string())?;
    let wanted = (
        verdict.is_allow(),
        verdict.reason.code().to_owned(),
        index.rule_id(verdict.because).unwrap_or_default(),
        verdict.undetermined,
    );
    let got = (
        response.decision() == v1::Decision::Allow,
        response.reason().as_str_name().trim_start_matches("REASON_").to_owned(),
        response.rule_id.clone(),
        response.undetermined,
    );
    if got == wanted { Ok(()) } else { Err(format!("answered {got:?}, the engine {wanted:?}")) }
}
