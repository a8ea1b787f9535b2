//! Evaluating a condition: one walk over its instructions, with a stack of truths that fits in two words.

use std::cmp::Ordering;

use crate::compile::layout::{InstructionRecord, Operation, ProgramRecord};
use crate::index::Corrupt;

use super::question::Question;
use super::truth::Truth;
use super::values::{Seen, equal, holds, order};

/// At most 64 truths, two bits each; a program that needs more was refused at load and on opening.
#[derive(Default)]
struct Stack {
    known_true: u64,
    unknown: u64,
}

impl Stack {
    fn push(&mut self, truth: Truth) {
        self.known_true = self.known_true << 1 | u64::from(truth == Truth::True);
        self.unknown = self.unknown << 1 | u64::from(truth == Truth::Unknown);
    }

    fn pop(&mut self) -> Truth {
        let truth = match (self.known_true & 1, self.unknown & 1) {
            (1, _) => Truth::True,
            (_, 1) => Truth::Unknown,
            _ => Truth::False,
        };
        self.known_true >>= 1;
        self.unknown >>= 1;
        truth
    }
}

impl<'q> Question<'q> {
    /// The truth of a condition.
    pub(super) fn evaluate(&'q self, program: u32) -> Result<Truth, Corrupt> {
        let program: &ProgramRecord = self.index.record(program)?;
        let instructions: &[InstructionRecord] = self.index.records(program.start.get(), program.end.get())?;
        let mut stack = Stack::default();
        for instruction in instructions {
            let operation = Operation::from_code(instruction.operation).ok_or(Corrupt)?;
            let truth = match operation {
                Operation::Not => stack.pop().not(),
                Operation::And => {
                    let right = stack.pop();
                    stack.pop().and(right)
                }
                Operation::Or => {
                    let right = stack.pop();
                    stack.pop().or(right)
                }
                Operation::Has => self.has(&instruction.left)?,
                Operation::Truth => match self.see(&instruction.left)? {
                    Seen::Bool(flag) => Truth::known(flag),
                    _ => Truth::Unknown,
                },
                comparison => self.compare(comparison, instruction)?,
            };
            stack.push(truth);
        }
        Ok(stack.pop())
    }

    fn compare(&'q self, operation: Operation, instruction: &InstructionRecord) -> Result<Truth, Corrupt> {
        let (left, right) = (self.see(&instruction.left)?, self.see(&instruction.right)?);
        let ordered =
            |holds: fn(Ordering) -> bool| order(left, right).map_or(Truth::Unknown, |order| Truth::known(holds(order)));
        match operation {
            Operation::Equal => equal(self.index, left, right),
            Operation::NotEqual => Ok(equal(self.index, left, right)?.not()),
            Operation::In => holds(self.index, right, left),
            Operation::Less => Ok(ordered(Ordering::is_lt)),
            Operation::LessOrEqual => Ok(ordered(Ordering::is_le)),
            Operation::Greater => Ok(ordered(Ordering::is_gt)),
            Operation::GreaterOrEqual => Ok(ordered(Ordering::is_ge)),
            Operation::StartsWith => Ok(texts(left, right, <[u8]>::starts_with)),
            Operation::EndsWith => Ok(texts(left, right, <[u8]>::ends_with)),
            Operation::Contains => Ok(texts(left, right, contains)),
            Operation::Truth | Operation::Has | Operation::Not | Operation::And | Operation::Or => Err(Corrupt),
        }
    }
}

fn texts(left: Seen<'_>, right: Seen<'_>, holds: fn(&[u8], &[u8]) -> bool) -> Truth {
    match (left, right) {
        (Seen::Text(text), Seen::Text(part)) => Truth::known(holds(text, part)),
        _ => Truth::Unknown,
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
