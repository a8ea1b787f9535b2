//! Conditions as a tree, and as our text. Other engines' texts are theirs to make.

use super::{Name, Val};

/// Whose attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// The resource's.
    Resource,
    /// The subject's.
    Subject,
    /// The request's.
    Context,
    /// The nearest ancestor's of a type.
    Ancestor(&'static str),
}

/// One side of a comparison.
#[derive(Clone, Debug)]
pub enum Operand {
    /// An attribute.
    Path(Root, &'static str),
    /// A value.
    Literal(Val),
    /// Whoever asks.
    Subject,
}

/// What is true, false or unknown in one step.
#[derive(Clone, Debug)]
pub enum Test {
    /// A bool attribute.
    Flag(Root, &'static str),
    /// Whether an attribute is there.
    Has(Root, &'static str),
    /// An operator (`==`, `in`, `startsWith`, ...) with both sides.
    Compare(&'static str, Operand, Operand),
}

/// Tests joined by `!`, `&&` and `||`.
#[derive(Clone, Debug)]
pub enum Condition {
    /// One test.
    Test(Test),
    /// The opposite.
    Not(Box<Condition>),
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// Either.
    Or(Box<Condition>, Box<Condition>),
}

impl Condition {
    /// Joined by `render`'s text of each test.
    pub fn render(&self, test: &impl Fn(&Test) -> String) -> String {
        match self {
            Self::Test(own) => test(own),
            Self::Not(inner) => format!("!({})", inner.render(test)),
            Self::And(left, right) => format!("({} && {})", left.render(test), right.render(test)),
            Self::Or(left, right) => format!("({} || {})", left.render(test), right.render(test)),
        }
    }

    /// The text that is true exactly if the condition is `wanted` in Kleene's logic, for an engine that has errors where
    /// we have unknown; `test` is the text of a test being so, false where it is unknown.
    pub fn guarded(&self, wanted: bool, test: &impl Fn(&Test, bool) -> String) -> String {
        let both = |left: &Self, right: &Self, sign| {
            format!("({} {sign} {})", left.guarded(wanted, test), right.guarded(wanted, test))
        };
        match self {
            Self::Test(own) => test(own, wanted),
            Self::Not(inner) => inner.guarded(!wanted, test),
            Self::And(left, right) => both(left, right, if wanted { "&&" } else { "||" }),
            Self::Or(left, right) => both(left, right, if wanted { "||" } else { "&&" }),
        }
    }

    /// Whether it is tests and their opposites joined by nothing but `&&`: then an error and "unknown" both mean that it
    /// is not true.
    pub fn is_conjunction(&self) -> bool {
        match self {
            Self::And(left, right) => left.is_conjunction() && right.is_conjunction(),
            Self::Or(..) => false,
            Self::Test(_) | Self::Not(_) => self.is_literal(),
        }
    }

    /// Whether it is tests and their opposites joined by nothing but `||`: then an error and "unknown" both mean that it
    /// may be true.
    pub fn is_disjunction(&self) -> bool {
        match self {
            Self::Or(left, right) => left.is_disjunction() && right.is_disjunction(),
            Self::And(..) => false,
            Self::Test(_) | Self::Not(_) => self.is_literal(),
        }
    }

    fn is_literal(&self) -> bool {
        match self {
            Self::Test(_) => true,
            Self::Not(inner) => inner.is_literal(),
            Self::And(..) | Self::Or(..) => false,
        }
    }

    /// As Sidegate reads it.
    pub fn text(&self) -> String {
        self.render(&|test| match test {
            Test::Flag(root, name) => path(*root, name),
            Test::Has(root, name) => format!("has({})", path(*root, name)),
            Test::Compare(sign, left, right) => call(sign, &operand(left), &operand(right)),
        })
    }
}

/// An operator as CEL writes it.
pub fn call(sign: &str, left: &str, right: &str) -> String {
    if sign.starts_with(char::is_alphabetic) && sign != "in" {
        format!("{left}.{sign}({right})")
    } else {
        format!("{left} {sign} {right}")
    }
}

fn path(root: Root, name: &str) -> String {
    match root {
        Root::Resource => format!("resource.{name}"),
        Root::Subject => format!("subject.{name}"),
        Root::Context => format!("context.{name}"),
        Root::Ancestor(kind) => format!("ancestor.{kind}.{name}"),
    }
}

fn operand(operand: &Operand) -> String {
    match operand {
        Operand::Path(root, name) => path(*root, name),
        Operand::Literal(value) => literal(value),
        Operand::Subject => "subject".to_owned(),
    }
}

/// A value as CEL writes it.
pub fn literal(value: &Val) -> String {
    match value {
        Val::Bool(value) => value.to_string(),
        Val::Int(value) => value.to_string(),
        Val::Text(text) => format!("\"{text}\""),
        Val::Texts(texts) => {
            let items: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
            format!("[{}]", items.join(", "))
        }
        Val::Subject(Name { kind, id }) => format!("\"{kind}/{id}\""),
    }
}

impl Test {
    /// The attributes that it reads.
    pub fn paths(&self) -> Vec<(Root, &'static str)> {
        let path =
            |operand: &Operand| if let Operand::Path(root, name) = operand { Some((*root, *name)) } else { None };
        match self {
            Self::Flag(root, name) | Self::Has(root, name) => vec![(*root, name)],
            Self::Compare(_, left, right) => path(left).into_iter().chain(path(right)).collect(),
        }
    }
}
