//! Conditions, well typed by construction, as text.

use super::{Draw, Feature, GOVERNORS, MOMENTS, MOODS, WORDS};

/// What a condition may read.
pub(crate) struct Roots {
    /// Types that may be an ancestor of every resource concerned.
    pub(crate) ancestors: Vec<&'static str>,
    /// Whether the parameters of `move` are there.
    pub(crate) parameters: bool,
}

pub(crate) fn condition(draw: &mut Draw<'_>, roots: &Roots, depth: usize) -> String {
    match draw.pick(if depth == 0 { 1 } else { 6 }) {
        3 => format!("!({})", condition(draw, roots, depth - 1)),
        4 => format!("({} && {})", condition(draw, roots, depth - 1), condition(draw, roots, depth - 1)),
        5 => format!("({} || {})", condition(draw, roots, depth - 1), condition(draw, roots, depth - 1)),
        _ => test(draw, roots),
    }
}

fn test(draw: &mut Draw<'_>, roots: &Roots) -> String {
    if draw.uses(Feature::Credentials, 4) {
        return "request.by_credential".to_owned();
    }
    let (left, right) = (root(draw, roots), root(draw, roots));
    let order = *draw.choose(&["<", "<=", ">", ">=", "==", "!="]);
    let equal = *draw.choose(&["==", "!="]);
    let (word, mood, moment) = (*draw.choose(&WORDS), *draw.choose(&MOODS), *draw.choose(&MOMENTS));
    let (number, governor) = (draw.pick(3), *draw.choose(&GOVERNORS));
    match draw.pick(if roots.parameters { 25 } else { 22 }) {
        0 => format!("{left}.flag"),
        1 => format!("{left}.flag {equal} false"),
        2 => format!("{left}.flag {equal} {right}.flag"),
        3 => format!("{left}.num {order} {number}"),
        4 => format!("{left}.num {order} {right}.num"),
        5 => format!("{left}.word {equal} '{word}'"),
        6 => format!("{left}.word {equal} {right}.word"),
        7 => format!("{left}.mood {equal} \"{mood}\""),
        8 => format!("{left}.mood {equal} {right}.mood"),
        9 => format!("{left}.word in ['{word}', 'x']"),
        10 => format!("'{word}' in {left}.tags"),
        11 => format!("{left}.word in {right}.tags"),
        12 => format!("has({left}.{})", draw.choose(&super::ATTRIBUTES)),
        13 => format!("size({left}.tags) {order} {number}"),
        14 => format!("{left}.word.{}(\"{word}\")", draw.choose(&["startsWith", "endsWith", "contains"])),
        15 => format!("{left}.seen {order} timestamp('{moment}')"),
        16 => format!("request.time {order} {left}.seen"),
        17 => format!("{left}.keeper {equal} subject"),
        18 => format!("{left}.owner {equal} {right}.owner"),
        19 => format!("size({left}.word) {order} {number}"),
        20 => format!("{left}.ruler {equal} '{governor}'"),
        21 => format!("{left}.ruler {equal} {right}.ruler"),
        22 => format!("param.third {equal} {left}.owner"),
        23 => format!("has(param.{})", draw.choose(&["who", "third"])),
        _ => format!("param.who {equal} {left}.keeper"),
    }
}

fn root(draw: &mut Draw<'_>, roots: &Roots) -> String {
    let known = ["resource", "context", "subject", "credential"];
    let known = if Feature::Credentials.is_known() { &known[..] } else { &known[..3] };
    match draw.pick(known.len() + roots.ancestors.len()) {
        own if own < known.len() => known[own].to_owned(),
        ancestor => format!("ancestor.{}", roots.ancestors[ancestor - known.len()]),
    }
}
