//! `[[callers]]`: tables of the file into rules, and rules into tables. What a rule means is the service's business.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::service::{Asserted, CallerRule, MOST_RULES, Rate, Reasons, SanPattern, Tenants, Who};

/// Items of one list at most.
const MOST_ITEMS: usize = 10_000;

/// Shows how rules are written; a test takes the marks away and reads it.
const EXAMPLE: &str = r#"
# Who may ask what. The first rule that covers a caller counts; whoever none covers is refused. Without any rule everybody
# who can connect may ask everything. Remove the marks to begin:
#
# [[callers]]
# name = "gateway"                              # in logs, metrics and refusals
# uid = [1000, 1001]                            # users by Unix socket; and `gid` for their main group
# tenants = ["workspace/prod"]                  # resources asked about: these nodes and below; default all
# subject_types = ["user"]                      # subjects asked about; default all
# list = true                                   # may ask List...; default false
# reasons = "code"                              # how much of the why is shown: `none`, `code` or `full`, the default
# assert = ["context.*", "resource.locked"]     # properties it may send; default `*`; see the README
# rate = 1000                                   # calls and items a second for each user; default no limit
# burst = 2000                                  # at once after a rest; default as `rate`
# in_flight = 64                                # calls at once for each user; default no limit
#
# [[callers]]
# name = "console"
# tls = ["spiffe://example.org/ops/*", "console.example.org"] # names in a client certificate
# list = true
# explain = true                                # may ask Explain; default false
# administration = true                         # may ask CheckGrant and CountSeats; default false
#
# [[callers]]
# name = "others"
# anyone = true                                 # everybody who can connect
# reasons = "none"
"#;

/// The rules as a file; where there are none, how they would be written.
pub(super) fn to_toml(rules: &[CallerRule]) -> String {
    if rules.is_empty() {
        return EXAMPLE.trim_end().to_owned();
    }
    rules.iter().map(rule_to_toml).collect::<Vec<_>>().join("\n")
}

/// Reads every table, and notes every mistake with its place.
pub(super) fn read(
    value: &Spanned<DeValue<'_>>,
    place: &dyn Fn(usize) -> String,
    mistakes: &mut Vec<String>,
) -> Vec<CallerRule> {
    let at = place(value.span().start);
    let Some(tables) = value.get_ref().as_array() else {
        mistakes.push(format!("{at}: `callers` must be written `[[callers]]`"));
        return Vec::new();
    };
    if tables.len() > MOST_RULES {
        mistakes.push(format!("{at}: more than {MOST_RULES} `[[callers]]`"));
        return Vec::new();
    }
    let mut rules: Vec<CallerRule> = Vec::new();
    for table in tables {
        let at = place(table.span().start);
        let Some(entries) = table.get_ref().as_table() else {
            mistakes.push(format!("{at}: `callers` must be written `[[callers]]`"));
            continue;
        };
        let mut reader = Reader { entries, at, place, mistakes };
        let Some(rule) = reader.rule() else { continue };
        if rules.iter().any(|earlier| earlier.name == rule.name) {
            let at = reader.at_key("name");
            reader.mistakes.push(format!("{at}: `callers.name` `{}` is given twice", rule.name));
        }
        rules.push(rule);
    }
    rules
}

/// Reads one table.
struct Reader<'r, 't> {
    entries: &'r DeTable<'t>,
    at: String,
    place: &'r dyn Fn(usize) -> String,
    mistakes: &'r mut Vec<String>,
}

const KEYS: [&str; 15] = [
    "name",
    "uid",
    "gid",
    "tls",
    "anyone",
    "subject_types",
    "tenants",
    "list",
    "explain",
    "administration",
    "reasons",
    "assert",
    "rate",
    "burst",
    "in_flight",
];

impl Reader<'_, '_> {
    /// The rule, if it can be told apart from others; every mistake in it is noted.
    fn rule(&mut self) -> Option<CallerRule> {
        for (key, _) in self.entries {
            if !KEYS.contains(&key.get_ref().as_ref()) {
                let at = (self.place)(key.span().start);
                let known = KEYS.join("`, `");
                self.mistakes.push(format!("{at}: unknown key `callers.{}`; known are `{known}`", key.get_ref()));
            }
        }
        let who = self.who();
        let name = self.text("name");
        let mut rule = CallerRule::new(name.clone().unwrap_or_default(), who?);
        self.what(&mut rule);
        match name {
            Some(name) if CallerRule::is_name(&name) => Some(rule),
            Some(_) => {
                self.wrong("name", "must be 1 to 64 letters, digits, `-`, `_` or `.`");
                None
            }
            None => {
                let at = &self.at;
                self.mistakes.push(format!("{at}: a `[[callers]]` has no `name`"));
                None
            }
        }
    }

    fn who(&mut self) -> Option<Who> {
        let uids = self.numbers("uid");
        let gids = self.numbers("gid");
        let patterns = self.texts("tls").map(|texts| self.each("tls", texts, SanPattern::parse));
        if patterns.as_ref().is_some_and(Vec::is_empty) {
            self.wrong("tls", "must name at least one");
        }
        let anyone = self.flag("anyone");
        if self.entries.get("anyone").is_some() && anyone == Some(false) {
            self.wrong("anyone", "must be `true`, or be left out");
        }
        let at = self.at.clone();
        match (uids.is_some() || gids.is_some(), patterns, anyone) {
            (true, None, None) => Some(Who::Unix { uids: uids.unwrap_or_default(), gids: gids.unwrap_or_default() }),
            (false, Some(patterns), None) => Some(Who::Tls(patterns)),
            (false, None, Some(_)) => Some(Who::Anyone),
            _ => {
                self.mistakes.push(format!(
                    "{at}: a `[[callers]]` must say whom it covers, in one way: `uid` and `gid`, or `tls`, or \
                     `anyone = true`"
                ));
                None
            }
        }
    }

    fn what(&mut self, rule: &mut CallerRule) {
        rule.subject_types = self.texts("subject_types").map(|types| types.into_iter().collect());
        if let Some(nodes) = self.texts("tenants") {
            let mut tenants = Tenants::default();
            drop(self.each("tenants", nodes, |text| tenants.add(text)));
            rule.tenants = Some(tenants);
        }
        rule.list = self.flag("list").unwrap_or_default();
        rule.explain = self.flag("explain").unwrap_or_default();
        rule.administration = self.flag("administration").unwrap_or_default();
        if let Some(text) = self.text("reasons") {
            match Reasons::ALL.into_iter().find(|reasons| reasons.name() == text) {
                Some(reasons) => rule.reasons = reasons,
                None => self.wrong("reasons", "must be `none`, `code` or `full`"),
            }
        }
        if rule.explain && rule.reasons != Reasons::Full {
            self.wrong("explain", "shows every reason; it needs `reasons = \"full\"`");
        }
        if let Some(names) = self.texts("assert") {
            let mut asserted = Asserted::nothing();
            drop(self.each("assert", names, |text| asserted.add(text)));
            rule.assert = asserted;
        }
        rule.in_flight = self.number("in_flight", 1, 1_000_000).and_then(|most| usize::try_from(most).ok());
        let small = |number| u32::try_from(number).ok();
        let per_second = self.number("rate", 1, 1_000_000).and_then(small);
        let burst = self.number("burst", 1, 1_000_000).and_then(small);
        if burst.is_some() && self.entries.get("rate").is_none() {
            self.wrong("burst", "needs a `rate`");
        }
        rule.rate = per_second.map(|per_second| Rate { per_second, burst: burst.unwrap_or(per_second) });
    }

    fn value(&self, key: &str) -> Option<&Spanned<DeValue<'_>>> {
        self.entries.get(key)
    }

    fn at_key(&self, key: &str) -> String {
        self.value(key).map_or_else(|| self.at.clone(), |value| (self.place)(value.span().start))
    }

    fn wrong(&mut self, key: &str, problem: &str) {
        let at = self.at_key(key);
        self.mistakes.push(format!("{at}: `callers.{key}` {problem}"));
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let text = self.value(key)?.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(key, "must be a TOML string");
        }
        text
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = self.value(key)?.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(key, "must be `true` or `false`");
        }
        flag
    }

    fn number(&mut self, key: &str, least: u64, most: u64) -> Option<u64> {
        let number = integer(self.value(key)?.get_ref()).filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(key, &format!("must be a number from {least} to {most}"));
        }
        number
    }

    /// One number or several.
    fn numbers(&mut self, key: &str) -> Option<Vec<u32>> {
        let small = |value: &DeValue<'_>| integer(value).and_then(|number| u32::try_from(number).ok());
        let numbers: Option<Vec<u32>> = match self.value(key)?.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| small(item.get_ref())).collect(),
            one => small(one).map(|one| vec![one]),
        };
        let numbers = numbers.filter(|numbers| !numbers.is_empty() && numbers.len() <= MOST_ITEMS);
        if numbers.is_none() {
            self.wrong(key, "must be a number such as `1000`, or a list of some");
        }
        // It is there: what is wrong with it is all that is wrong.
        Some(numbers.unwrap_or_default())
    }

    /// One text or several; for lists of names, none at all too.
    fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let texts: Option<Vec<String>> = match self.value(key)?.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
            one => one.as_str().map(|one| vec![one.to_owned()]),
        };
        let texts = texts.filter(|texts| texts.len() <= MOST_ITEMS);
        if texts.is_none() {
            self.wrong(key, &format!("must be a list of at most {MOST_ITEMS} texts"));
        }
        Some(texts.unwrap_or_default())
    }

    /// What is read from each text; those that are wrong are noted.
    fn each<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        texts: Vec<String>,
        mut read: impl FnMut(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let mut each = Vec::with_capacity(texts.len());
        for text in texts {
            match read(&text) {
                Ok(one) => each.push(one),
                Err(problem) => self.wrong(key, &format!("{problem}, not `{}`", text.escape_debug())),
            }
        }
        each
    }
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn rule_to_toml(rule: &CallerRule) -> String {
    let CallerRule { name, who, subject_types, tenants, .. } = rule;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let list = |texts: &mut dyn Iterator<Item = String>| format!("[{}]", texts.collect::<Vec<_>>().join(", "));
    let mut lines = vec!["\n[[callers]]".to_owned(), format!("name = {}", quoted(name))];
    match who {
        Who::Anyone => lines.push("anyone = true".to_owned()),
        Who::Unix { uids, gids } => {
            for (key, numbers) in [("uid", uids), ("gid", gids)] {
                if !numbers.is_empty() {
                    lines.push(format!("{key} = {}", list(&mut numbers.iter().map(ToString::to_string))));
                }
            }
        }
        Who::Tls(patterns) => {
            lines.push(format!("tls = {}", list(&mut patterns.iter().map(|pattern| quoted(&pattern.to_string())))));
        }
    }
    if let Some(types) = subject_types {
        lines.push(format!("subject_types = {}", list(&mut types.iter().map(|kind| quoted(kind)))));
    }
    if let Some(tenants) = tenants {
        lines.push(format!("tenants = {}", list(&mut tenants.iter().map(|node| quoted(&node.to_string())))));
    }
    for (key, flag) in [("list", rule.list), ("explain", rule.explain), ("administration", rule.administration)] {
        lines.push(format!("{key} = {flag}"));
    }
    lines.push(format!("reasons = {}", quoted(rule.reasons.name())));
    lines.push(format!("assert = {}", list(&mut rule.assert.texts().iter().map(|text| quoted(text)))));
    if let Some(Rate { per_second, burst }) = rule.rate {
        lines.push(format!("rate = {per_second}\nburst = {burst}"));
    }
    if let Some(most) = rule.in_flight {
        lines.push(format!("in_flight = {most}"));
    }
    lines.join("\n")
}
