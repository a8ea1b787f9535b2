//! One rule about callers, as data. Who it covers is [`super::identity`]'s business, what it lets ask [`super::scope`]'s.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    model::{Entity, name_problem},
    observe::decision_log::{Owner, PropertyName},
};

/// Rules at most: each name is a label of a metric.
pub const MOST_RULES: usize = 256;
/// The longest name of a rule.
const MAX_NAME_BYTES: usize = 64;

/// What one sort of caller may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerRule {
    /// What it is called in logs, metrics and refusals.
    pub name: String,
    /// Whom it covers.
    pub who: Who,
    /// The types of subjects that may be asked about; `None` for all.
    pub subject_types: Option<BTreeSet<String>>,
    /// What the resources asked about must stand in; `None` for anywhere.
    pub tenants: Option<Tenants>,
    /// Whether lists may be asked for.
    pub list: bool,
    /// Whether `Explain` may be asked.
    pub explain: bool,
    /// Whether `CheckGrant` and `CountSeats` may be asked.
    pub administration: bool,
    /// How much of the why is shown.
    pub reasons: Reasons,
    /// Which properties may be sent.
    pub assert: Asserted,
    /// How much may be asked over time.
    pub rate: Option<Rate>,
    /// How many calls may be in flight.
    pub in_flight: Option<usize>,
}

/// Whom a rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Everybody who can connect.
    Anyone,
    /// Users of this machine, by Unix socket. An empty list sets no bound; not both are empty.
    Unix {
        /// One of these users.
        uids: Vec<u32>,
        /// Whose main group is one of these.
        gids: Vec<u32>,
    },
    /// Holders of a verified certificate with one of these names.
    Tls(Vec<SanPattern>),
}

/// A name in a certificate, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SanPattern {
    /// This URI, byte for byte.
    Uri(String),
    /// Every URI below this one, which ends in a slash.
    Below(String),
    /// This DNS name, whatever the case of its letters.
    Dns(String),
}

/// Nodes of the scope tree: ids by type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenants(BTreeMap<String, BTreeSet<String>>);

/// How much of the why a caller is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reasons {
    /// The decision alone.
    None,
    /// The reason's code too.
    Code,
    /// Everything.
    #[default]
    Full,
}

/// The properties that a caller may send. None of them covers a property whose declaration lets the caller's value win
/// over the stored one, unless it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asserted {
    /// Whether all may be.
    pub all: bool,
    /// Whose may be, all of them.
    pub owners: Vec<Owner>,
    /// Which may be, one by one.
    pub names: Vec<PropertyName>,
}

/// How much may be asked over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls, or items, a second.
    pub per_second: u32,
    /// How many at once after a rest.
    pub burst: u32,
}

impl CallerRule {
    /// A rule that covers somebody and lets them ask for decisions, and nothing else.
    pub fn new(name: impl Into<String>, who: Who) -> Self {
        Self {
            name: name.into(),
            who,
            subject_types: None,
            tenants: None,
            list: false,
            explain: false,
            administration: false,
            reasons: Reasons::default(),
            assert: Asserted::default(),
            rate: None,
            in_flight: None,
        }
    }

    /// Whether a text can be a rule's name.
    pub fn is_name(text: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.bytes().all(fits)
    }
}

impl SanPattern {
    /// Reads a URI, the beginning of one (`spiffe://example.org/prod/*`) or a DNS name.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > 2048 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("must be a URI or a DNS name, in ASCII without spaces");
        }
        if !text.contains(':') {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let dns = text.bytes().all(fits).then(|| Self::Dns(text.to_owned()));
            return dns.ok_or("must be a whole DNS name, without `*`");
        }
        if !text.contains('*') {
            return Ok(Self::Uri(text.to_owned()));
        }
        // The authority must be whole: `spiffe://example.org*` would also cover another's domain.
        let prefix = text.strip_suffix('*').filter(|prefix| prefix.ends_with('/') && !prefix.contains('*'));
        let below = prefix.filter(|prefix| {
            let authority = prefix.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('/')?.0)));
            authority.is_some_and(|(scheme, authority)| !scheme.is_empty() && !authority.is_empty())
        });
        below.map(|below| Self::Below(below.to_owned())).ok_or(
            "may hold `*` only at its end, after the slash behind a domain or a segment: `spiffe://example.org/prod/*`",
        )
    }
}

impl fmt::Display for SanPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(text) | Self::Dns(text) => f.write_str(text),
            Self::Below(text) => write!(f, "{text}*"),
        }
    }
}

impl Tenants {
    /// Adds a node, written `type/id`.
    ///
    /// # Errors
    /// What it must be.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let Some(Entity { kind, id }) = Entity::parse(text) else {
            return Err("must be `type/id`".to_owned());
        };
        if let Some(problem) = name_problem(kind).or_else(|| name_problem(id)) {
            return Err(format!("holds a name that {problem}"));
        }
        self.0.entry(kind.to_owned()).or_default().insert(id.to_owned());
        Ok(())
    }

    /// Whether a node is one of them.
    pub(super) fn has(&self, node: Entity<'_>) -> bool {
        self.0.get(node.kind).is_some_and(|ids| ids.contains(node.id))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Entity<'_>> {
        self.0.iter().flat_map(|(kind, ids)| ids.iter().map(move |id| Entity { kind, id }))
    }
}

impl Reasons {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Code, Self::Full];

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Code => "code",
            Self::Full => "full",
        }
    }
}

impl Default for Asserted {
    fn default() -> Self {
        Self { all: true, owners: Vec::new(), names: Vec::new() }
    }
}

impl Asserted {
    /// Nothing may be sent, until something is added.
    pub fn nothing() -> Self {
        Self { all: false, owners: Vec::new(), names: Vec::new() }
    }

    /// Adds `*`, `context.*` or `context.mfa`.
    ///
    /// # Errors
    /// What it must be.
    pub fn add(&mut self, text: &str) -> Result<(), &'static str> {
        if text == "*" {
            self.all = true;
            return Ok(());
        }
        let name = PropertyName::parse(text).ok_or(
            "must be a name such as `context.mfa`, of subject, action, resource or context, or `context.*`, or `*`",
        )?;
        match name {
            PropertyName { owner, name } if name == "*" => self.owners.push(owner),
            name => self.names.push(name),
        }
        Ok(())
    }

    /// Whether a property is named, not only covered.
    pub(super) fn names(&self, owner: Owner, name: &str) -> bool {
        self.names.iter().any(|named| named.owner == owner && named.name == name)
    }

    /// Whether a property is covered by what covers many.
    pub(super) fn covers(&self, owner: Owner) -> bool {
        self.all || self.owners.contains(&owner)
    }

    /// As the configuration writes it.
    pub fn texts(&self) -> Vec<String> {
        let all = self.all.then(|| "*".to_owned());
        let owners = self.owners.iter().map(|owner| format!("{}.*", owner.name()));
        all.into_iter().chain(owners).chain(self.names.iter().map(ToString::to_string)).collect()
    }
}
