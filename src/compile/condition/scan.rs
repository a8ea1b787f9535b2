//! The text of a condition as tokens, with CEL's lexical rules for what the subset has.

use super::Mistake;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// Byte offset.
    pub(super) offset: usize,
    /// Bytes covered.
    pub(super) length: usize,
    /// What it is.
    pub(super) kind: TokenKind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A name or a keyword.
    Name(String),
    /// A text literal, escapes resolved.
    Text(String),
    /// A whole number.
    Int(i64),
    /// An operator or a bracket.
    Symbol(&'static str),
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 16] = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ",", ".", "-"];

/// Splits a condition into tokens.
pub(super) fn scan(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    while let Some(rest) = text.get(offset..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        let (kind, length) = if first.is_ascii_whitespace() {
            offset += 1;
            continue;
        } else if first.is_ascii_alphabetic() || first == '_' {
            name(rest, offset)?
        } else if first.is_ascii_digit() {
            int(rest, offset)?
        } else if first == '"' || first == '\'' {
            quoted(rest, first, offset)?
        } else {
            symbol(rest, first, offset)?
        };
        tokens.push(Token { offset, length, kind });
        offset += length;
    }
    Ok(tokens)
}

fn run(rest: &str, belongs: impl Fn(char) -> bool) -> &str {
    let end = rest.find(|c: char| !belongs(c)).unwrap_or(rest.len());
    rest.get(..end).unwrap_or("")
}

fn name(rest: &str, offset: usize) -> Result<(TokenKind, usize), Mistake> {
    let name = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
    let next = rest.get(name.len()..).and_then(|after| after.chars().next());
    if matches!(next, Some('"' | '\'')) && matches!(name, "r" | "b" | "R" | "B" | "br" | "rb") {
        return Err(Mistake::new(
            offset,
            name.len(),
            "raw texts and byte texts are not part of the condition language",
        ));
    }
    Ok((TokenKind::Name(name.to_owned()), name.len()))
}

fn int(rest: &str, offset: usize) -> Result<(TokenKind, usize), Mistake> {
    let digits = run(rest, |c| c.is_ascii_alphanumeric() || c == '.');
    match digits.parse::<i64>() {
        Ok(int) => Ok((TokenKind::Int(int), digits.len())),
        Err(_) => Err(Mistake::new(offset, digits.len(), format!("`{digits}` is no decimal 64-bit integer"))),
    }
}

fn symbol(rest: &str, first: char, offset: usize) -> Result<(TokenKind, usize), Mistake> {
    if let Some(symbol) = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol)) {
        Ok((TokenKind::Symbol(symbol), symbol.len()))
    } else {
        let mistake = Mistake::new(
            offset,
            first.len_utf8(),
            format!("`{}` is not part of the condition language", first.escape_debug()),
        );
        Err(match first {
            '=' => mistake.help("compare with `==`"),
            '&' | '|' => mistake.help("join with `&&` and `||`"),
            '+' | '*' | '/' | '%' | '?' | ':' => {
                mistake.help("there is no arithmetic and no `? :`: put the value into an attribute")
            }
            _ => mistake,
        })
    }
}

/// A text literal: CEL's escapes, on one line.
fn quoted(rest: &str, quote: char, offset: usize) -> Result<(TokenKind, usize), Mistake> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Ok((TokenKind::Text(value), at + 1));
        }
        if character == '\n' {
            break;
        }
        if character != '\\' {
            value.push(character);
            continue;
        }
        let escape = characters.next().map(|(_, escape)| escape);
        value.push(match escape {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some(plain @ ('\\' | '"' | '\'' | '`' | '?')) => plain,
            Some('u') => unicode(&mut characters)
                .ok_or_else(|| Mistake::new(offset + at, 2, "`\\u` wants four hexadecimal digits of a character"))?,
            _ => return Err(Mistake::new(offset + at, 2, "this escape is not part of the condition language")),
        });
    }
    Err(Mistake::new(offset, 1, "this text has no end").help(format!("close it with {quote}")))
}

fn unicode(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<char> {
    let mut code = 0;
    for _ in 0..4 {
        code = code * 16 + characters.next()?.1.to_digit(16)?;
    }
    char::from_u32(code)
}
