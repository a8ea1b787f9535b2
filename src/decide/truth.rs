//! Three truth values: strong Kleene logic, in which an unknown that cannot matter does not.

/// True, false, or not known because a value is missing or of a wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// False.
    False,
    /// Unknown.
    Unknown,
    /// True.
    True,
}

impl Truth {
    /// A known truth.
    pub(super) fn known(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// `false && unknown` is false.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    /// `true || unknown` is true.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    /// The negation of unknown is unknown.
    pub(super) fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}
