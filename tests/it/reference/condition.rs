//! The reference's conditions: a small parser and a tree-walking evaluator in three values. Shares nothing with the
//! engine's. A text that it cannot read is a bug in a test: it panics.

use sidegate::model::{EntityName, Timestamp};

/// A value that is present and well typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Bool(bool),
    Int(i64),
    Text(String),
    Time(Timestamp),
    List(Vec<Known>),
    Entity(EntityName),
}

/// What an attribute is at the moment of decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Present(Known),
    /// Known not to be there.
    Absent,
    Unknown,
}

impl State {
    /// The value; `None` is unknown.
    pub(crate) fn known(&self) -> Option<Known> {
        match self {
            Self::Present(value) => Some(value.clone()),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// Looks a path up: `["ancestor", "flow", "locked"]`.
pub(crate) type Lookup<'a> = &'a dyn Fn(&[&str]) -> State;

#[derive(Debug)]
enum Node<'a> {
    Literal(Known),
    Path(Vec<&'a str>),
    Call(&'a str, Vec<Node<'a>>),
}

/// Whether a condition is true, false or unknown (`None`).
pub(crate) fn holds(text: &str, lookup: Lookup<'_>) -> Option<bool> {
    let mut parser = Parser { tokens: tokens(text), at: 0 };
    let node = parser.or();
    assert_eq!(parser.at, parser.tokens.len(), "cannot read the end of `{text}`");
    match evaluate(&node, lookup) {
        Some(Known::Bool(value)) => Some(value),
        None => None,
        Some(other) => panic!("`{text}` is {other:?}"),
    }
}

/// Kleene's conjunction.
pub(crate) fn all(values: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for value in values {
        match value {
            Some(false) => return Some(false),
            Some(true) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

fn evaluate(node: &Node<'_>, lookup: Lookup<'_>) -> Option<Known> {
    match node {
        Node::Literal(value) => Some(value.clone()),
        Node::Path(path) => lookup(path).known(),
        Node::Call("has", arguments) => {
            let [Node::Path(path)] = &arguments[..] else { panic!("has({arguments:?})") };
            match lookup(path) {
                State::Present(_) => Some(Known::Bool(true)),
                State::Absent => Some(Known::Bool(false)),
                State::Unknown => None,
            }
        }
        Node::Call(name, arguments) => {
            let values: Vec<_> = arguments.iter().map(|argument| evaluate(argument, lookup)).collect();
            match *name {
                "&&" => all(values.into_iter().map(truth)).map(Known::Bool),
                "||" => all(values.into_iter().map(|value| truth(value).map(|value| !value)))
                    .map(|value| Known::Bool(!value)),
                _ => apply(name, &values.into_iter().collect::<Option<Vec<_>>>()?),
            }
        }
    }
}

fn truth(value: Option<Known>) -> Option<bool> {
    value.map(|value| if let Known::Bool(value) = value { value } else { panic!("{value:?} is no bool") })
}

fn apply(name: &str, values: &[Known]) -> Option<Known> {
    use Known::{Bool, Int, List, Text, Time};
    Some(match (name, values) {
        ("[]", _) => List(values.to_vec()),
        ("!", [Bool(value)]) => Bool(!value),
        ("==", [left, right]) => Bool(left == right),
        ("!=", [left, right]) => Bool(left != right),
        ("in", [item, List(items)]) => Bool(items.contains(item)),
        ("size", [List(items)]) => Int(i64::try_from(items.len()).ok()?),
        ("size", [Text(text)]) => Int(i64::try_from(text.chars().count()).ok()?),
        ("startsWith", [Text(text), Text(part)]) => Bool(text.starts_with(part.as_str())),
        ("endsWith", [Text(text), Text(part)]) => Bool(text.ends_with(part.as_str())),
        ("contains", [Text(text), Text(part)]) => Bool(text.contains(part.as_str())),
        ("timestamp", [Text(text)]) => Time(Timestamp::parse(text)?),
        (_, [Int(left), Int(right)]) => Bool(ordered(name, left, right)),
        (_, [Text(left), Text(right)]) => Bool(ordered(name, left, right)),
        (_, [Time(left), Time(right)]) => Bool(ordered(name, left, right)),
        _ => panic!("cannot apply {name} to {values:?}"),
    })
}

fn ordered<T: Ord>(name: &str, left: &T, right: &T) -> bool {
    match name {
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        _ => panic!("no operator {name}"),
    }
}

/// Words, numbers, quoted texts (with their quotes), operators and single signs.
fn tokens(text: &str) -> Vec<&str> {
    let (mut tokens, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = match first {
            '"' | '\'' => rest.match_indices(first).nth(1).unwrap_or_else(|| panic!("unclosed: {rest}")).0 + 1,
            '-' => 1 + rest.bytes().skip(1).take_while(u8::is_ascii_digit).count(),
            _ if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            _ if ["==", "!=", "<=", ">=", "&&", "||"].iter().any(|sign| rest.starts_with(sign)) => 2,
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or("")
    }

    fn next(&mut self) -> &'a str {
        self.at += 1;
        self.tokens[self.at - 1]
    }

    fn eat(&mut self, wanted: &str) -> bool {
        let found = self.peek() == wanted;
        self.at += usize::from(found);
        found
    }

    fn or(&mut self) -> Node<'a> {
        let mut terms = vec![self.and()];
        while self.eat("||") {
            terms.push(self.and());
        }
        Node::Call("||", terms).single()
    }

    fn and(&mut self) -> Node<'a> {
        let mut terms = vec![self.relation()];
        while self.eat("&&") {
            terms.push(self.relation());
        }
        Node::Call("&&", terms).single()
    }

    fn relation(&mut self) -> Node<'a> {
        let left = self.unary();
        if ["==", "!=", "<", "<=", ">", ">=", "in"].contains(&self.peek()) {
            return Node::Call(self.next(), vec![left, self.unary()]);
        }
        left
    }

    fn unary(&mut self) -> Node<'a> {
        if self.eat("!") { Node::Call("!", vec![self.unary()]) } else { self.primary() }
    }

    fn primary(&mut self) -> Node<'a> {
        match self.next() {
            "(" => {
                let inner = self.or();
                assert!(self.eat(")"), "`)` is missing");
                inner
            }
            "[" => Node::Call("[]", self.arguments("]")),
            "true" => Node::Literal(Known::Bool(true)),
            "false" => Node::Literal(Known::Bool(false)),
            text if text.starts_with(['"', '\'']) => {
                Node::Literal(Known::Text(text.trim_matches(['"', '\'']).to_owned()))
            }
            number if number.starts_with('-') || number.starts_with(|c: char| c.is_ascii_digit()) => {
                Node::Literal(Known::Int(number.parse().expect("an int")))
            }
            word => self.path_or_call(word),
        }
    }

    fn path_or_call(&mut self, first: &'a str) -> Node<'a> {
        let mut path = vec![first];
        while self.eat(".") {
            path.push(self.next());
        }
        if !self.eat("(") {
            return Node::Path(path);
        }
        let name = path.pop().expect("a name");
        let mut arguments = self.arguments(")");
        if !path.is_empty() {
            arguments.insert(0, Node::Path(path));
        }
        Node::Call(name, arguments)
    }

    fn arguments(&mut self, close: &str) -> Vec<Node<'a>> {
        let mut arguments = Vec::new();
        while !self.eat(close) {
            arguments.push(self.or());
            self.eat(",");
        }
        arguments
    }
}

impl Node<'_> {
    /// A conjunction or disjunction of one term is that term.
    fn single(self) -> Self {
        let only = |terms: &[Self]| terms.len() == 1;
        match self {
            Self::Call("&&" | "||", mut terms) if only(&terms) => terms.remove(0),
            other @ (Self::Literal(_) | Self::Path(_) | Self::Call(..)) => other,
        }
    }
}
