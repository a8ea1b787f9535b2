//! The reference's lists and counts: who takes a seat, and who has which level.

use sidegate::model::{EntityName, Place, SeatClass, SeatRule, Timestamp};

use super::book::{Book, is_among, named};
use super::groups::When;

impl<'a> Book<'a> {
    pub(super) fn seats(&self, class: &str, scope: &EntityName, time: Timestamp) -> usize {
        let class = named(&self.policy.seats, class, |class| &class.name).expect("a class of seats");
        let has_seats = |name: &EntityName| class.per.iter().any(|kind| **kind == *name.kind);
        let scopes: Vec<_> = if has_seats(scope) {
            vec![scope]
        } else {
            let below = self.facts.resources.iter().map(|own| &own.name.value);
            below.filter(|own| has_seats(own) && self.is_at_or_below(own, scope)).collect()
        };
        let counts = |kind: &str| class.subjects.is_empty() || class.subjects.iter().any(|own| **own == *kind);
        let everybody = self.facts.subjects.iter().filter(|one| !one.disabled && counts(&one.name.kind));
        everybody.filter(|one| scopes.iter().any(|scope| self.takes_a_seat(class, &one.name, scope, time))).count()
    }

    fn takes_a_seat(&self, class: &SeatClass, subject: &EntityName, scope: &EntityName, time: Timestamp) -> bool {
        self.bindings_of(subject, When::InForce(time)).iter().any(|binding| {
            let place = self.place_of(&binding.at, scope);
            let rules = |rule: &SeatRule| {
                is_among(&binding.role, &rule.roles) && place.is_some_and(|place| rule.held.contains(&place))
            };
            class.who.iter().any(rules)
        })
    }

    /// Where a resource is, as seen from another; nowhere if neither is above the other.
    pub(super) fn place_of(&self, what: &EntityName, seen_from: &EntityName) -> Option<Place> {
        if what == seen_from {
            Some(Place::Here)
        } else if self.is_at_or_below(seen_from, what) {
            Some(Place::Above)
        } else if self.is_at_or_below(what, seen_from) {
            Some(Place::Below)
        } else {
            None
        }
    }

    pub(super) fn levels(&self, subject: &EntityName, scope: &EntityName, time: Timestamp) -> Vec<(&'a str, usize)> {
        let held = self.bindings_of(subject, When::InForce(time));
        let here: Vec<_> = held.into_iter().filter(|binding| self.is_at_or_below(scope, &binding.at)).collect();
        let highest = self.policy.levels.len().saturating_sub(1);
        let level = |governor: &str| {
            let of = here.iter().map(|binding| {
                let superuser = self.role(&binding.role).is_some_and(|role| role.superuser);
                if superuser { highest } else { self.effective(binding, governor) }
            });
            of.max().unwrap_or(0)
        };
        self.policy.governors.iter().map(|governor| (governor.as_str(), level(governor))).collect()
    }
}
