//! Classes of seats: whom each one counts.

use crate::model::{Place, Policy, order};

use super::findings::Findings;
use super::layout::seat_places;
use super::roles::Roles;
use super::schema::Schema;

/// A class of seats, resolved.
#[derive(Debug)]
pub(super) struct SeatClassInfo<'p> {
    /// Its name.
    pub(super) name: &'p str,
    /// The types of scope that have seats.
    pub(super) per: Vec<u32>,
    /// The subject types that count.
    pub(super) subjects: Vec<u32>,
    /// Roles, and where they are held ([`seat_places`]).
    pub(super) rules: Vec<(Vec<u32>, u32)>,
}

/// The classes of a policy, by name.
pub(super) fn resolve<'p>(
    policy: &'p Policy,
    schema: &Schema<'_>,
    roles: &Roles<'_>,
    findings: &mut Findings,
) -> Vec<SeatClassInfo<'p>> {
    let mut list = Vec::with_capacity(policy.seats.len());
    for class in &policy.seats {
        let label = format!("the seats `{}`", class.name.value);
        let mut per: Vec<u32> = schema.scope_types(&class.per, &label, findings).into_iter().map(u32::from).collect();
        let mut subjects: Vec<u32> =
            schema.subject_types(&class.subjects, &label, findings).into_iter().map(u32::from).collect();
        for types in [&mut per, &mut subjects] {
            order::natural(types);
            types.dedup();
        }
        let rules = class.who.iter().map(|rule| {
            let places = rule.held.iter().fold(0, |places, place| places | place_code(*place));
            (roles.named(&rule.roles, policy, &label, findings), places)
        });
        let rules = rules.collect();
        list.push(SeatClassInfo { name: &class.name.value, per, subjects, rules });
    }
    order::by_key(&mut list, |class| class.name);
    list
}

fn place_code(place: Place) -> u32 {
    match place {
        Place::Here => seat_places::HERE,
        Place::Above => seat_places::ABOVE,
        Place::Below => seat_places::BELOW,
    }
}
