//! Conditions: programs of instructions over operands.

use zerocopy::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// A condition.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ProgramRecord {
    /// First instruction.
    pub start: U32,
    /// Behind the last instruction.
    pub end: U32,
    /// The condition as its author wrote it.
    pub text: U32,
}

/// One step of a condition: postfix over a stack of truths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct InstructionRecord {
    /// [`Operation`].
    pub operation: u8,
    /// Nothing.
    pub reserved: [u8; 3],
    /// The left or only operand.
    pub left: OperandRecord,
    /// The right operand.
    pub right: OperandRecord,
}

/// Where a value of a condition comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct OperandRecord {
    /// [`OperandKind`].
    pub kind: u8,
    /// 1 to take the value's size instead of the value.
    pub size: u8,
    /// The type of an ancestor.
    pub ancestor: U16,
    /// The attribute, literal or parameter.
    pub number: U32,
}

/// What an instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// Pushes a bool operand.
    Truth,
    /// Pushes `left == right`.
    Equal,
    /// Pushes `left != right`.
    NotEqual,
    /// Pushes `left < right`.
    Less,
    /// Pushes `left <= right`.
    LessOrEqual,
    /// Pushes `left > right`.
    Greater,
    /// Pushes `left >= right`.
    GreaterOrEqual,
    /// Pushes `left in right`.
    In,
    /// Pushes `left.startsWith(right)`.
    StartsWith,
    /// Pushes `left.endsWith(right)`.
    EndsWith,
    /// Pushes `left.contains(right)`.
    Contains,
    /// Pushes `has(left)`.
    Has,
    /// Replaces the top by its negation.
    Not,
    /// Replaces the two topmost by their conjunction.
    And,
    /// Replaces the two topmost by their disjunction.
    Or,
}

impl Operation {
    /// The operation of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        const ALL: [Operation; 15] = [
            Operation::Truth,
            Operation::Equal,
            Operation::NotEqual,
            Operation::Less,
            Operation::LessOrEqual,
            Operation::Greater,
            Operation::GreaterOrEqual,
            Operation::In,
            Operation::StartsWith,
            Operation::EndsWith,
            Operation::Contains,
            Operation::Has,
            Operation::Not,
            Operation::And,
            Operation::Or,
        ];
        ALL.get(usize::from(code)).copied()
    }
}

/// Where an operand's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OperandKind {
    /// No operand.
    Nothing,
    /// A literal.
    Literal,
    /// An attribute of the resource.
    Resource,
    /// An attribute of the nearest ancestor of a type.
    Ancestor,
    /// An attribute of the subject.
    Subject,
    /// A context key.
    Context,
    /// A parameter.
    Parameter,
    /// The subject itself.
    SubjectItself,
    /// The resource itself.
    ResourceItself,
    /// The time of the decision.
    RequestTime,
    /// Whether a credential asks.
    ByCredential,
    /// An attribute of the credential.
    Credential,
}

impl OperandKind {
    /// The kind of a byte.
    pub fn from_code(code: u8) -> Option<Self> {
        const ALL: [OperandKind; 12] = [
            OperandKind::Nothing,
            OperandKind::Literal,
            OperandKind::Resource,
            OperandKind::Ancestor,
            OperandKind::Subject,
            OperandKind::Context,
            OperandKind::Parameter,
            OperandKind::SubjectItself,
            OperandKind::ResourceItself,
            OperandKind::RequestTime,
            OperandKind::ByCredential,
            OperandKind::Credential,
        ];
        ALL.get(usize::from(code)).copied()
    }
}
