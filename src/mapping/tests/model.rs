//! Routes against a naive model: every route is tried by itself, and the narrowest that fits wins.

use std::fmt::Write as _;

use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};
use proptest::sample::select;

use super::{Sent, Unmapped, question};
use crate::document::{Source, build};

/// So few words that paths and patterns meet often.
const WORDS: [&str; 3] = ["a", "b", "A"];

fn pattern() -> impl Strategy<Value = Vec<String>> {
    let segment = select(vec!["a", "b", "{x}", "{x}", "{x}"]);
    (prop::collection::vec(segment, 0..4), proptest::bool::weighted(0.2)).prop_map(|(segments, rest)| {
        let named = segments.iter().enumerate();
        let mut path: Vec<String> = named.map(|(place, text)| text.replace('x', &format!("x{place}"))).collect();
        path.extend(rest.then(|| "{r*}".to_owned()));
        path
    })
}

/// Whether the naive model says that a path fits.
fn fits(pattern: &[String], path: &[&str], alike: impl Fn(&str, &str) -> bool) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, _)), Some(_)) if first == "{r*}" => true,
        (Some((first, pattern)), Some((segment, path))) => {
            (first.starts_with('{') || alike(first, segment)) && fits(pattern, path, alike)
        }
        _ => false,
    }
}

/// Of two patterns that fit one path, whether the first is the narrower: by its first segment that differs.
fn key(pattern: &[String]) -> Vec<u8> {
    let width = |segment: &String| if segment == "{r*}" { 2 } else { u8::from(segment.starts_with('{')) };
    pattern.iter().map(width).collect()
}

fn policy(patterns: &[Vec<String>]) -> String {
    let mut text = "\
sidegate: 1
subject_types: {user: {}}
types: {thing: {root: true, open: true, actions: [use]}}
roles: {all: {at: thing, superuser: true}}
subjects: {user/ana: {}}
http:
  subject: user/ana
  routes:
"
    .to_owned();
    for (number, pattern) in patterns.iter().enumerate() {
        writeln!(text, "    GET /{}: {{action: use, on: thing/{number}}}", pattern.join("/")).unwrap();
    }
    text
}

proptest! {
    #[test]
    fn the_narrowest_route_that_fits_wins(
        mut patterns in prop::collection::vec(pattern(), 1..6),
        paths in prop::collection::vec(prop::collection::vec(select(WORDS.to_vec()), 0..5), 20),
    ) {
        patterns.sort();
        patterns.dedup();
        let sources = vec![Source { name: "policy.yaml".to_owned(), bytes: policy(&patterns).into_bytes() }];
        // Routes that quarrel are refused: of those that do not, the model's choice is the only one.
        if let Ok(built) = build(sources) {
            for path in paths {
                let exact: Vec<usize> =
                    (0..patterns.len()).filter(|at| fits(&patterns[*at], &path, |one, other| one == other)).collect();
                let narrowest = exact.iter().copied().min_by_key(|at| key(&patterns[*at]));
                // A narrower route that would fit in another case makes the request one with two readings.
                let loose = (0..patterns.len()).find(|at| {
                    !exact.contains(at)
                        && fits(&patterns[*at], &path, str::eq_ignore_ascii_case)
                        && narrowest.is_none_or(|best| key(&patterns[*at]) < key(&patterns[best]))
                });
                let sent = Sent::new("GET", &format!("/{}", path.join("/")));
                let request = sent.request();
                let found = question(&built.index, &request).map(|question| question.resource.id);
                match (narrowest, loose) {
                    (_, Some(_)) => prop_assert_eq!(found, Err(Unmapped::Path("fits a route but for upper and lower case"))),
                    (Some(best), None) => prop_assert_eq!(found, Ok(best.to_string())),
                    (None, None) => prop_assert_eq!(found, Err(Unmapped::NoRoute)),
                }
            }
        }
    }
}
