//! The checker itself: it finds nothing in honest answers, and every kind of lie that is planted among them.

use sidegate::model::Timestamp;

use super::{Answer, Asked, Dice, Exchange, Failed, Findings, Named, Reply, Version, Versions, check, seed};
use crate::support::good;
use crate::support::question::Question;

/// Three versions, written one after the other, and honest answers of each on one connection.
struct Run {
    versions: Versions,
    questions: Vec<Question>,
    exchanges: Vec<Exchange>,
}

impl Run {
    fn honest() -> Self {
        let mut dice = Dice::new(seed());
        let (mut versions, mut questions, mut exchanges) = (Versions::default(), Vec::new(), Vec::new());
        for number in 1..=3 {
            let version = Version::draw(&mut dice, Timestamp::NEW_YEAR_2026).with_sequence(number);
            versions.note(&version);
            let from = questions.len();
            questions.extend(version.questions(&mut dice, 60, Timestamp::NEW_YEAR_2026));
            for (question, asked) in questions.iter().enumerate().skip(from) {
                let at = Timestamp::new(Timestamp::NEW_YEAR_2026.seconds() + i64::try_from(question).unwrap(), 0);
                let from = Named { digest: version.digest.clone(), sequence: number, at };
                let answer = version.verdict(asked, at.unwrap());
                exchanges.push(exchange(Asked::One, vec![Reply { question, answer, from }]));
            }
        }
        Self { versions, questions, exchanges }
    }

    fn check(&self) -> Findings {
        check(std::slice::from_ref(&self.exchanges), &self.versions, &self.questions)
    }

    /// Finds what changing the first exchange that fits comes to.
    fn planted(mut self, fits: impl Fn(&Reply) -> bool, lie: impl FnOnce(&mut Exchange)) -> Findings {
        let honest = |exchange: &&mut Exchange| exchange.outcome.as_ref().is_ok_and(|replies| fits(&replies[0]));
        lie(self.exchanges.iter_mut().find(honest).expect("an answer that fits"));
        self.check()
    }
}

fn exchange(asked: Asked, replies: Vec<Reply>) -> Exchange {
    Exchange { asked, outcome: Ok(replies) }
}

fn first(exchange: &mut Exchange) -> &mut Reply {
    &mut exchange.outcome.as_mut().unwrap()[0]
}

fn denies(reply: &Reply) -> bool {
    matches!(reply.answer, Answer::Verdict { allow: false, .. })
}

fn allows(reply: &Reply) -> bool {
    matches!(reply.answer, Answer::Verdict { allow: true, .. })
}

#[test]
fn honest_answers_are_clean() {
    let findings = Run::honest().check();
    findings.assert_all_answered();
    assert_eq!((findings.checked, findings.versions), (180, 3));
    assert!(findings.allowed > 5, "{findings}");
}

#[test]
fn a_lie_about_the_decision_is_caught() {
    let flip = |exchange: &mut Exchange| {
        let Answer::Verdict { allow, .. } = &mut first(exchange).answer else { panic!("no verdict") };
        *allow = !*allow;
    };
    let opened = Run::honest().planted(denies, flip);
    assert_eq!((opened.wrong, opened.fail_open), (1, 1), "{opened}");
    let closed = Run::honest().planted(allows, flip);
    assert_eq!((closed.wrong, closed.fail_open), (1, 0), "{closed}");
    assert!(std::panic::catch_unwind(|| closed.assert_clean()).is_err());
}

#[test]
fn a_lie_about_the_reason_the_rule_or_the_doubt_is_caught() {
    let lies: [fn(&mut Answer); 3] = [
        |answer| {
            let Answer::Verdict { reason, .. } = answer else { panic!("no verdict") };
            *reason = "INTERNAL".to_owned();
        },
        |answer| {
            let Answer::Verdict { rule, .. } = answer else { panic!("no verdict") };
            rule.push('x');
        },
        |answer| {
            let Answer::Verdict { undetermined, .. } = answer else { panic!("no verdict") };
            *undetermined = !*undetermined;
        },
    ];
    for lie in lies {
        let findings = Run::honest().planted(denies, |exchange| lie(&mut first(exchange).answer));
        assert_eq!((findings.wrong, findings.fail_open), (1, 0), "{findings}");
    }
}

#[test]
fn a_snapshot_that_nobody_wrote_or_that_did_not_answer_is_caught() {
    let forged = Run::honest().planted(allows, |exchange| first(exchange).from.digest = "0".repeat(64));
    assert_eq!((forged.wrong, forged.fail_open, forged.backwards), (1, 1, 1), "{forged}");
    let unsaid = Run::honest().planted(allows, |exchange| first(exchange).from.at = None);
    assert_eq!(unsaid.wrong, 1, "{unsaid}");
    let misnumbered = Run::honest().planted(denies, |exchange| first(exchange).from.sequence += 1);
    assert_eq!(misnumbered.wrong, 1, "{misnumbered}");
    // All answers of the first version under the name of the last: some of them must differ.
    let mut run = Run::honest();
    let last = run.exchanges.last_mut().map(|exchange| first(exchange).from.clone()).unwrap();
    for exchange in run.exchanges.iter_mut().take(60) {
        first(exchange).from = Named { at: first(exchange).from.at, ..last.clone() };
    }
    let borrowed = run.check();
    assert!(borrowed.wrong > 5 && borrowed.backwards > 0, "{borrowed}");
}

#[test]
fn an_older_snapshot_or_moment_on_one_connection_is_caught() {
    let mut run = Run::honest();
    let early = run.exchanges.remove(0);
    run.exchanges.push(early);
    let findings = run.check();
    assert_eq!((findings.wrong, findings.backwards), (0, 1), "{findings}");
    // On another connection it is none.
    let connections = [run.exchanges.split_off(179), run.exchanges];
    let apart = check(&connections, &run.versions, &run.questions);
    apart.assert_clean();
}

#[test]
fn what_is_lost_mixed_or_broken_is_counted() {
    let lost = Run::honest().planted(denies, |exchange| exchange.outcome = Err(Failed::Lost));
    assert_eq!(lost.lost, 1, "{lost}");
    let broken = Run::honest().planted(denies, |exchange| exchange.outcome = Err(Failed::Transport));
    broken.assert_clean();
    assert_eq!(broken.broken, 1, "{broken}");
    assert!(std::panic::catch_unwind(|| broken.assert_all_answered()).is_err());
    let mut run = Run::honest();
    let last = first(run.exchanges.last_mut().unwrap()).clone();
    let batch = vec![first(&mut run.exchanges[100]).clone(), last];
    run.exchanges = vec![exchange(Asked::Batch, batch)];
    assert_eq!(run.check().mixed, 1);
}

#[test]
fn a_list_with_one_too_many_is_open() {
    let mut run = Run::honest();
    let (from, question) = (first(&mut run.exchanges[0]).from.clone(), 0);
    let wanted = run.versions.find(&from).unwrap().1.subjects(&run.questions[0], from.at.unwrap());
    let Answer::List(wanted) = wanted else { panic!("no verdict") };
    let list = |names| vec![Reply { question, answer: Answer::List(names), from: from.clone() }];
    run.exchanges = vec![exchange(Asked::Subjects, list(wanted.clone()))];
    run.check().assert_clean();
    let intruder = run.questions[0].resource.clone();
    run.exchanges = vec![exchange(Asked::Subjects, list([wanted, vec![intruder]].concat()))];
    let findings = run.check();
    assert_eq!((findings.wrong, findings.fail_open), (1, 1), "{findings}");
}

#[test]
fn a_version_written_by_hand_is_known_by_its_own_text() {
    let version = Version::read(&format!("{}# a remark\nsequence: 7\n", good()));
    assert!(version.text.ends_with("# a remark\nsequence: 7\n") && version.sequence == 7);
    let mut versions = Versions::default();
    versions.note(&version);
    let named = Named { digest: version.digest.clone(), sequence: 7, at: None };
    assert!(versions.find(&named).is_some() && versions.find(&Named::default()).is_none());
}
