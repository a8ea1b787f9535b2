//! Tokens → steps in postfix order, with CEL's precedence: `!`, then comparisons, then `&&`, then `||`.

use crate::compile::layout::Operation;

use super::scan::{Token, TokenKind, scan};
use super::{MOST_BYTES, MOST_DEPTH, MOST_STEPS, Mistake};

/// One step: an operation and its operands. Operations on truths have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// What it does.
    pub(super) operation: Operation,
    /// The left or only operand.
    pub(super) left: Option<Operand>,
    /// The right operand.
    pub(super) right: Option<Operand>,
    /// Where its operator stands.
    pub(super) offset: usize,
    /// How many bytes that covers.
    pub(super) length: usize,
}

/// A value that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operand {
    /// Where it stands.
    pub(super) offset: usize,
    /// How many bytes it covers.
    pub(super) length: usize,
    /// Whether its size is meant.
    pub(super) size: bool,
    /// What it is.
    pub(super) term: Term,
}

/// What an operand is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A path such as `resource.tag`.
    Path(Vec<String>),
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A text.
    Text(String),
    /// `timestamp("…")`.
    Timestamp(String),
    /// A text of a structured term: the schema says what it stands for.
    Plain(String),
    /// A list of literals.
    List(Vec<Operand>),
}

const LITERALS_ONLY: &str = "a list in a condition holds literals only";

/// Parses a condition.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, Mistake> {
    if text.len() > MOST_BYTES {
        return Err(Mistake::new(
            0,
            1,
            format!("a condition has at most {MOST_BYTES} bytes; this one has {}", text.len()),
        ));
    }
    let tokens = scan(text)?;
    let mut parser = Parser { tokens: &tokens, next: 0, steps: Vec::new(), size: 0, end: text.len() };
    parser.either(0)?;
    match parser.peek() {
        None => Ok(parser.steps),
        Some(token) => Err(Mistake::new(token.offset, token.length, "the condition should end here")
            .help("join comparisons with `&&` or `||`")),
    }
}

fn is_size(token: &Token) -> bool {
    matches!(&token.kind, TokenKind::Name(name) if name == "size")
}

struct Parser<'t> {
    tokens: &'t [Token],
    next: usize,
    steps: Vec<Step>,
    size: usize,
    end: usize,
}

impl<'t> Parser<'t> {
    /// `a || b || …`. The depth counts parentheses and negations; it is the only recursion and is capped.
    fn either(&mut self, depth: usize) -> Result<(), Mistake> {
        self.both(depth)?;
        while let Some(token) = self.accept("||") {
            self.both(depth)?;
            self.push(Operation::Or, None, None, token)?;
        }
        Ok(())
    }

    fn both(&mut self, depth: usize) -> Result<(), Mistake> {
        self.truth(depth)?;
        while let Some(token) = self.accept("&&") {
            self.truth(depth)?;
            self.push(Operation::And, None, None, token)?;
        }
        Ok(())
    }

    /// `!…`, `(…)`, or a comparison.
    fn truth(&mut self, depth: usize) -> Result<(), Mistake> {
        if let Some(token) = self.peek().filter(|_| depth > MOST_DEPTH) {
            return Err(Mistake::new(
                token.offset,
                token.length,
                format!("conditions are nested at most {MOST_DEPTH} deep"),
            ));
        }
        if let Some(token) = self.accept("!") {
            return self.negation(token, depth);
        }
        if self.accept("(").is_some() {
            self.either(depth + 1)?;
            self.expect(")")?;
            return match self.peek().filter(|token| comparison(token).is_some()) {
                None => Ok(()),
                Some(token) => {
                    Err(Mistake::new(token.offset, token.length, "a condition cannot be compared with something")
                        .help("compare values; join conditions with `&&` and `||`"))
                }
            };
        }
        self.comparison()
    }

    /// `!` binds tighter than a comparison: `!a == b` would negate `a`, which is not what it looks like.
    fn negation(&mut self, token: &'t Token, depth: usize) -> Result<(), Mistake> {
        let grouped = self.peek().is_some_and(|next| matches!(next.kind, TokenKind::Symbol("(" | "!")));
        self.truth(depth + 1)?;
        let compares = |step: &Step| comparison_named(step.operation);
        match self.steps.last().filter(|step| !grouped && compares(step)) {
            None => self.push(Operation::Not, None, None, token),
            Some(step) => Err(Mistake::new(step.offset, step.length, "`!` would negate only the value before this")
                .help("write `!(a == b)`, or `a != b`")),
        }
    }

    fn comparison(&mut self) -> Result<(), Mistake> {
        if let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Name("has".to_owned())) {
            self.next += 1;
            self.expect("(")?;
            let operand = self.operand()?;
            self.expect(")")?;
            return self.push(Operation::Has, Some(operand), None, token);
        }
        let left = self.operand()?;
        let Some(token) = self.peek() else { return self.alone(left) };
        if let Some(operation) = comparison(token) {
            self.next += 1;
            let right = self.operand()?;
            self.push(operation, Some(left), Some(right), token)?;
            return match self.peek().filter(|token| comparison(token).is_some()) {
                None => Ok(()),
                Some(token) => Err(Mistake::new(token.offset, token.length, "comparisons cannot be chained")
                    .help("join them with `&&`")),
            };
        }
        match self.method(&left) {
            Some((operation, token, left)) => {
                self.expect("(")?;
                let right = self.operand()?;
                self.expect(")")?;
                self.push(operation, Some(left), Some(right), token)
            }
            None => self.alone(left),
        }
    }

    fn alone(&mut self, operand: Operand) -> Result<(), Mistake> {
        let place = Token { offset: operand.offset, length: operand.length, kind: TokenKind::Symbol("") };
        self.push(Operation::Truth, Some(operand), None, &place)
    }

    /// `x.startsWith` and its like, when a `(` follows: the path's last name is the method.
    fn method(&mut self, left: &Operand) -> Option<(Operation, &'t Token, Operand)> {
        self.peek().filter(|token| token.kind == TokenKind::Symbol("("))?;
        let Term::Path(names) = &left.term else { return None };
        let (last, before) = names.split_last()?;
        let operation = match last.as_str() {
            "startsWith" => Operation::StartsWith,
            "endsWith" => Operation::EndsWith,
            "contains" => Operation::Contains,
            _ => return None,
        };
        let token = self.tokens.get(self.next.checked_sub(1)?)?;
        let length = token.offset.saturating_sub(left.offset + 1);
        Some((operation, token, Operand { term: Term::Path(before.to_vec()), length, ..left.clone() }))
    }

    fn operand(&mut self) -> Result<Operand, Mistake> {
        let Some(token) = self.peek() else {
            return Err(Mistake::new(self.end, 0, "the condition ends where a value should stand"));
        };
        self.next += 1;
        let term = match &token.kind {
            TokenKind::Text(text) => Term::Text(text.clone()),
            TokenKind::Int(int) => Term::Int(*int),
            TokenKind::Name(name) => return self.named(name, token),
            TokenKind::Symbol("-") => return self.negative(token),
            TokenKind::Symbol("[") => return self.list(token),
            TokenKind::Symbol(_) => return Err(Mistake::new(token.offset, token.length, "a value should stand here")),
        };
        Ok(Operand { offset: token.offset, length: token.length, size: false, term })
    }

    fn negative(&mut self, sign: &Token) -> Result<Operand, Mistake> {
        let number = self.peek().and_then(|token| match token.kind {
            TokenKind::Int(int) => int.checked_neg().map(|int| (token, int)),
            _ => None,
        });
        let Some((token, int)) = number else {
            return Err(Mistake::new(sign.offset, 1, "`-` stands only before a number").help("there is no arithmetic"));
        };
        self.next += 1;
        let length = token.offset + token.length - sign.offset;
        Ok(Operand { offset: sign.offset, length, size: false, term: Term::Int(int) })
    }

    fn list(&mut self, bracket: &Token) -> Result<Operand, Mistake> {
        let mut items = Vec::new();
        while self.accept("]").is_none() {
            if !items.is_empty() {
                self.expect(",")?;
                if self.accept("]").is_some() {
                    break;
                }
            }
            // Before it is read: input must not choose how deep this recurses.
            if let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Symbol("[") || is_size(token)) {
                return Err(Mistake::new(token.offset, token.length, LITERALS_ONLY));
            }
            let item = self.operand()?;
            if item.size || matches!(item.term, Term::Path(_) | Term::List(_)) {
                return Err(Mistake::new(item.offset, item.length.max(1), LITERALS_ONLY));
            }
            self.grow(&item)?;
            items.push(item);
        }
        let end =
            self.tokens.get(self.next.saturating_sub(1)).map_or(bracket.offset, |token| token.offset + token.length);
        Ok(Operand { offset: bracket.offset, length: end - bracket.offset, size: false, term: Term::List(items) })
    }

    /// A keyword, a function, or a path.
    fn named(&mut self, name: &str, token: &'t Token) -> Result<Operand, Mistake> {
        let plain = |term| Ok(Operand { offset: token.offset, length: token.length, size: false, term });
        match name {
            "true" => return plain(Term::Bool(true)),
            "false" => return plain(Term::Bool(false)),
            "null" => {
                return Err(
                    Mistake::new(token.offset, token.length, "there is no `null`").help("ask `has(x)` or `!has(x)`")
                );
            }
            "size" if self.accept("(").is_some() => {
                if let Some(token) = self.peek().filter(|token| is_size(token)) {
                    return Err(Mistake::new(token.offset, token.length, "`size` takes a text or a list"));
                }
                let inner = self.operand()?;
                self.expect(")")?;
                return Ok(Operand { size: true, ..inner });
            }
            "timestamp" if self.accept("(").is_some() => return self.timestamp(token),
            _ => {}
        }
        let mut names = vec![name.to_owned()];
        let mut end = token.offset + token.length;
        while self.accept(".").is_some() {
            match self.peek().map(|token| (token, &token.kind)) {
                Some((token, TokenKind::Name(part))) => {
                    end = token.offset + token.length;
                    names.push(part.clone());
                    self.next += 1;
                }
                _ => return Err(Mistake::new(end, 1, "a name should follow the dot")),
            }
        }
        let length = end - token.offset;
        let called = self.peek().is_some_and(|next| next.kind == TokenKind::Symbol("("));
        if called && names.len() == 1 {
            return Err(Mistake::new(token.offset, length, format!("there is no function `{name}`"))
                .help("functions are has, size and timestamp; methods are startsWith, endsWith, contains and size"));
        }
        if called && names.last().is_some_and(|last| last == "size") {
            self.expect("(")?;
            self.expect(")")?;
            names.pop();
            return Ok(Operand { offset: token.offset, length, size: true, term: Term::Path(names) });
        }
        Ok(Operand { offset: token.offset, length, size: false, term: Term::Path(names) })
    }

    fn timestamp(&mut self, token: &Token) -> Result<Operand, Mistake> {
        let text = match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Text(text)) => text.clone(),
            _ => {
                return Err(Mistake::new(
                    token.offset,
                    token.length,
                    "`timestamp` takes a text such as \"2026-01-31T09:00:00Z\"",
                ));
            }
        };
        self.next += 1;
        self.expect(")")?;
        Ok(Operand { offset: token.offset, length: token.length, size: false, term: Term::Timestamp(text) })
    }

    fn push(
        &mut self,
        operation: Operation,
        left: Option<Operand>,
        right: Option<Operand>,
        at: &Token,
    ) -> Result<(), Mistake> {
        let step = Step { operation, left, right, offset: at.offset, length: at.length };
        self.size += 1;
        if self.size > MOST_STEPS {
            return Err(too_large(at.offset));
        }
        self.steps.push(step);
        Ok(())
    }

    fn grow(&mut self, item: &Operand) -> Result<(), Mistake> {
        self.size += 1;
        if self.size > MOST_STEPS { Err(too_large(item.offset)) } else { Ok(()) }
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.next)
    }

    fn accept(&mut self, symbol: &str) -> Option<&'t Token> {
        let token = self.peek().filter(|token| matches!(token.kind, TokenKind::Symbol(found) if found == symbol))?;
        self.next += 1;
        Some(token)
    }

    fn expect(&mut self, symbol: &str) -> Result<(), Mistake> {
        if self.accept(symbol).is_some() {
            return Ok(());
        }
        let (offset, length) = self.peek().map_or((self.end, 0), |token| (token.offset, token.length));
        Err(Mistake::new(offset, length, format!("`{symbol}` should stand here")))
    }
}

fn too_large(offset: usize) -> Mistake {
    Mistake::new(offset, 1, format!("a condition has at most {MOST_STEPS} comparisons, joins and list items"))
}

/// Whether an operation is written between two values.
fn comparison_named(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Equal
            | Operation::NotEqual
            | Operation::Less
            | Operation::LessOrEqual
            | Operation::Greater
            | Operation::GreaterOrEqual
            | Operation::In
    )
}

fn comparison(token: &Token) -> Option<Operation> {
    match &token.kind {
        TokenKind::Symbol("==") => Some(Operation::Equal),
        TokenKind::Symbol("!=") => Some(Operation::NotEqual),
        TokenKind::Symbol("<") => Some(Operation::Less),
        TokenKind::Symbol("<=") => Some(Operation::LessOrEqual),
        TokenKind::Symbol(">") => Some(Operation::Greater),
        TokenKind::Symbol(">=") => Some(Operation::GreaterOrEqual),
        TokenKind::Name(name) if name == "in" => Some(Operation::In),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Operation, parse};

    fn operations(text: &str) -> Vec<Operation> {
        parse(text).unwrap().into_iter().map(|step| step.operation).collect()
    }

    #[test]
    fn precedence_is_cels() {
        use Operation::{And, Equal, Has, Not, Or, StartsWith, Truth};
        assert_eq!(operations("a.b || c.d && !e.f"), [Truth, Truth, Truth, Not, And, Or]);
        assert_eq!(operations("(a.b || c.d) && e.f == 1"), [Truth, Truth, Or, Equal, And]);
        assert_eq!(operations("has(a.b) && a.b.startsWith('x')"), [Has, StartsWith, And]);
    }

    #[test]
    fn every_cap_holds() {
        assert!(parse(&format!("{}a.b{}", "(".repeat(32), ")".repeat(32))).is_ok());
        assert!(parse(&format!("{}a.b{}", "(".repeat(33), ")".repeat(33))).is_err());
        assert!(parse(&format!("{}a.b", "!".repeat(4000))).is_err());
        assert!(parse(&vec!["a.b"; 128].join("&&")).is_ok());
        assert!(parse(&vec!["a.b"; 129].join("&&")).is_err());
        assert!(parse(&" ".repeat(4097)).is_err());
        assert!(parse(&format!("a.b in [{}]", vec!["1"; 256].join(","))).is_err());
    }

    #[test]
    fn what_is_outside_the_subset_is_named() {
        for text in [
            "a.b = 1",
            "a.b + 1 == 2",
            "a.b ? c.d : e.f",
            "a.b == null",
            "1.5 < a.b",
            "f(a.b)",
            "r'x' == a.b",
            "a.b == 1 == 2",
            "(a.b) == c.d",
            "'x",
            "a.",
            "",
            "a.b c.d",
            "a[0]",
            "a.b.exists(x, x)",
            "-a.b == 1",
            "!a.b == c.d",
            "!a.b in [1]",
        ] {
            let parsed = parse(text);
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }
}
