//! The reference's prohibitions.

use sidegate::model::{Action, BindingHolder, Block, Forbid, Reason};

use super::book::is_running;
use super::condition::{Lookup, holds};
use super::{Object, Outcome, World};

impl<'a> World<'a> {
    /// The forbid or block that applies: a true one before an unknown one, then the smallest id.
    pub(super) fn forbidden(&self, object: &Object<'a>, action: &'a Action) -> Option<Outcome> {
        let lookup: Lookup<'_> = &|path| self.look_up(path, object, action);
        let forbids = self.policy.forbids.iter().filter(|forbid| self.forbid_applies(forbid, object, action));
        let forbids = forbids.map(|forbid| {
            (forbid.when.as_ref().map_or(Some(true), |when| holds(when, lookup)), format!("forbids/{}", *forbid.id))
        });
        let blocks = self.facts.blocks.iter().filter(|block| self.block_applies(block, object, action));
        let blocks = blocks.map(|block| (Some(true), format!("blocks/{}", *block.id)));
        let worst = forbids
            .chain(blocks)
            .filter(|(holds, _)| *holds != Some(false))
            .min_by_key(|(holds, id)| (holds.is_none(), id.clone()))?;
        Some(Outcome { rule: Some(worst.1), undetermined: worst.0.is_none(), ..Outcome::deny(Reason::Forbidden) })
    }

    fn forbid_applies(&self, forbid: &Forbid, object: &Object<'a>, action: &Action) -> bool {
        is_running(forbid.lifetime, self.time)
            && self.takes(&forbid.on, &forbid.except, &forbid.grants, object.kind, action)
            && (forbid.subjects.is_empty() || forbid.subjects.iter().any(|name| self.binds(name)))
            && (forbid.scopes.is_empty() || forbid.scopes.iter().any(|scope| object.is_within(scope)))
    }

    fn block_applies(&self, block: &Block, object: &Object<'a>, action: &Action) -> bool {
        is_running(block.lifetime, self.time)
            && self.takes(&block.on, &[], &block.grants, object.kind, action)
            && block.subject.as_ref().is_none_or(|name| self.binds(name))
            && block.at.as_ref().is_none_or(|scope| object.is_within(scope))
    }

    /// Whether a prohibition of somebody binds the asker: by name, as a credential's owner, as one of a group that may
    /// be disabled, or as one of all.
    fn binds(&self, holder: &BindingHolder) -> bool {
        let who = self.who();
        match holder {
            BindingHolder::One(name) => {
                name.as_entity() == self.request.subject || *name == who || self.groups_of(&who, true).contains(&name)
            }
            BindingHolder::AllOf(kind) => *kind == who.kind,
            BindingHolder::MembersOf(_) => panic!("a prohibition of members"),
        }
    }
}
