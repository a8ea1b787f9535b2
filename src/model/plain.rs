//! Bindings that say nothing but who holds which role where, kept small: facts have them by the ten million.
//!
//! One takes 32 bytes beside its ids, where a [`Binding`] takes half a kilobyte. They are looked at one after another,
//! as bindings; nothing but the memory tells the difference.

use std::collections::HashMap;

use super::{Binding, BindingHolder, EntityName, Lifetime, Position, SourceId, Spanned};

/// Plain bindings, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainBindings {
    list: Vec<Plain>,
    /// The ids of subject and scope of each, one behind another.
    ids: String,
    /// Types and roles, each once.
    words: Vec<String>,
    numbers: HashMap<String, u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain {
    line: u32,
    source: u16,
    whole: Span,
    subject: Span,
    role: Span,
    at: Span,
    subject_kind: u16,
    role_name: u16,
    at_kind: u16,
    subject_length: u16,
    at_length: u16,
}

/// A place within the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    column: u16,
    length: u16,
}

impl PlainBindings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Keeps a binding if it is plain, and stands on one line as lines of facts do.
    ///
    /// # Errors
    /// The binding itself, if it is not.
    pub fn keep(&mut self, binding: Binding) -> Result<(), Box<Binding>> {
        match self.plain(&binding) {
            Some((plain, subject, at)) => {
                self.ids.push_str(subject);
                self.ids.push_str(at);
                self.list.push(plain);
                Ok(())
            }
            None => Err(Box::new(binding)),
        }
    }

    /// Shows each binding.
    pub fn each(&self, mut see: impl FnMut(&Binding)) {
        let mut shown = Binding {
            position: Position::default(),
            subject: Spanned::new(BindingHolder::One(nameless()), Position::default()),
            role: Spanned::new(String::new(), Position::default()),
            at: Spanned::new(nameless(), Position::default()),
            levels: Vec::new(),
            customised: None,
            lifetime: Lifetime::default(),
            disabled: false,
        };
        let mut start = 0;
        for plain in &self.list {
            let place = |span| plain.place(span);
            (shown.position, shown.subject.at) = (place(plain.whole), place(plain.subject));
            (shown.role.at, shown.at.at) = (place(plain.role), place(plain.at));
            let middle = start + usize::from(plain.subject_length);
            let end = middle + usize::from(plain.at_length);
            if let BindingHolder::One(subject) = &mut shown.subject.value {
                put(&mut subject.kind, self.word(plain.subject_kind));
                put(&mut subject.id, self.ids.get(start..middle).unwrap_or_default());
            }
            put(&mut shown.role.value, self.word(plain.role_name));
            put(&mut shown.at.value.kind, self.word(plain.at_kind));
            put(&mut shown.at.value.id, self.ids.get(middle..end).unwrap_or_default());
            start = end;
            see(&shown);
        }
    }

    fn word(&self, number: u16) -> &str {
        self.words.get(usize::from(number)).map_or("", String::as_str)
    }

    fn plain<'b>(&mut self, binding: &'b Binding) -> Option<(Plain, &'b str, &'b str)> {
        let Binding { position, subject, role, at, levels, customised, lifetime, disabled } = binding;
        let is_plain = levels.is_empty() && customised.is_none() && lifetime.is_always() && !disabled;
        let holder = subject.value.one().filter(|_| is_plain)?;
        let span = |place: Position| {
            let in_line = (place.source, place.line) == (position.source, position.line);
            in_line.then_some(Span { column: place.column.try_into().ok()?, length: place.length.try_into().ok()? })
        };
        let plain = Plain {
            line: position.line,
            source: position.source.0.try_into().ok()?,
            // A line may be longer than its parts: how long it is matters to nobody who reads of a mistake.
            whole: span(*position)?,
            subject: span(subject.at)?,
            role: span(role.at)?,
            at: span(at.at)?,
            subject_kind: self.number(&holder.kind)?,
            role_name: self.number(&role.value)?,
            at_kind: self.number(&at.value.kind)?,
            subject_length: holder.id.len().try_into().ok()?,
            at_length: at.value.id.len().try_into().ok()?,
        };
        Some((plain, &holder.id, &at.value.id))
    }

    fn number(&mut self, word: &str) -> Option<u16> {
        if let Some(number) = self.numbers.get(word) {
            return Some(*number);
        }
        let number = u16::try_from(self.words.len()).ok()?;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        Some(number)
    }
}

impl Plain {
    fn place(&self, span: Span) -> Position {
        let Self { line, source, .. } = *self;
        let (column, length) = (span.column.into(), span.length.into());
        Position { source: SourceId(source.into()), line, column, length }
    }
}

fn nameless() -> EntityName {
    EntityName { kind: String::new(), id: String::new() }
}

/// Without a new allocation, where the text fits.
fn put(text: &mut String, new: &str) {
    text.clear();
    text.push_str(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(subject: &str, line: u32) -> Binding {
        let at = |column, length| Position { source: SourceId(3), line, column, length };
        Binding {
            position: at(1, 0),
            subject: Spanned::new(BindingHolder::parse(subject).unwrap(), at(10, 8)),
            role: Spanned::new("reader".to_owned(), at(30, 6)),
            at: Spanned::new(EntityName::parse("site/a").unwrap(), at(40, 6)),
            levels: Vec::new(),
            customised: None,
            lifetime: Lifetime::default(),
            disabled: false,
        }
    }

    #[test]
    fn what_is_kept_is_what_is_shown() {
        let given = [binding("user/ana", 1), binding("group/bob/x", 70_000)];
        let mut kept = PlainBindings::default();
        for one in &given {
            kept.keep(one.clone()).unwrap();
        }
        let mut shown = Vec::new();
        kept.each(|one| shown.push(one.clone()));
        assert_eq!(shown, given);
        assert_eq!(kept.len(), 2);
    }

    #[test]
    fn what_is_not_plain_is_given_back() {
        let plain = binding("user/ana", 1);
        let mut far = plain.clone();
        far.at.at.column = 70_000;
        let mut other_line = plain.clone();
        other_line.role.at.line = 2;
        let everybody = binding("all(user)", 1);
        let expires = crate::model::Timestamp::EPOCH;
        let limited = Binding { lifetime: Lifetime { expires: Some(expires), ..Lifetime::default() }, ..plain.clone() };
        let off = Binding { disabled: true, ..plain };
        let mut kept = PlainBindings::default();
        for other in [far, other_line, everybody, limited, off] {
            assert_eq!(kept.keep(other.clone()).map_err(|back| *back), Err(other));
        }
        assert!(kept.is_empty());
    }
}
