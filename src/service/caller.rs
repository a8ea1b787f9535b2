//! Who asks, what they may ask, and how much they are told: the rules that an operator writes about callers.
//!
//! Every door goes through [`Gate::admit`] and gets an [`Admission`], without which the decision point answers nothing.
//! The rules narrow what may be asked and what is shown of an answer; they never touch the decision itself.

mod identity;
mod meter;
mod rule;
mod scope;
mod show;
#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

pub use meter::Ticks;
pub use rule::{Asserted, CallerRule, MOST_RULES, Rate, Reasons, SanPattern, Tenants, Who};
pub(super) use scope::Place;
pub use scope::unknown_names;

use super::{pdp::Refusal, registry::Connection, settings::Settings};
use crate::observe::metrics::{CallerCounters, Metrics, Shed};
use meter::{InFlight, Meter, Meters};

const SECOND: u64 = 1_000_000_000;

/// What a call is, as far as a rule may allow or refuse it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Decisions: one, several, or a stream of them.
    Check,
    /// What somebody may do, on what, and who may.
    List,
    /// The whole why.
    Explain,
    /// Changes of who holds what, and counts.
    Administration,
}

/// Knows the live rules, and how much each caller has asked lately.
pub struct Gate {
    live: ArcSwap<Settings>,
    changes: watch::Sender<u64>,
    meters: Meters,
    metrics: Arc<Metrics>,
    /// What nobody's rule covers.
    strangers: CallerCounters,
    /// When the log may tell of a refusal again.
    told_at: AtomicU64,
}

/// Somebody who may ask: the rule that covers them, and what they have used up.
#[derive(Debug)]
pub(super) struct Caller {
    /// `None` where no rules are written: everybody may ask everything.
    rule: Option<Arc<CallerRule>>,
    meter: Option<Arc<Meter>>,
    counters: Option<CallerCounters>,
}

/// What the rules of one generation say of a connection.
#[derive(Debug)]
struct Matched {
    generation: u64,
    outcome: Result<Arc<Caller>, Refusal>,
}

/// A connection's place for what the rules say of it, so that they are matched once a generation.
#[derive(Default)]
pub struct Remembered(ArcSwapOption<Matched>);

/// The leave to ask, for as long as the call takes.
#[derive(Debug)]
pub(super) struct Admission {
    caller: Arc<Caller>,
    _place: Option<InFlight>,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("live", &self.live.load()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}

impl Gate {
    /// With these settings, until [`Gate::apply`] brings others.
    pub fn new(settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self::with_clock(settings, metrics, Ticks::default())
    }

    /// The same by another clock.
    pub fn with_clock(settings: Settings, metrics: Arc<Metrics>, clock: Ticks) -> Self {
        Self {
            live: ArcSwap::from_pointee(settings),
            changes: watch::Sender::new(0),
            strangers: metrics.caller(""),
            told_at: AtomicU64::new(0),
            meters: Meters::new(clock),
            metrics,
        }
    }

    /// Makes other settings live, in one step; what callers have used up stays. Called by one thread only.
    pub fn apply(&self, settings: Settings) {
        let generation = self.live.load().generation.wrapping_add(1);
        let settings = Settings { generation, ..settings };
        let old = self.live.swap(Arc::new(settings.clone()));
        let kept: HashSet<&str> = settings.callers.iter().map(|rule| rule.name.as_str()).collect();
        for rule in old.callers.iter().filter(|rule| !kept.contains(rule.name.as_str())) {
            self.metrics.forget_caller(&rule.name);
        }
        self.changes.send_replace(generation);
    }

    /// Tells of every change from now on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The live settings.
    pub fn settings(&self) -> Arc<Settings> {
        self.live.load_full()
    }

    /// Lends the live settings.
    pub(super) fn read<R>(&self, use_them: impl FnOnce(&Settings) -> R) -> R {
        use_them(&self.live.load())
    }

    /// Who asks by this connection: matched once for each generation of the rules.
    pub(super) fn caller(&self, connection: Option<&Connection>) -> Result<Arc<Caller>, Refusal> {
        let live = self.live.load();
        let Some(connection) = connection else { return self.matched(&live, None) };
        if let Some(matched) = &*connection.remembered.0.load()
            && matched.generation == live.generation
        {
            return matched.outcome.clone();
        }
        let outcome = self.matched(&live, Some(connection));
        if let Err(refusal) = &outcome
            && self.may_tell()
        {
            tracing::warn!(peer = %connection.peer, listener = connection.listener, %refusal, "a caller is refused");
        }
        let matched = Matched { generation: live.generation, outcome: outcome.clone() };
        connection.remembered.0.store(Some(Arc::new(matched)));
        outcome
    }

    /// Lets a caller ask: the kind of call, the calls in flight, and so many `items` against the rate.
    pub(super) fn admit(
        &self,
        connection: Option<&Connection>,
        asked: Asked,
        items: usize,
    ) -> Result<Admission, Refusal> {
        let caller = self.caller(connection).inspect_err(|_| {
            self.strangers.refused.inc();
        })?;
        caller.may(asked)?;
        let place = self.take_place(&caller)?;
        self.charge(&caller, items)?;
        Ok(Admission { caller, _place: place })
    }

    /// Counts more items against the caller's rate.
    pub(super) fn charge(&self, caller: &Caller, items: usize) -> Result<(), Refusal> {
        let Some((rule, meter)) = caller.limited() else { return Ok(()) };
        let Some(rate) = rule.rate else { return Ok(()) };
        if meter.charge(rate, items, self.meters.now()) {
            return Ok(());
        }
        self.metrics.shed(Shed::CallerRate);
        caller.count_shed();
        let Rate { per_second, burst } = rate;
        Err(Refusal::Exhausted(if items > usize::try_from(burst).unwrap_or(usize::MAX) {
            format!("{items} items at once are more than `burst` = {burst} of the caller rule `{}`", rule.name)
        } else {
            format!("over `rate` = {per_second} a second of the caller rule `{}`; try again later", rule.name)
        }))
    }

    /// Once a second at most: who may not ask shall not fill the log either.
    fn may_tell(&self) -> bool {
        let now = self.meters.now();
        let next = now.saturating_add(SECOND);
        self.told_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| (at <= now).then_some(next)).is_ok()
    }

    fn take_place(&self, caller: &Caller) -> Result<Option<InFlight>, Refusal> {
        let Some((rule, meter)) = caller.limited() else { return Ok(None) };
        let Some(most) = rule.in_flight else { return Ok(None) };
        if let Some(place) = meter.enter(most) {
            return Ok(Some(place));
        }
        self.metrics.shed(Shed::CallerInFlight);
        caller.count_shed();
        Err(Refusal::Exhausted(format!(
            "over `in_flight` = {most} calls of the caller rule `{}`; try again later",
            rule.name
        )))
    }

    fn matched(&self, live: &Settings, connection: Option<&Connection>) -> Result<Arc<Caller>, Refusal> {
        let found = identity::find(live, connection)?;
        Ok(Arc::new(match found {
            None => Caller { rule: None, meter: None, counters: None },
            Some((rule, identity)) => {
                let limited = rule.rate.is_some() || rule.in_flight.is_some();
                let meter = limited.then(|| self.meters.of(rule, identity));
                let counters = Some(self.metrics.caller(&rule.name));
                Caller { rule: Some(Arc::clone(rule)), meter, counters }
            }
        }))
    }
}

impl Caller {
    /// How much of an answer they are shown.
    pub(super) fn reasons(&self) -> Reasons {
        self.rule.as_ref().map_or(Reasons::Full, |rule| rule.reasons)
    }

    fn may(&self, asked: Asked) -> Result<(), Refusal> {
        let Some(rule) = &self.rule else { return Ok(()) };
        let (allowed, key) = match asked {
            Asked::Check => return Ok(()),
            Asked::List => (rule.list, "list"),
            Asked::Explain => (rule.explain, "explain"),
            Asked::Administration => (rule.administration, "administration"),
        };
        if allowed { Ok(()) } else { Err(self.lacks(rule, format_args!("`{key} = true`"))) }
    }

    /// A refusal that names the rule and what it lacks.
    fn lacks(&self, rule: &CallerRule, what: fmt::Arguments<'_>) -> Refusal {
        if let Some(counters) = &self.counters {
            counters.refused.inc();
        }
        Refusal::NotAllowed(format!("the caller rule `{}` lacks {what}", rule.name))
    }

    fn limited(&self) -> Option<(&CallerRule, &Arc<Meter>)> {
        Some((self.rule.as_deref()?, self.meter.as_ref()?))
    }

    fn count_shed(&self) {
        if let Some(counters) = &self.counters {
            counters.shed.inc();
        }
    }
}

impl std::ops::Deref for Admission {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}
