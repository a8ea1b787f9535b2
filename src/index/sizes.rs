//! How large a snapshot is, table by table, and what in it is largest: for people who wonder where the bytes go.

use crate::compile::layout::{RoleRecord, Section};

use super::Index;

/// A table and its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which.
    pub section: Section,
    /// Its bytes.
    pub bytes: usize,
}

/// Who has most bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heaviest {
    /// Subjects and groups, as facts write them, with how many bindings each; the most first.
    pub holders: Vec<(String, usize)>,
    /// Roles, the same.
    pub roles: Vec<(String, usize)>,
}

impl Index {
    /// Every table, in the order in which they stand.
    pub fn tables(&self) -> impl Iterator<Item = Table> + '_ {
        Section::ALL.into_iter().map(|section| Table { section, bytes: self.section(section).len() })
    }

    /// The holders and roles with the most bindings, at most so many of each.
    pub fn heaviest(&self, most: usize) -> Heaviest {
        let mut holders: Vec<(usize, u32)> = Vec::new();
        let mut roles: Vec<(usize, u32)> = (0..self.count::<RoleRecord>()).map(|role| (0, role)).collect();
        for entity in 0..self.entities() {
            let held = self.held_by(entity).map(|held| held.all()).unwrap_or_default();
            for binding in held {
                let role = usize::try_from(binding.role.get()).ok().and_then(|role| roles.get_mut(role));
                if let Some((count, _)) = role {
                    *count += 1;
                }
            }
            if !held.is_empty() {
                holders.push((held.len(), entity));
                // Kept short: there may be millions of holders.
                if holders.len() > most.saturating_mul(2).max(1_000) {
                    keep_most(&mut holders, most);
                }
            }
        }
        keep_most(&mut holders, most);
        keep_most(&mut roles, most);
        roles.retain(|(count, _)| *count > 0);
        let holder = |(count, entity)| (self.holder_name(entity).unwrap_or_default(), count);
        let role = |(count, role)| (self.role_name(role).unwrap_or_default().to_owned(), count);
        Heaviest { holders: holders.into_iter().map(holder).collect(), roles: roles.into_iter().map(role).collect() }
    }
}

/// The largest counts, and of equal ones the smallest numbers.
fn keep_most(counted: &mut Vec<(usize, u32)>, most: usize) {
    counted.sort_unstable_by_key(|(count, number)| (std::cmp::Reverse(*count), *number));
    counted.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::{Section, keep_most};

    #[test]
    fn every_table_stands_at_its_number() {
        for (number, section) in Section::ALL.into_iter().enumerate() {
            assert_eq!(section as usize, number, "{section:?}");
        }
    }

    #[test]
    fn the_most_come_first() {
        let mut counted = vec![(1, 0), (7, 1), (7, 2), (3, 3)];
        keep_most(&mut counted, 3);
        assert_eq!(counted, [(7, 1), (7, 2), (3, 3)]);
    }
}
