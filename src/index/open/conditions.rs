//! What opening checks of values and conditions: a program can be evaluated within its stack, whatever it reads is there.

use crate::compile::layout::{
    AttributeRecord, InstructionRecord, MAX_PARAMETERS, OperandKind, OperandRecord, Operation, ProgramRecord,
    ValueKind, ValueRecord,
};
use crate::index::Index;
use crate::index::read::Corrupt;

use super::{Ranges, each, ensure};

impl Index {
    pub(super) fn check_values(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        let mut lists = self.ranges::<ValueRecord>();
        each(self.all::<ValueRecord>()?, pause, |value| self.check_value(value, &mut lists))
    }

    /// A value that is stored; of a list, the items too.
    pub(super) fn check_value(&self, value: &ValueRecord, lists: &mut Ranges) -> Result<(), Corrupt> {
        let payload = || u32::try_from(value.payload.get()).map_err(|_| Corrupt);
        match ValueKind::from_code(value.kind).ok_or(Corrupt)? {
            ValueKind::String | ValueKind::Enum | ValueKind::Governor => self.text(payload()?).map(drop),
            ValueKind::Reference => ensure(payload()? < self.entities()),
            ValueKind::List => {
                let start = payload()?;
                let end = start.checked_add(value.extra.get()).ok_or(Corrupt)?;
                let items: &[ValueRecord] = self.records(start, end)?;
                ensure(!lists.is_new(start, end)? || items.iter().all(|item| item.kind != ValueKind::List as u8))
            }
            ValueKind::Absent | ValueKind::Bool | ValueKind::Int | ValueKind::Timestamp => Ok(()),
        }
    }

    pub(super) fn check_conditions(&self, pause: &mut dyn FnMut()) -> Result<(), Corrupt> {
        let mut ranges = self.ranges::<InstructionRecord>();
        each(self.all::<ProgramRecord>()?, pause, |program| {
            self.text(program.text.get())?;
            let instructions: &[InstructionRecord] = self.records(program.start.get(), program.end.get())?;
            // An empty program is not seen, and is none.
            if instructions.is_empty() || ranges.is_new(program.start.get(), program.end.get())? {
                self.check_program(instructions)?;
            }
            Ok(())
        })
    }

    /// Every operand exists and the stack of truths ends with exactly one.
    fn check_program(&self, instructions: &[InstructionRecord]) -> Result<(), Corrupt> {
        let mut depth: u32 = 0;
        for instruction in instructions {
            self.check_operand(&instruction.left)?;
            self.check_operand(&instruction.right)?;
            depth = match Operation::from_code(instruction.operation).ok_or(Corrupt)? {
                Operation::Not => depth.checked_sub(1).ok_or(Corrupt)? + 1,
                Operation::And | Operation::Or => depth.checked_sub(2).ok_or(Corrupt)? + 1,
                _ => depth + 1,
            };
            ensure(depth <= 64)?;
        }
        ensure(depth == 1)
    }

    fn check_operand(&self, operand: &OperandRecord) -> Result<(), Corrupt> {
        let number = operand.number.get();
        match OperandKind::from_code(operand.kind).ok_or(Corrupt)? {
            OperandKind::Literal => self.record::<ValueRecord>(number).map(drop),
            OperandKind::Resource
            | OperandKind::Ancestor
            | OperandKind::Subject
            | OperandKind::Credential
            | OperandKind::Context => self.record::<AttributeRecord>(number).map(drop),
            OperandKind::Parameter => ensure(usize::try_from(number).is_ok_and(|number| number < MAX_PARAMETERS)),
            OperandKind::Nothing
            | OperandKind::SubjectItself
            | OperandKind::ResourceItself
            | OperandKind::RequestTime
            | OperandKind::ByCredential => Ok(()),
        }
    }
}
