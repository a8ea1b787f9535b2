//! Conditions: CEL's syntax and names, a subset of its language, lowered to a flat program.
//!
//! No tree is ever built: the parser emits steps in postfix order, the checker walks them once, and evaluation walks
//! them once more. So no input can drive a recursion, in parsing, checking, evaluating or dropping.

mod lower;
mod parse;
mod scan;
mod terms;

use std::collections::{BTreeSet, HashMap};

use crate::model::{Position, Spanned};

use super::entities::Entities;
use super::findings::Findings;
use super::intern::{Strings, number};
use super::layout::{InstructionRecord, ProgramRecord};
use super::schema::Schema;
use super::values::Literals;

pub(super) use terms::{TermOwner, condition_of_terms};

/// The longest condition in bytes.
pub(super) const MOST_BYTES: usize = 4096;
/// The largest number of steps and list items in one condition: its cost is known at load and bounded by this.
pub(super) const MOST_STEPS: usize = 256;
/// The deepest nesting of parentheses and negations; also bounds the stack of truths.
pub(super) const MOST_DEPTH: usize = 32;

/// How many steps the conditions of a snapshot may have, each counted for every action that it guards.
const MOST_STEPS_OF_ALL: usize = 8_000_000;

/// The programs of a snapshot; equal ones are stored once.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// All programs.
    pub(super) programs: Vec<ProgramRecord>,
    /// Their instructions.
    pub(super) instructions: Vec<InstructionRecord>,
    known: HashMap<(Vec<InstructionRecord>, u32), u32>,
    steps: usize,
}

impl Conditions {
    fn intern(&mut self, instructions: Vec<InstructionRecord>, text: u32) -> u32 {
        let key = (instructions, text);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        let program = number(self.programs.len());
        let start = number(self.instructions.len());
        self.instructions.extend_from_slice(&key.0);
        let end = number(self.instructions.len());
        self.programs.push(ProgramRecord { start: start.into(), end: end.into(), text: text.into() });
        self.known.insert(key, program);
        program
    }
}

/// What a condition is lowered against.
pub(super) struct Lowering<'a, 'p> {
    /// The vocabulary.
    pub(super) schema: &'a Schema<'p>,
    /// What references refer to.
    pub(super) entities: &'a Entities<'p>,
    /// Literals.
    pub(super) literals: &'a mut Literals,
    /// Texts.
    pub(super) strings: &'a mut Strings,
}

impl Lowering<'_, '_> {
    /// The programs of one condition for the permissions that it guards, in their order; empty if it is wrong.
    ///
    /// `resource.x` means another attribute on each type, so the condition is checked and lowered once per permission;
    /// equal results are stored once.
    pub(super) fn condition(
        &mut self,
        text: &Spanned<String>,
        permissions: &[u32],
        conditions: &mut Conditions,
        findings: &mut Findings,
    ) -> Vec<u32> {
        let steps = match parse::parse(&text.value) {
            Ok(steps) => steps,
            Err(mistake) => {
                mistake.report(text, findings);
                return Vec::new();
            }
        };
        // Past the bound one error is enough.
        let before = conditions.steps;
        conditions.steps = before.saturating_add(steps.len().saturating_mul(permissions.len()));
        if conditions.steps > MOST_STEPS_OF_ALL {
            if before <= MOST_STEPS_OF_ALL {
                let what = format!("with this condition there are more than {MOST_STEPS_OF_ALL} steps");
                let help = "it is counted for every action that it guards: let it guard fewer types";
                findings.error_with_help(text.at, what, help);
            }
            return Vec::new();
        }
        let number = self.strings.intern(&text.value);
        let mut programs = Vec::with_capacity(permissions.len());
        for permission in permissions {
            match lower::lower(&steps, *permission, self) {
                Ok(instructions) => programs.push(conditions.intern(instructions, number)),
                Err(mistake) => {
                    mistake.report(text, findings);
                    return Vec::new();
                }
            }
        }
        programs
    }

    /// Attributes read by a condition that may be absent, in words: what the warning about a forbid names.
    pub(super) fn may_be_absent(&self, text: &Spanned<String>, permissions: &[u32]) -> Vec<String> {
        let Ok(steps) = parse::parse(&text.value) else { return Vec::new() };
        let absent: BTreeSet<String> = permissions
            .iter()
            .flat_map(|permission| lower::absent_operands(&steps, *permission, self.schema))
            .collect();
        absent.into_iter().collect()
    }
}

/// What is wrong with a condition, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Byte offset in the text.
    pub(super) offset: usize,
    /// How many bytes it covers.
    pub(super) length: usize,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: Option<String>,
}

impl Mistake {
    /// A mistake at a place of the text.
    pub(super) fn new(offset: usize, length: usize, message: impl Into<String>) -> Self {
        Self { offset, length, message: message.into(), help: None }
    }

    /// Adds what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn report(self, text: &Spanned<String>, findings: &mut Findings) {
        let at = self.place(text);
        match self.help {
            Some(help) => findings.error_with_help(at, self.message, help),
            None => findings.error(at, self.message),
        }
    }

    /// The place in the file. A scalar whose length is not the text's own was quoted with escapes or folded over lines:
    /// then the whole scalar is named.
    fn place(&self, text: &Spanned<String>) -> Position {
        let characters = number(text.value.chars().count());
        let quotes = match text.at.length.checked_sub(characters) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return text.at,
        };
        if text.at.column == 0 {
            return text.at;
        }
        let before = text.value.get(..self.offset).map_or(0, |part| part.chars().count());
        let covered = text.value.get(self.offset..self.offset + self.length).map_or(0, |part| part.chars().count());
        Position { column: text.at.column + quotes + number(before), length: number(covered.max(1)), ..text.at }
    }
}
