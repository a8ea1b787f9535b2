//! Shapes: what several types have in common, copied into each type that names one. A type adds, it never redefines.

use super::sink::{Sink, quote};
use super::suggest;
use super::text::{Name, plain_all};
use super::vocabulary::{ShapeDoc, TypeDoc, actions, attributes};
use crate::model::{Action, Attribute, GovernedBy, Position, Spanned, Type};

/// A shape, or what a type says itself: what is not said stays open.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: Spanned<String>,
    parents: Option<Vec<Spanned<String>>>,
    root: Option<Spanned<bool>>,
    open: Option<Spanned<bool>>,
    is_virtual: Option<Spanned<bool>>,
    governed_by: Option<GovernedBy>,
    attributes: Vec<Attribute>,
    actions: Vec<Action>,
}

impl Shape {
    /// Reads a shape.
    pub(super) fn new(name: Spanned<String>, doc: ShapeDoc) -> Self {
        Self {
            name,
            parents: doc.parent.map(|names| plain_all(names.0)),
            root: doc.root,
            open: doc.open,
            is_virtual: doc.is_virtual,
            governed_by: doc.governed_by.map(|form| form.0),
            attributes: attributes(doc.attributes),
            actions: actions(doc.actions),
        }
    }

    /// Adds what a shape says to what the type says itself; what both say is reported with both places.
    fn take_from(&mut self, shape: &Self, sink: &mut Sink<'_>) {
        let name = &shape.name.value;
        let parent_at = |parents: &Option<Vec<Spanned<String>>>| Some(parents.as_ref()?.first()?.at);
        refuse_both("`parent`", parent_at(&self.parents), parent_at(&shape.parents), name, sink);
        refuse_both("`root`", place(self.root.as_ref()), place(shape.root.as_ref()), name, sink);
        refuse_both("`open`", place(self.open.as_ref()), place(shape.open.as_ref()), name, sink);
        refuse_both("`virtual`", place(self.is_virtual.as_ref()), place(shape.is_virtual.as_ref()), name, sink);
        let governor_at = |governor: &Option<GovernedBy>| match governor.as_ref()? {
            GovernedBy::Node(name) | GovernedBy::Attribute(name) => Some(name.at),
        };
        refuse_both("`governed_by`", governor_at(&self.governed_by), governor_at(&shape.governed_by), name, sink);
        for own in &self.attributes {
            let theirs = shape.attributes.iter().find(|theirs| theirs.name.value == own.name.value);
            let what = format!("the attribute {}", quote(&own.name));
            refuse_both(&what, Some(own.name.at), theirs.map(|theirs| theirs.name.at), name, sink);
        }
        for own in &self.actions {
            let theirs = shape.actions.iter().find(|theirs| theirs.name.value == own.name.value);
            let what = format!("the action {}", quote(&own.name));
            refuse_both(&what, Some(own.name.at), theirs.map(|theirs| theirs.name.at), name, sink);
        }
        self.parents = self.parents.take().or_else(|| shape.parents.clone());
        self.root = self.root.take().or_else(|| shape.root.clone());
        self.open = self.open.take().or_else(|| shape.open.clone());
        self.is_virtual = self.is_virtual.take().or_else(|| shape.is_virtual.clone());
        self.governed_by = self.governed_by.take().or_else(|| shape.governed_by.clone());
        self.attributes.splice(0..0, shape.attributes.iter().cloned());
        self.actions.splice(0..0, shape.actions.iter().cloned());
    }

    fn into_type(self) -> Type {
        let is_set = |flag: Option<Spanned<bool>>| flag.is_some_and(|flag| flag.value);
        Type {
            name: self.name,
            parents: self.parents.unwrap_or_default(),
            root: is_set(self.root),
            open: is_set(self.open),
            is_virtual: is_set(self.is_virtual),
            governed_by: self.governed_by,
            attributes: self.attributes,
            actions: self.actions,
        }
    }
}

/// Makes types of what was written. With `has_gaps`, a shape that seems unknown may only be unread.
pub(super) fn fold(
    types: Vec<(Spanned<String>, TypeDoc)>,
    shapes: &[Shape],
    has_gaps: bool,
    sink: &mut Sink<'_>,
) -> Vec<Type> {
    let one = |(name, doc): (Spanned<String>, TypeDoc)| {
        let key = name.value.clone();
        let read = |sink: &mut Sink<'_>| {
            let (wanted, doc) = split(doc);
            let mut own = Shape::new(name, doc);
            if let Some(shape) = wanted.and_then(|wanted| find(&wanted, shapes, has_gaps, sink)) {
                own.take_from(shape, sink);
            }
            own.into_type()
        };
        sink.within("types", |sink| sink.within(&key, read))
    };
    types.into_iter().map(one).collect()
}

fn split(doc: TypeDoc) -> (Option<Spanned<Name>>, ShapeDoc) {
    let TypeDoc { shape, governed_by, parent, root, open, is_virtual, attributes, actions } = doc;
    (shape, ShapeDoc { governed_by, parent, root, open, is_virtual, attributes, actions })
}

fn find<'s>(wanted: &Spanned<Name>, shapes: &'s [Shape], has_gaps: bool, sink: &mut Sink<'_>) -> Option<&'s Shape> {
    let name = &wanted.value.0;
    let found = shapes.iter().find(|shape| shape.name.value == *name);
    if found.is_none() && has_gaps {
        sink.fail();
    } else if found.is_none() {
        let help = suggest::help(name, shapes.iter().map(|shape| shape.name.as_str()));
        sink.error_with(wanted.at, format!("there is no shape {}", quote(name)), help);
    }
    found
}

fn place(flag: Option<&Spanned<bool>>) -> Option<Position> {
    flag.map(|flag| flag.at)
}

fn refuse_both(what: &str, own: Option<Position>, shape: Option<Position>, name: &str, sink: &mut Sink<'_>) {
    if let (Some(own), Some(shape)) = (own, shape) {
        let message = format!("{what} is already defined by the shape {} at {}", quote(name), sink.place(shape));
        sink.error_with(own, message, "a type adds to its shape: remove it here, or from the shape");
    }
}
