//! Groups in groups: an order in which each group stands behind those that contain it, or why there is none.

use crate::compile::findings::Findings;
use crate::model::{EntityName, Spanned, order};

/// The longest chain of groups in groups, both ends included (DESIGN section 2, "Caps").
const MOST_NESTED: usize = 16;
/// How many groups of a chain an error names.
const SHOWN: usize = 6;

/// Which group contains which: groups by place, edges from a member to what contains it.
pub(super) struct Nesting<'f> {
    /// The groups.
    groups: Vec<&'f Spanned<EntityName>>,
    /// Member and container, by member.
    up: Vec<(usize, usize)>,
    /// Container and member, by container.
    down: Vec<(usize, usize)>,
}

impl<'f> Nesting<'f> {
    /// From edges of member and container.
    pub(super) fn new(groups: Vec<&'f Spanned<EntityName>>, mut up: Vec<(usize, usize)>) -> Self {
        order::natural(&mut up);
        up.dedup();
        let mut down: Vec<(usize, usize)> = up.iter().map(|(member, container)| (*container, *member)).collect();
        order::natural(&mut down);
        Self { groups, up, down }
    }

    /// The groups that contain a group directly.
    pub(super) fn containers(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        ends(&self.up, group)
    }

    /// Containers before members; `None` after a report of every cycle or of chains that are too long.
    pub(super) fn order(&self, findings: &mut Findings) -> Option<Vec<usize>> {
        let mut open: Vec<usize> = (0..self.groups.len()).map(|group| self.containers(group).count()).collect();
        let mut depth = vec![1_usize; self.groups.len()];
        let mut order: Vec<usize> = (0..self.groups.len()).filter(|group| open.get(*group) == Some(&0)).collect();
        let mut too_deep = false;
        let mut next = 0;
        while let Some(group) = order.get(next).copied() {
            next += 1;
            let below = depth.get(group).copied().unwrap_or(0) + 1;
            for member in ends(&self.down, group) {
                let (Some(left), Some(deepest)) = (open.get_mut(member), depth.get_mut(member)) else { continue };
                if below == MOST_NESTED + 1 && *deepest < below {
                    self.report_depth(member, findings);
                    too_deep = true;
                }
                *deepest = below.max(*deepest);
                *left = left.saturating_sub(1);
                if *left == 0 {
                    order.push(member);
                }
            }
        }
        if order.len() < self.groups.len() {
            self.report_cycles(&open, findings);
            return None;
        }
        (!too_deep).then_some(order)
    }

    /// Whatever is still open stands in a cycle or below one: from there, upwards always leads into a cycle.
    fn report_cycles(&self, open: &[usize], findings: &mut Findings) {
        let is_open = |group: usize| open.get(group).is_some_and(|left| *left > 0);
        // The walk that came by first, from 1.
        let mut seen = vec![0_usize; self.groups.len()];
        for start in (0..self.groups.len()).filter(|group| is_open(*group)) {
            let walk = start + 1;
            let mut path = Vec::new();
            let mut current = Some(start);
            while let Some(group) = current {
                match seen.get_mut(group) {
                    Some(place) if *place == 0 => *place = walk,
                    Some(place) if *place == walk => {
                        let first = path.iter().position(|earlier| *earlier == group).unwrap_or(0);
                        self.report_cycle(path.get(first..).unwrap_or_default(), findings);
                        break;
                    }
                    _ => break,
                }
                path.push(group);
                current = self.containers(group).find(|above| is_open(*above));
            }
        }
    }

    fn report_cycle(&self, path: &[usize], findings: &mut Findings) {
        let Some(first) = path.first().and_then(|group| self.groups.get(*group)) else { return };
        let more = if path.len() > SHOWN { " → …" } else { "" };
        let message = format!("group `{}` is inside itself: {}{more} → {}", first.value, self.names(path), first.value);
        findings.error_with_help(first.at, message, "take one of these groups out of another's members");
    }

    fn report_depth(&self, group: usize, findings: &mut Findings) {
        let Some(name) = self.groups.get(group) else { return };
        let mut path = vec![group];
        let mut current = group;
        while let (Some(above), true) = (self.containers(current).next(), path.len() < SHOWN) {
            path.push(above);
            current = above;
        }
        let message = format!("groups are nested more than {MOST_NESTED} deep: {} → …", self.names(&path));
        findings.error(name.at, message);
    }

    fn names(&self, path: &[usize]) -> String {
        let shown = path.iter().take(SHOWN).filter_map(|group| self.groups.get(*group));
        shown.map(|name| name.value.to_string()).collect::<Vec<_>>().join(" → ")
    }
}

/// The other ends of the edges that begin at a group.
fn ends(edges: &[(usize, usize)], from: usize) -> impl Iterator<Item = usize> + '_ {
    let start = edges.partition_point(|(own, _)| *own < from);
    let rest = edges.get(start..).unwrap_or_default();
    rest.iter().take_while(move |(own, _)| *own == from).map(|(_, end)| *end)
}
