//! Draws a world from a seed.

use super::{
    ATTRIBUTES, Binding, Condition, Entity, Forbid, Grants, IDS, Lifetime, Limit, MOODS, Name, OPERATIONS, OPTIONAL,
    Operand, Role, Root, Rule, TYPES, Test, Val, Values, World, actions_of,
};

const WORDS: [&str; 6] = ["", "x", "xy", "y", "é", "*"];
const MOMENTS: [i64; 3] = [10, 20, 30];
const TYPE_NAMES: [&str; 3] = ["org", "space", "item"];

/// SplitMix64: the same numbers everywhere.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).expect("small")).expect("small")
    }

    /// Yes, in so many of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One or more of several, in their order.
    pub fn some<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let sure = self.below(items.len());
        let kept = items.iter().enumerate().filter(|(at, _)| *at == sure || self.chance(35));
        kept.map(|(_, item)| item.clone()).collect()
    }
}

impl World {
    /// Draws one. In a `complete` world every value that a condition reads is there.
    pub fn draw(random: &mut Random, complete: bool) -> Self {
        let values = |random: &mut Random| values(random, complete, true);
        let subjects: Vec<_> = ["user", "robot"]
            .iter()
            .flat_map(|kind| IDS[..2].iter().map(|id| Name { kind, id }))
            .map(|name| Entity { name, parent: None, values: values(random), disabled: random.chance(5) })
            .collect();
        let mut resources: Vec<Entity> = Vec::new();
        for (kind, count) in [("org", 2), ("space", 3), ("item", 4)] {
            for id in &IDS[..count] {
                let may = |own: &&Entity| match kind {
                    "space" => own.name.kind != "item",
                    "item" => own.name.kind == "space",
                    _ => false,
                };
                let parents: Vec<_> = resources.iter().filter(may).map(|own| own.name.clone()).collect();
                let parent = if parents.is_empty() { None } else { Some(random.choose(&parents).clone()) };
                resources.push(Entity { name: Name { kind, id }, parent, values: values(random), disabled: false });
            }
        }
        let mut world = Self {
            roles: Vec::new(),
            forbids: Vec::new(),
            subjects,
            resources,
            bindings: Vec::new(),
            contexts: (0..2).map(|_| self::values(random, complete, false)).collect(),
            now: *random.choose(&[5, 10, 15, 20, 25, 30]),
        };
        for number in 0..=random.below(4) {
            let role = role(random, &world, format!("r{number}"), complete);
            world.roles.push(role);
        }
        world.bindings(random);
        for number in 0..random.below(3) {
            let forbid = forbid(random, &world, format!("f{number}"), complete);
            world.forbids.push(forbid);
        }
        world
    }

    fn bindings(&mut self, random: &mut Random) {
        for _ in 0..2 + random.below(8) {
            let role = random.choose(&self.roles);
            let at: Vec<_> = self.resources.iter().filter(|own| role.at.contains(&own.name.kind)).collect();
            let (subject, at) = (random.choose(&self.subjects).name.clone(), random.choose(&at).name.clone());
            let (role, lifetime, disabled) = (role.name.clone(), lifetime(random), random.chance(5));
            if self.bindings.iter().all(|own| (&own.subject, &own.role, &own.at) != (&subject, &role, &at)) {
                self.bindings.push(Binding { subject, role, at, lifetime, disabled });
            }
        }
    }
}

fn values(random: &mut Random, complete: bool, optional: bool) -> Values {
    let mut values = Values::new();
    for name in ATTRIBUTES.iter().filter(|name| **name != "mood" || optional) {
        if complete || random.chance(70) {
            values.insert(name, value(random, name));
        }
    }
    for name in OPTIONAL.iter().filter(|_| optional) {
        if random.chance(50) {
            values.insert(name, value(random, name));
        }
    }
    values
}

fn value(random: &mut Random, name: &str) -> Val {
    match name {
        "flag" => Val::Bool(random.chance(50)),
        "num" | "rank" => Val::Int(number(random)),
        "tags" => Val::Texts((0..random.below(3)).map(|_| text(random)).collect()),
        "owner" => {
            Val::Subject(Name { kind: random.choose::<&str>(&["user", "robot"]), id: random.choose::<&str>(&IDS[..2]) })
        }
        "mood" => Val::Text((*random.choose(&MOODS)).to_owned()),
        _ => Val::Text(text(random)),
    }
}

fn number(random: &mut Random) -> i64 {
    i64::try_from(random.below(4)).expect("small") - 1
}

fn text(random: &mut Random) -> String {
    (*random.choose(&WORDS)).to_owned()
}

fn lifetime(random: &mut Random) -> Lifetime {
    Lifetime {
        from: random.chance(15).then(|| MOMENTS[0]),
        until: random.chance(15).then(|| MOMENTS[1 + random.below(2)]),
    }
}

fn role(random: &mut Random, world: &World, name: String, complete: bool) -> Role {
    let at = random.some(&TYPE_NAMES[..2]);
    let rules = (0..=random.below(3)).map(|_| rule(random, &at, complete)).collect();
    let limits = (0..random.below(3).saturating_sub(1)).map(|_| limit(random, complete)).collect();
    let includes = world.roles.iter().filter(|_| random.chance(25)).map(|own| own.name.clone()).collect();
    Role { name, at, includes, rules, limits }
}

fn rule(random: &mut Random, at: &[&'static str], complete: bool) -> Rule {
    let on = on(random);
    let when = random.chance(70).then(|| condition(random, &on, complete, 2));
    let held_at = random.chance(15).then(|| *random.choose(at));
    Rule { grants: grants(random, &on), on, held_at, when }
}

fn limit(random: &mut Random, complete: bool) -> Limit {
    let on = on(random);
    if random.chance(50) {
        let actions = some_actions(random, &on);
        return Limit::Only(on, actions);
    }
    let condition = condition(random, &on, complete, 1);
    Limit::Gate(on.clone(), grants(random, &on), condition)
}

fn forbid(random: &mut Random, world: &World, id: String, complete: bool) -> Forbid {
    let on = if random.chance(30) { Vec::new() } else { on(random) };
    let named: &[&'static str] = if on.is_empty() { &TYPE_NAMES } else { &on };
    let subjects: Vec<_> = world.subjects.iter().map(|own| own.name.clone()).collect();
    let scopes: Vec<_> = world.resources.iter().map(|own| own.name.clone()).collect();
    Forbid {
        id,
        grants: if on.is_empty() { Grants::All } else { grants(random, named) },
        subjects: if random.chance(30) { random.some(&subjects) } else { Vec::new() },
        scopes: if random.chance(30) { random.some(&scopes[..5]) } else { Vec::new() },
        when: random.chance(85).then(|| condition(random, named, complete, 2)),
        lifetime: lifetime(random),
        on,
    }
}

fn on(random: &mut Random) -> Vec<&'static str> {
    random.some(&["item", "space", "org"])
}

fn grants(random: &mut Random, on: &[&'static str]) -> Grants {
    match random.below(4) {
        0 => Grants::All,
        1 => Grants::Operations(random.some(&OPERATIONS.map(|(name, _)| name))),
        _ => Grants::Actions(some_actions(random, on)),
    }
}

/// Actions that every type of several has, or at least one of them.
fn some_actions(random: &mut Random, on: &[&str]) -> Vec<&'static str> {
    let mut all: Vec<_> =
        TYPES.iter().filter(|(kind, _)| on.contains(kind)).flat_map(|(kind, _)| actions_of(kind)).collect();
    all.sort_unstable();
    all.dedup();
    random.some(&all).into_iter().copied().collect()
}

fn condition(random: &mut Random, on: &[&str], complete: bool, depth: usize) -> Condition {
    let inner = |random: &mut Random| Box::new(condition(random, on, complete, depth - 1));
    match random.below(if depth == 0 { 3 } else { 7 }) {
        3 => Condition::Not(inner(random)),
        4 => Condition::And(inner(random), inner(random)),
        5 => Condition::Or(inner(random), inner(random)),
        _ => Condition::Test(test(random, on, complete)),
    }
}

fn test(random: &mut Random, on: &[&str], complete: bool) -> Test {
    let equal = *random.choose(&["==", "!="]);
    let order = *random.choose(&["==", "!=", "<", "<=", ">", ">="]);
    let find = *random.choose(&["startsWith", "endsWith", "contains"]);
    let (held, any, other) = (root(random, on, false), root(random, on, true), root(random, on, true));
    let literal = |value| Operand::Literal(value);
    match random.below(14) {
        0 => Test::Flag(any, "flag"),
        1 => Test::Compare(equal, Operand::Path(any, "flag"), literal(Val::Bool(random.chance(50)))),
        2 => Test::Compare(equal, Operand::Path(any, "flag"), Operand::Path(other, "flag")),
        3 | 4 => Test::Compare(order, Operand::Path(any, "num"), literal(Val::Int(number(random)))),
        5 => Test::Compare(order, Operand::Path(any, "num"), Operand::Path(other, "num")),
        6 => Test::Compare(equal, Operand::Path(any, "word"), literal(Val::Text(text(random)))),
        7 => Test::Compare(equal, Operand::Path(any, "word"), Operand::Path(other, "word")),
        8 => Test::Compare("in", Operand::Path(any, "word"), literal(Val::Texts(vec![text(random), text(random)]))),
        9 => Test::Compare("in", literal(Val::Text(text(random))), Operand::Path(any, "tags")),
        10 => Test::Compare(find, Operand::Path(any, "word"), literal(Val::Text(text(random)))),
        11 => Test::Compare(equal, Operand::Path(any, "owner"), Operand::Subject),
        12 if complete || random.chance(50) => Test::Has(held, random.choose::<&str>(&OPTIONAL)),
        12 => Test::Compare(order, Operand::Path(held, "rank"), literal(Val::Int(number(random)))),
        _ => Test::Compare(equal, Operand::Path(held, "mood"), literal(Val::Text(MOODS[random.below(2)].to_owned()))),
    }
}

/// Whose attribute a condition about some types may read.
fn root(random: &mut Random, on: &[&str], context: bool) -> Root {
    let mut roots = vec![Root::Resource, Root::Subject];
    if context {
        roots.push(Root::Context);
    }
    if !on.contains(&"org") {
        roots.push(Root::Ancestor("org"));
    }
    if on == ["item"] {
        roots.push(Root::Ancestor("space"));
    }
    *random.choose(&roots)
}
