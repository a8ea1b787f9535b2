//! All routes together: which quarrel, which are in vain, and in what order they are tried.

use std::collections::BTreeMap;

use crate::compile::findings::Findings;
use crate::compile::layout::HttpPartSort;
use crate::model::{HttpRoute, order};

use super::pattern::{Pattern, Relation, Segment, meeting, order, relation};
use super::{PartInfo, RouteInfo};

/// The most methods of all routes together: each is compared with each.
const MOST_ROUTES: usize = 4_096;

/// Reports routes of which a request could take either, and routes that no request takes.
pub(super) fn compare(routes: &[(&HttpRoute, Pattern)], findings: &mut Findings) {
    let mut by_method: BTreeMap<&str, Vec<&(&HttpRoute, Pattern)>> = BTreeMap::new();
    for route in routes {
        for method in &route.1.methods {
            by_method.entry(method).or_default().push(route);
        }
    }
    let all: usize = by_method.values().map(Vec::len).sum();
    if all > MOST_ROUTES {
        let at = routes.first().map_or_else(Default::default, |(route, _)| route.pattern.at);
        findings.error(at, format!("there are {all} routes, each method counted; {MOST_ROUTES} is the most"));
        return;
    }
    for (method, routes) in by_method {
        for (place, (route, pattern)) in routes.iter().enumerate() {
            for (earlier, other) in routes.iter().take(place) {
                quarrel(method, (route, pattern), (earlier, other), &routes, findings);
            }
            if is_in_vain(pattern, &routes) {
                let message =
                    format!("the route `{}` is in vain: narrower ones take all of its requests", route.pattern.value);
                findings.error_with_help(route.pattern.at, message, "remove it, or one of those");
            }
        }
    }
}

fn quarrel(
    method: &str,
    (route, pattern): (&HttpRoute, &Pattern),
    (earlier, other): (&HttpRoute, &Pattern),
    all: &[&(&HttpRoute, Pattern)],
    findings: &mut Findings,
) {
    let related = relation((pattern.host.as_deref(), &pattern.path), (other.host.as_deref(), &other.path));
    if related == Relation::Crossing && has_meeting(pattern, other, all) {
        return;
    }
    let (name, other) = (&route.pattern.value, &earlier.pattern.value);
    let (message, help) = match related {
        Relation::Apart | Relation::Nested => return,
        Relation::Same => {
            (format!("the routes `{name}` and `{other}` take the same requests of `{method}`"), "remove one of the two")
        }
        Relation::Crossing => (
            format!("a request of `{method}` can fit both `{name}` and `{other}`, and neither is narrower"),
            "add a route for exactly what fits both, or make one of them narrower in host and every segment",
        ),
        Relation::Case => (
            format!("the routes `{name}` and `{other}` differ in upper and lower case alone"),
            "servers do not agree on whether these are the same; use one of the two",
        ),
    };
    findings.error_with_help(route.pattern.at, message, help);
}

/// Whether a route takes exactly what two others both could: it is narrower than each, so neither gets it.
fn has_meeting(one: &Pattern, other: &Pattern, all: &[&(&HttpRoute, Pattern)]) -> bool {
    let path = meeting(&one.path, &other.path);
    let host = one.host.as_deref().or(other.host.as_deref());
    all.iter().any(|(_, pattern)| relation((pattern.host.as_deref(), &pattern.path), (host, &path)) == Relation::Same)
}

/// Whether a pattern that ends with the rest of a path is covered length by length.
fn is_in_vain(pattern: &Pattern, all: &[&(&HttpRoute, Pattern)]) -> bool {
    let Some((Segment::Rest(_), before)) = pattern.path.split_last() else { return false };
    let mut prefix: Vec<Segment> = before.to_vec();
    let has = |wanted: &[Segment]| {
        all.iter().any(|(_, other)| {
            let hosts = other.host == pattern.host || other.host.is_none();
            hosts && relation((None, &other.path), (None, wanted)) == Relation::Same
        })
    };
    loop {
        prefix.push(Segment::Capture(String::new()));
        if !has(&prefix) {
            return false;
        }
        let rest: Vec<Segment> = prefix.iter().cloned().chain([Segment::Rest(String::new())]).collect();
        if has(&rest) {
            return true;
        }
    }
}

/// The routes as they are tried.
pub(super) fn in_order(mut routes: Vec<RouteInfo>) -> Vec<RouteInfo> {
    order::by(&mut routes, |one, other| {
        let paths = [segments(&one.path), segments(&other.path)];
        let [left, right] = &paths;
        one.method.cmp(&other.method).then_with(|| order((one.host.as_deref(), left), (other.host.as_deref(), right)))
    });
    routes
}

/// A segment as it is stored.
pub(super) fn part(segment: &Segment) -> PartInfo {
    let (sort, text) = match segment {
        Segment::Literal(text) => (HttpPartSort::Literal, text),
        Segment::Capture(name) => (HttpPartSort::Capture, name),
        Segment::Rest(name) => (HttpPartSort::Rest, name),
    };
    PartInfo { sort, text: text.clone() }
}

fn segments(parts: &[PartInfo]) -> Vec<Segment> {
    let segment = |part: &PartInfo| match part.sort {
        HttpPartSort::Capture => Segment::Capture(part.text.clone()),
        HttpPartSort::Rest => Segment::Rest(part.text.clone()),
        _ => Segment::Literal(part.text.clone()),
    };
    parts.iter().map(segment).collect()
}
