//! Which permissions a rule, limit or forbid speaks of.

use crate::compile::findings::Findings;
use crate::model::{Grants, Spanned, order};

use super::{PermissionInfo, Schema, TypeSort};

/// Whose type an operation is matched against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::compile) enum OperationsOf {
    /// The type that governs the action: for rules, which give.
    Governor,
    /// The resource's own type: for limits and forbids, which take (DESIGN section 2: "a limit, forbid or pin names the
    /// resource's own type").
    Own,
}

impl Schema<'_> {
    /// The types of a list of types and classes; an empty list stands for every resource type.
    pub(in crate::compile) fn types_of(
        &self,
        on: &[Spanned<String>],
        except: &[Spanned<String>],
        findings: &mut Findings,
    ) -> Vec<u16> {
        let mut types = if on.is_empty() { self.all_resource_types() } else { self.expand(on, findings) };
        let left_out = self.expand(except, findings);
        types.retain(|number| !left_out.contains(number));
        types
    }

    fn all_resource_types(&self) -> Vec<u16> {
        let numbered = self.types.iter().zip(0..);
        numbered.filter(|(info, _)| info.sort == TypeSort::Resource).map(|(_, number)| number).collect()
    }

    fn expand(&self, names: &[Spanned<String>], findings: &mut Findings) -> Vec<u16> {
        let mut types = Vec::new();
        for name in names {
            let number = self.type_number(&name.value);
            let sort = number.and_then(|number| self.sort(number));
            if let Some(what @ (TypeSort::Subject | TypeSort::Credential | TypeSort::Group | TypeSort::BuiltIn)) = sort
            {
                let what = match what {
                    TypeSort::Subject => "subject",
                    TypeSort::Credential => "credential",
                    _ => "group",
                };
                findings.error(name.at, format!("`{}` is a {what} type: it is never asked about", name.value));
            } else if let Some(number) = number {
                types.push(number);
            } else if let Some(members) = self.classes.get(name.value.as_str()) {
                types.extend(members);
            } else {
                findings.error(name.at, format!("`{}` is no type and no class", name.value));
            }
        }
        order::natural(&mut types);
        types.dedup();
        types
    }

    /// The permissions of some types, in order. `owner` names who asks, for the errors.
    pub(in crate::compile) fn select(
        &self,
        types: &[u16],
        grants: &Grants,
        operations_of: OperationsOf,
        owner: &str,
        findings: &mut Findings,
    ) -> Vec<u32> {
        let mut selected = match grants {
            Grants::All => self.matching(|info| types.contains(&info.owner)),
            Grants::Actions(names) => self.by_actions(types, names, owner, findings),
            Grants::Operations(names) => self.by_operations(types, names, operations_of, owner, findings),
        };
        order::natural(&mut selected);
        selected.dedup();
        selected
    }

    fn matching(&self, wanted: impl Fn(&PermissionInfo<'_>) -> bool) -> Vec<u32> {
        self.permissions.iter().zip(0..).filter(|(info, _)| wanted(info)).map(|(_, number)| number).collect()
    }

    fn by_actions(&self, types: &[u16], names: &[Spanned<String>], owner: &str, findings: &mut Findings) -> Vec<u32> {
        let mut selected = Vec::new();
        for name in names {
            let before = selected.len();
            selected.extend(types.iter().filter_map(|number| self.permission(*number, &name.value)));
            if selected.len() == before && !types.is_empty() {
                let on = self.list_types(types);
                let message = format!("{owner}: `{}` is no action of {on}", name.value);
                if self.operations.contains_key(name.value.as_str()) {
                    findings.error_with_help(name.at, message, "it is an operation: write `operations: [...]`");
                } else {
                    findings.error(name.at, message);
                }
            }
        }
        selected
    }

    fn by_operations(
        &self,
        types: &[u16],
        names: &[Spanned<String>],
        operations_of: OperationsOf,
        owner: &str,
        findings: &mut Findings,
    ) -> Vec<u32> {
        let mut selected = Vec::new();
        for name in names {
            let Some(operation) = self.operations.get(name.value.as_str()).copied() else {
                let message = format!("{owner}: `{}` on {} is no operation", name.value, self.list_types(types));
                findings.error_with_help(name.at, message, self.operations_help());
                continue;
            };
            let before = selected.len();
            selected.extend(self.matching(|info| {
                let subject = match operations_of {
                    OperationsOf::Governor => info.governor,
                    OperationsOf::Own => info.owner,
                };
                info.operation == Some(operation) && types.contains(&subject)
            }));
            if selected.len() == before && !types.is_empty() {
                let on = self.list_types(types);
                let message = format!("{owner}: {on} has no action in operation `{}`", name.value);
                findings.warning(name.at, message, "it gives or takes nothing; remove it or declare the action");
            }
        }
        selected
    }

    /// Types by name, at most five of them.
    pub(in crate::compile) fn list_types(&self, types: &[u16]) -> String {
        let mut names: Vec<String> =
            types.iter().take(5).map(|number| format!("`{}`", self.type_name(*number))).collect();
        if types.len() > 5 {
            names.push("…".to_owned());
        }
        names.join(", ")
    }

    fn operations_help(&self) -> String {
        let mut names: Vec<&str> = self.operations.keys().copied().collect();
        order::natural(&mut names);
        if names.is_empty() {
            "this policy declares no operations".to_owned()
        } else {
            format!("the operations are {}", names.join(", "))
        }
    }

    /// Scope types by name, each of which must be a resource type.
    pub(in crate::compile) fn scope_types(
        &self,
        names: &[Spanned<String>],
        owner: &str,
        findings: &mut Findings,
    ) -> Vec<u16> {
        let mut types = Vec::new();
        for name in names {
            let number = self.type_number(&name.value);
            match number.filter(|n| self.type_info(*n).is_some_and(|info| info.sort == TypeSort::Resource)) {
                Some(number) => types.push(number),
                None => findings
                    .error(name.at, format!("{owner}: `{}` is no resource type on which it can be held", name.value)),
            }
        }
        order::natural(&mut types);
        types.dedup();
        types
    }

    /// Subject types by name; an empty list stands for all of them.
    pub(in crate::compile) fn subject_types(
        &self,
        names: &[Spanned<String>],
        owner: &str,
        findings: &mut Findings,
    ) -> Vec<u16> {
        let is_subject = |n: &u16| self.type_info(*n).is_some_and(|info| info.sort == TypeSort::Subject);
        if names.is_empty() {
            let numbered = self.types.iter().zip(0..).map(|(_, number)| number);
            return numbered.filter(is_subject).collect();
        }
        let mut types = Vec::new();
        for name in names {
            match self.type_number(&name.value).filter(is_subject) {
                Some(number) => types.push(number),
                None => findings.error(name.at, format!("{owner}: `{}` is no subject type", name.value)),
            }
        }
        types
    }
}
