//! The shape of "over whom": what the parameters of an administrative rule may name, and places seen from a scope.

use super::decode::{Decode, Many, documents, refuse};
use super::node::Node;
use super::sink::Sink;
use super::text::{Name, plain, plain_all};
use crate::model::{Place, Purview, RoleSet, Spanned, TargetHolds};

documents! {
    /// What the target of an administrative action may hold.
    TargetDoc {
        holds_only = "holds_only": RolesForm,
        look = "look": Option<Many<LookPlace, 1>>,
        parameter = "parameter": Option<Spanned<Name>>,
    }
}

/// `all`, or names of roles and role templates.
#[derive(Debug)]
pub(super) struct RolesForm(RoleSet);

/// A place as seen from a resource.
#[derive(Debug)]
pub(super) struct LookPlace(Place);

/// A place as seen from a scope that has seats.
#[derive(Debug)]
pub(super) struct SeatPlace(pub(super) Place);

impl Decode for RolesForm {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match (node.text(), node.items()) {
            (Some("all"), _) => Some(Self(RoleSet::All)),
            (None, None) => refuse(node, "`all` or names of roles", sink),
            _ => Many::<Spanned<Name>>::decode(node, sink).map(|names| Self(RoleSet::Named(plain_all(names.0)))),
        }
    }
}

impl Decode for LookPlace {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.text() {
            Some("here") => Some(Self(Place::Here)),
            Some("above") => Some(Self(Place::Above)),
            Some("below") => Some(Self(Place::Below)),
            _ => refuse(node, "`here`, `above` or `below`", sink),
        }
    }
}

impl Decode for SeatPlace {
    fn decode(node: &Node<'_>, sink: &mut Sink<'_>) -> Option<Self> {
        match node.text() {
            Some("self") => Some(Self(Place::Here)),
            Some("ancestors") => Some(Self(Place::Above)),
            Some("descendants") => Some(Self(Place::Below)),
            _ => refuse(node, "`self`, `ancestors` or `descendants`", sink),
        }
    }
}

/// What the parameters of a rule may name.
pub(super) fn purview(
    assigns: Option<RolesForm>,
    target: Option<TargetDoc>,
    within: Option<Many<Spanned<Name>, 1>>,
) -> Purview {
    Purview {
        assigns: assigns.map(|roles| roles.0),
        target: target.map(TargetDoc::into_target),
        within: plain_all(Many::or_none(within)),
    }
}

impl TargetDoc {
    fn into_target(self) -> TargetHolds {
        let look: Vec<Place> = Many::or_none(self.look).into_iter().map(|place| place.0).collect();
        TargetHolds {
            holds_only: self.holds_only.0,
            look: if look.is_empty() { vec![Place::Here, Place::Above] } else { look },
            parameter: self.parameter.map(plain),
        }
    }
}
