//! A second evaluator of DESIGN section 2, as naive as can be: linear scans over the parsed policy and facts, one
//! function per sentence. It shares the model's types with the engine and nothing else, and it knows no error: what
//! compile refuses is never asked here.

pub(crate) mod condition;
mod levels;

pub(crate) use levels::refuses;

use condition::{Known, Lookup, State, all, holds};
use sidegate::model::{
    Action, AlsoTarget, Attribute, Attributes, Binding, Block, Decision, DefinedRole, Entity, EntityName, Facts,
    Forbid, Grants, Lifetime, LimitKind, Literal, Parameter, Policy, Properties, Reason, Request, Resource, Role, Rule,
    Spanned, Subject, Supplier, Term, TermOperator, TermScope, Timestamp, Type, Value, ValueType,
};

/// What the reference answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    pub(crate) reason: Reason,
    pub(crate) rule: Option<String>,
    pub(crate) undetermined: bool,
}

impl Outcome {
    fn deny(reason: Reason) -> Self {
        Self { decision: Decision::Deny, reason, rule: None, undetermined: false }
    }
}

/// The request is malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotAsked;

/// Decides.
pub(crate) fn decide(
    policy: &Policy,
    facts: &Facts,
    request: &Request<'_>,
    time: Timestamp,
) -> Result<Outcome, NotAsked> {
    request.check().map_err(|_| NotAsked)?;
    let world = World { policy, facts, request, time };
    if policy.strict_properties && world.vocabulary().is_ok() && world.says_undeclared() {
        return Err(NotAsked);
    }
    Ok(world.decide().unwrap_or_else(Outcome::deny))
}

type Name = Spanned<String>;

struct World<'a> {
    policy: &'a Policy,
    facts: &'a Facts,
    request: &'a Request<'a>,
    time: Timestamp,
}

/// The resource of a decision: the asked one, or the second one.
struct Object<'a> {
    kind: &'a Type,
    /// The held resource itself, if it is held, then its ancestors, nearest first.
    chain: Vec<&'a Resource>,
    held: bool,
    values: Vec<(String, State)>,
}

/// One way for a role to give the action.
#[derive(Default)]
struct Way<'a> {
    ceiling: bool,
    gates: Vec<&'a str>,
    when: Option<&'a str>,
    terms: Vec<&'a Term>,
}

type Denied<T> = Result<T, Reason>;

impl<'a> World<'a> {
    fn decide(&self) -> Denied<Outcome> {
        let (kind, action, subject) = self.vocabulary()?;
        self.parameters(action)?;
        let object = self.place(kind, action)?;
        let declared = named(&self.policy.subject_types, self.request.subject.kind, |kind| &kind.name)
            .ok_or(Reason::UnknownSubject)?;
        if self.contradicts(&declared.attributes, Some(&subject.attributes), self.request.subject_properties)
            || self.contradicts(
                &kind.attributes,
                object.own().map(|own| &own.attributes),
                self.request.resource_properties,
            )
        {
            return Err(Reason::ContradictsSnapshot);
        }
        Ok(self.judge(&object, action, action.also.is_some()))
    }

    // ---- vocabulary and placement

    fn vocabulary(&self) -> Denied<(&'a Type, &'a Action, &'a Subject)> {
        let kind = self.kind(self.request.resource.kind).filter(|kind| !kind.is_virtual).ok_or(Reason::UnknownType)?;
        let action = named(&kind.actions, self.request.action, |action| &action.name).ok_or(Reason::UnknownAction)?;
        Ok((kind, action, self.subject()?))
    }

    fn kind(&self, name: &str) -> Option<&'a Type> {
        named(&self.policy.types, name, |kind| &kind.name)
    }

    fn subject(&self) -> Denied<&'a Subject> {
        let found = self.facts.subjects.iter().find(|subject| subject.name.as_entity() == self.request.subject);
        match found {
            Some(subject) if subject.disabled => Err(Reason::Disabled),
            Some(subject) => Ok(subject),
            None => Err(Reason::UnknownSubject),
        }
    }

    fn resource(&self, name: Entity<'_>) -> Option<&'a Resource> {
        self.facts.resources.iter().find(|resource| resource.name.as_entity() == name)
    }

    fn parameters(&self, action: &Action) -> Denied<()> {
        let sent = |parameter: &Parameter| property(self.request.action_properties, &parameter.name);
        let is_right = |parameter: &Parameter, value| {
            self.typed(&parameter.value_type, value).is_some_and(|value| self.exists(&value))
        };
        let mut parameters = action.parameters.iter();
        if parameters.any(|parameter| !parameter.optional && sent(parameter).is_none()) {
            return Err(Reason::MissingParameter);
        }
        let mut parameters = action.parameters.iter();
        if parameters.any(|parameter| sent(parameter).is_some_and(|value| !is_right(parameter, value))) {
            return Err(Reason::UnknownParameter);
        }
        Ok(())
    }

    /// Whether every entity in a parameter is held.
    fn exists(&self, value: &Known) -> bool {
        match value {
            Known::Entity(name) => {
                let subject = self.facts.subjects.iter().any(|subject| *subject.name == *name);
                subject || self.resource(name.as_entity()).is_some()
            }
            Known::List(items) => items.iter().all(|item| self.exists(item)),
            Known::Bool(_) | Known::Int(_) | Known::Text(_) | Known::Time(_) => true,
        }
    }

    fn place(&self, kind: &'a Type, action: &Action) -> Denied<Object<'a>> {
        let own = self.resource(self.request.resource);
        let parent = match own {
            Some(own) => {
                let stored = own.parent.as_ref().map(|parent| parent.as_entity());
                if self.request.parent.is_some() && self.request.parent != stored {
                    return Err(Reason::ContradictsSnapshot);
                }
                stored
            }
            None if !(action.creates || kind.open) => return Err(Reason::UnknownResource),
            None => self.request.parent,
        };
        let chain = self.chain(kind, own, parent).ok_or(Reason::UnknownResource)?;
        let stored = own.map(|own| &own.attributes);
        let values = self.values(&kind.attributes, stored, self.request.resource_properties);
        Ok(Object { kind, chain, held: own.is_some(), values })
    }

    /// The held resource and its ancestors; `None` when a new one does not fit under its parent.
    fn chain(&self, kind: &Type, own: Option<&'a Resource>, parent: Option<Entity<'_>>) -> Option<Vec<&'a Resource>> {
        let mut chain: Vec<_> = own.into_iter().collect();
        let Some(parent) = parent else {
            return kind.root.then_some(chain);
        };
        let fits = kind.parents.iter().any(|name| **name == parent.kind);
        let mut next = Some(self.resource(parent).filter(|_| fits)?);
        while let Some(resource) = next {
            chain.push(resource);
            next = resource.parent.as_ref().and_then(|parent| self.resource(parent.as_entity()));
        }
        Some(chain)
    }

    fn contradicts(&self, declared: &[Attribute], held: Option<&Attributes>, sent: Properties<'_>) -> bool {
        declared.iter().any(|attribute| {
            let stored = held.and_then(|held| stored(attribute, held));
            let sent = property(sent, &attribute.name).map(|value| self.typed(&attribute.value_type, value));
            match (attribute.from, sent) {
                (_, None) | (Supplier::Request | Supplier::RequestThenSnapshot, _) => false,
                // "Never asserted against": an equal value is refused too, or a caller could guess until it is right.
                (_, Some(_)) if attribute.sensitive && stored.is_some() => true,
                (Supplier::Snapshot, Some(sent)) => stored.is_none() || stored != sent,
                (Supplier::SnapshotThenRequest, Some(sent)) => stored.is_some() && stored != sent,
            }
        })
    }

    fn says_undeclared(&self) -> bool {
        let extra = |sent: Properties<'_>, declared: &[Attribute]| {
            sent.iter().any(|(name, _)| declared.iter().all(|attribute| *attribute.name != *name))
        };
        let request = self.request;
        let subject = named(&self.policy.subject_types, request.subject.kind, |kind| &kind.name);
        let kind = self.kind(request.resource.kind);
        let action = kind.and_then(|kind| named(&kind.actions, request.action, |action| &action.name));
        extra(request.context, &self.policy.context)
            || subject.is_some_and(|subject| extra(request.subject_properties, &subject.attributes))
            || kind.is_some_and(|kind| extra(request.resource_properties, &kind.attributes))
            || action.is_some_and(|action| {
                let declared = |name: &str| action.parameters.iter().any(|parameter| **parameter.name == *name);
                request.action_properties.iter().any(|(name, _)| !declared(name))
            })
    }

    // ---- values

    fn values(
        &self,
        declared: &[Attribute],
        stored: Option<&Attributes>,
        sent: Properties<'_>,
    ) -> Vec<(String, State)> {
        let value = |attribute: &Attribute| (attribute.name.value.clone(), self.value(attribute, stored, sent));
        declared.iter().map(value).collect()
    }

    fn value(&self, attribute: &Attribute, held: Option<&Attributes>, sent: Properties<'_>) -> State {
        let stored = held.and_then(|held| stored(attribute, held)).map(State::Present);
        let sent = property(sent, &attribute.name)
            .map(|value| self.typed(&attribute.value_type, value).map_or(State::Unknown, State::Present));
        let said = match attribute.from {
            Supplier::Snapshot => stored,
            Supplier::Request => sent,
            Supplier::SnapshotThenRequest => stored.or(sent),
            Supplier::RequestThenSnapshot => sent.or(stored),
        };
        let default = || attribute.default.as_ref().and_then(|default| written(&attribute.value_type, default));
        let fact = attribute.optional && attribute.from == Supplier::Snapshot && held.is_some();
        let nothing = if fact { State::Absent } else { State::Unknown };
        said.or_else(|| default().map(State::Present)).unwrap_or(nothing)
    }

    /// A sent value, if it is of the type.
    fn typed(&self, value_type: &ValueType, value: &Value<'_>) -> Option<Known> {
        Some(match (value_type, value) {
            (ValueType::Bool, Value::Bool(value)) => Known::Bool(*value),
            (ValueType::Int, Value::Int(value)) => Known::Int(*value),
            (ValueType::String, Value::String(value)) => Known::Text((*value).to_owned()),
            (ValueType::Enum(names), Value::String(value)) if names.iter().any(|name| **name == *value) => {
                Known::Text((*value).to_owned())
            }
            (ValueType::Governor, Value::String(value))
                if self.policy.governors.iter().any(|path| **path == *value) =>
            {
                Known::Text((*value).to_owned())
            }
            (ValueType::Timestamp, Value::Timestamp(value)) => Known::Time(*value),
            (ValueType::Reference(name), Value::Entity(entity)) if self.is_a(entity.kind, name) => {
                Known::Entity(EntityName { kind: entity.kind.to_owned(), id: entity.id.to_owned() })
            }
            (ValueType::List(of), Value::List(items)) => {
                Known::List(items.iter().map(|item| self.typed(of, item)).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    fn is_a(&self, kind: &str, wanted: &str) -> bool {
        kind == wanted || wanted == "subject" && self.policy.subject_types.iter().any(|subject| *subject.name == *kind)
    }

    // ---- paths and forbids

    fn judge(&self, object: &Object<'a>, action: &'a Action, second: bool) -> Outcome {
        let bindings = self
            .facts
            .bindings
            .iter()
            .filter(|binding| binding.subject.one().is_some_and(|name| name.as_entity() == self.request.subject));
        let mut tried = Vec::new();
        for binding in bindings {
            let Some(distance) = object.chain.iter().position(|scope| scope.name.value == binding.at.value) else {
                continue;
            };
            let rule = format!("roles/{}/{}.{}", *binding.role, *object.kind.name, *action.name);
            let ways = self.ways(binding, object.kind, action);
            tried.extend(
                ways.iter().map(|way| (self.walk(binding, way, object, action, second), distance, rule.clone())),
            );
        }
        let nearest = tried
            .iter()
            .filter(|((reason, _), ..)| *reason == Reason::Granted)
            .min_by_key(|(_, distance, rule)| (*distance, rule));
        match nearest {
            Some((_, _, rule)) => self.forbidden(object, action).unwrap_or_else(|| Outcome {
                decision: Decision::Allow,
                reason: Reason::Granted,
                rule: Some(rule.clone()),
                undetermined: false,
            }),
            None => nearest_miss(&tried),
        }
    }

    /// How far a path gets, and whether what stopped it was unknown.
    fn walk(
        &self,
        binding: &Binding,
        way: &Way<'a>,
        object: &Object<'a>,
        action: &'a Action,
        second: bool,
    ) -> (Reason, bool) {
        let lookup: Lookup<'_> = &|path| self.look_up(path, object, action);
        if binding.disabled || !self.in_force(binding.lifetime) {
            return (Reason::Expired, false);
        }
        if let Err(stopped) = self.level(binding, object, action) {
            return stopped;
        }
        if way.ceiling {
            return (Reason::Ceiling, false);
        }
        let gates = all(way.gates.iter().map(|gate| holds(gate, lookup)));
        if gates != Some(true) {
            return (Reason::Plan, gates.is_none());
        }
        let terms = way.terms.iter().map(|term| self.term(term, object, lookup));
        match all(way.when.iter().map(|when| holds(when, lookup)).chain(terms)) {
            Some(false) => (Reason::ConditionFalse, false),
            None => (Reason::ConditionUnknown, true),
            Some(true) if second => match self.second_object(object, action) {
                Some(outcome) if outcome.decision == Decision::Deny => (Reason::SecondObject, outcome.undetermined),
                _ => (Reason::Granted, false),
            },
            Some(true) => (Reason::Granted, false),
        }
    }

    fn in_force(&self, lifetime: Lifetime) -> bool {
        lifetime.not_before.is_none_or(|begin| begin <= self.time) && lifetime.expires.is_none_or(|end| self.time < end)
    }

    /// One further decision; `None` where the request names no second object.
    fn second_object(&self, object: &Object<'a>, action: &Action) -> Option<Outcome> {
        let also = action.also.as_ref()?;
        let (AlsoTarget::On(parameter) | AlsoTarget::Under(parameter)) = &also.target;
        let Some(Value::Entity(named_entity)) = property(self.request.action_properties, parameter) else {
            return None;
        };
        let request = Request {
            action: &also.action,
            action_properties: &[],
            resource_properties: &[],
            parent: None,
            ..*self.request
        };
        let decided = match also.target {
            AlsoTarget::On(_) => World { request: &Request { resource: *named_entity, ..request }, ..*self }.decide(),
            AlsoTarget::Under(_) => {
                self.under(&World { request: &request, ..*self }, object, *named_entity, &also.action)
            }
        };
        Some(decided.unwrap_or_else(Outcome::deny))
    }

    /// A new resource of the same type and attributes, under another parent.
    fn under(&self, world: &World<'_>, object: &Object<'a>, parent: Entity<'_>, action: &str) -> Denied<Outcome> {
        let chain = self.chain(object.kind, None, Some(parent)).ok_or(Reason::UnknownResource)?;
        let action = named(&object.kind.actions, action, |action| &action.name).ok_or(Reason::UnknownAction)?;
        world.parameters(action)?;
        // The same attributes: what is known not to be there is not there in the copy either.
        let values = object.values.clone();
        Ok(world.judge(&Object { kind: object.kind, chain, held: false, values }, action, false))
    }

    /// The forbid or block that applies: a true one before an unknown one, then the smallest id.
    fn forbidden(&self, object: &Object<'a>, action: &'a Action) -> Option<Outcome> {
        let lookup: Lookup<'_> = &|path| self.look_up(path, object, action);
        let forbids = self.policy.forbids.iter().filter(|forbid| self.forbid_applies(forbid, object, action));
        let forbids = forbids.map(|forbid| {
            (forbid.when.as_ref().map_or(Some(true), |when| holds(when, lookup)), format!("forbids/{}", *forbid.id))
        });
        let blocks = self.facts.blocks.iter().filter(|block| self.block_applies(block, object, action));
        let blocks = blocks.map(|block| (Some(true), format!("blocks/{}", *block.id)));
        let worst = forbids
            .chain(blocks)
            .filter(|(holds, _)| *holds != Some(false))
            .min_by_key(|(holds, id)| (holds.is_none(), id.clone()))?;
        Some(Outcome { rule: Some(worst.1), undetermined: worst.0.is_none(), ..Outcome::deny(Reason::Forbidden) })
    }

    fn forbid_applies(&self, forbid: &Forbid, object: &Object<'a>, action: &Action) -> bool {
        self.in_force(forbid.lifetime)
            && self.takes(&forbid.on, &forbid.except, &forbid.grants, object.kind, action)
            && (forbid.subjects.is_empty()
                || forbid
                    .subjects
                    .iter()
                    .any(|holder| holder.one().is_some_and(|name| name.as_entity() == self.request.subject)))
            && (forbid.scopes.is_empty() || forbid.scopes.iter().any(|scope| object.is_within(scope)))
    }

    fn block_applies(&self, block: &Block, object: &Object<'a>, action: &Action) -> bool {
        self.in_force(block.lifetime)
            && self.takes(&block.on, &[], &block.grants, object.kind, action)
            && block
                .subject
                .as_ref()
                .is_none_or(|holder| holder.one().is_some_and(|name| name.as_entity() == self.request.subject))
            && block.at.as_ref().is_none_or(|scope| object.is_within(scope))
    }

    // ---- roles

    fn ways(&self, binding: &Binding, kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        match named(&self.policy.roles, &binding.role, |role| &role.name) {
            Some(role) => self.role_ways(role, &binding.at.kind, kind, action),
            None => self.definer(binding).map_or(Vec::new(), |role| self.defined_ways(role, kind, action)),
        }
    }

    /// The role's own rules and copies of the included ones, each already under its own limits, all under this role's.
    fn role_ways(&self, role: &'a Role, held_at: &str, kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        let here = |scopes: &[Name]| scopes.is_empty() || scopes.iter().any(|scope| **scope == *held_at);
        let gives =
            |rule: &&Rule| here(&rule.held_at) && self.gives(&rule.on, &rule.except, &rule.grants, kind, action);
        let own = role.rules.iter().filter(gives);
        let own = own.map(|rule| Way { when: rule.when.as_ref().map(|when| when.value.as_str()), ..Way::default() });
        let included = role.includes.iter().filter_map(|name| named(&self.policy.roles, name, |role| &role.name));
        let mut ways: Vec<_> =
            own.chain(included.flat_map(|role| self.role_ways(role, held_at, kind, action))).collect();
        for limit in role.limits.iter().filter(|limit| here(&limit.held_at)) {
            for way in &mut ways {
                match &limit.kind {
                    LimitKind::Only(names) if self.names(&limit.on, &limit.except, &kind.name) => {
                        way.ceiling |= names.iter().all(|name| **name != *action.name);
                    }
                    LimitKind::Gate { grants, only_when }
                        if self.takes(&limit.on, &limit.except, grants, kind, action) =>
                    {
                        way.gates.push(only_when);
                    }
                    LimitKind::Only(_) | LimitKind::Gate { .. } => {}
                }
            }
        }
        ways
    }

    /// The role of that name whose definer is nearest to where it is held.
    fn definer(&self, binding: &Binding) -> Option<&'a DefinedRole> {
        let mut scope = self.resource(binding.at.as_entity());
        while let Some(here) = scope {
            let defined = |role: &&DefinedRole| *role.at == *here.name && *role.name == *binding.role;
            if let Some(role) = self.facts.roles.iter().find(defined) {
                return Some(role);
            }
            scope = here.parent.as_ref().and_then(|parent| self.resource(parent.as_entity()));
        }
        None
    }

    fn defined_ways(&self, role: &'a DefinedRole, kind: &'a Type, action: &'a Action) -> Vec<Way<'a>> {
        let rules = role
            .rules
            .current()
            .unwrap_or_default()
            .iter()
            .filter(|rule| self.gives(std::slice::from_ref(&rule.on), &[], &rule.grants, kind, action));
        let restricts = |scope: &TermScope| match scope {
            TermScope::All => true,
            TermScope::Named(name) => **name == **action.name || self.operation(action) == Some(name),
        };
        rules
            .map(|rule| {
                let terms =
                    rule.when.iter().filter(|(scope, _)| restricts(scope)).flat_map(|(_, terms)| terms).collect();
                Way { terms, ..Way::default() }
            })
            .collect()
    }

    /// A rule's operations are those that its types govern; all else names the resource's own type.
    fn gives(&self, on: &[Name], except: &[Name], grants: &Grants, kind: &Type, action: &Action) -> bool {
        let governing = action.governed_by.as_ref().filter(|_| matches!(grants, Grants::Operations(_)));
        self.names(on, except, governing.unwrap_or(&kind.name)) && self.selects(grants, action)
    }

    /// A limit, forbid or block names the resource's own type.
    fn takes(&self, on: &[Name], except: &[Name], grants: &Grants, kind: &Type, action: &Action) -> bool {
        self.names(on, except, &kind.name) && self.selects(grants, action)
    }

    fn selects(&self, grants: &Grants, action: &Action) -> bool {
        match grants {
            Grants::All => true,
            Grants::Actions(names) => names.iter().any(|name| **name == *action.name),
            Grants::Operations(names) => names.iter().any(|name| Some(&**name) == self.operation(action)),
        }
    }

    fn operation(&self, action: &'a Action) -> Option<&'a String> {
        let holds = |names: &[Name]| names.iter().any(|name| *name.value == *action.name.value);
        let listed =
            || self.policy.operations.iter().find(|operation| holds(&operation.actions)).map(|found| &found.name);
        action.operation.as_ref().or_else(listed).map(|name| &name.value)
    }

    /// Whether a type is among types and classes; no name at all means every type.
    fn names(&self, on: &[Name], except: &[Name], kind: &str) -> bool {
        (on.is_empty() || on.iter().any(|name| self.is_in(name, kind)))
            && !except.iter().any(|name| self.is_in(name, kind))
    }

    fn is_in(&self, name: &str, kind: &str) -> bool {
        let class = named(&self.policy.classes, name, |class| &class.name);
        name == kind || class.is_some_and(|class| class.members.iter().any(|member| self.is_in(member, kind)))
    }

    // ---- conditions

    fn look_up(&self, path: &[&str], object: &Object<'a>, action: &Action) -> State {
        let entity = |name: Entity<'_>| {
            State::Present(Known::Entity(EntityName { kind: name.kind.to_owned(), id: name.id.to_owned() }))
        };
        let subject = self.facts.subjects.iter().find(|subject| subject.name.as_entity() == self.request.subject);
        match path {
            ["request", "time"] => State::Present(Known::Time(self.time)),
            ["subject"] => entity(self.request.subject),
            ["subject", name] => {
                let declared = named(&self.policy.subject_types, self.request.subject.kind, |kind| &kind.name);
                let stored = subject.map(|subject| &subject.attributes);
                self.attribute(
                    declared.map_or(&[], |kind| &kind.attributes),
                    name,
                    stored,
                    self.request.subject_properties,
                )
            }
            ["resource", name] => {
                object.values.iter().find(|(own, _)| own == name).map_or(State::Unknown, |(_, state)| state.clone())
            }
            ["context", name] => self.attribute(&self.policy.context, name, None, self.request.context),
            ["param", name] => {
                let declared = named(&action.parameters, name, |parameter| &parameter.name);
                let sent = property(self.request.action_properties, name);
                let value = declared.zip(sent).and_then(|(declared, sent)| self.typed(&declared.value_type, sent));
                value.map_or(State::Unknown, State::Present)
            }
            ["ancestor", kind, name] => {
                let mut ancestors = object.chain.iter().skip(usize::from(object.held));
                let Some(ancestor) = ancestors.find(|ancestor| ancestor.name.kind == *kind) else {
                    return State::Unknown;
                };
                let declared = self.kind(kind).map_or(&[][..], |kind| &kind.attributes);
                self.attribute(declared, name, Some(&ancestor.attributes), &[])
            }
            _ => panic!("cannot look {path:?} up"),
        }
    }

    fn attribute(
        &self,
        declared: &[Attribute],
        name: &str,
        stored: Option<&Attributes>,
        sent: Properties<'_>,
    ) -> State {
        named(declared, name, |attribute| &attribute.name)
            .map_or(State::Unknown, |attribute| self.value(attribute, stored, sent))
    }

    /// A term of a role written as a fact.
    fn term(&self, term: &Term, object: &Object<'a>, lookup: Lookup<'_>) -> Option<bool> {
        let path: Vec<_> = term.attribute.split('.').collect();
        let value_type = match path[..] {
            ["resource", name] => named(&object.kind.attributes, name, |attribute| &attribute.name),
            ["context", name] => named(&self.policy.context, name, |attribute| &attribute.name),
            ["subject", name] => {
                let kind = named(&self.policy.subject_types, self.request.subject.kind, |kind| &kind.name);
                kind.and_then(|kind| named(&kind.attributes, name, |attribute| &attribute.name))
            }
            _ => None,
        };
        let value_type = &value_type?.value_type;
        let value = lookup(&path).known()?;
        let is = |literal: &Literal| written(value_type, literal).map(|literal| literal == value);
        match &term.operators[..] {
            [(_, TermOperator::Eq(literal))] => is(literal),
            [(_, TermOperator::Ne(literal))] => is(literal).map(|equal| !equal),
            [(_, TermOperator::In(literals))] => Some(literals.iter().any(|literal| is(literal) == Some(true))),
            [(_, TermOperator::EqAttribute(path))] => {
                lookup(&path.split('.').collect::<Vec<_>>()).known().map(|other| other == value)
            }
            _ => panic!("a term with {} operators", term.operators.len()),
        }
    }
}

impl<'a> Object<'a> {
    fn own(&self) -> Option<&'a Resource> {
        self.chain.first().copied().filter(|_| self.held)
    }

    fn is_within(&self, scope: &EntityName) -> bool {
        self.chain.iter().any(|resource| *resource.name == *scope)
    }
}

/// Of the paths that got furthest, the smallest id; undetermined if any of them was.
fn nearest_miss(tried: &[((Reason, bool), usize, String)]) -> Outcome {
    let Some(furthest) = tried.iter().map(|((reason, _), ..)| *reason).max() else {
        return Outcome::deny(Reason::NoGrant);
    };
    let furthest_of = || tried.iter().filter(|((reason, _), ..)| *reason == furthest);
    Outcome {
        rule: furthest_of().map(|(_, _, rule)| rule.clone()).min(),
        undetermined: furthest_of().any(|((_, unknown), ..)| *unknown),
        ..Outcome::deny(furthest)
    }
}

fn named<'a, T>(items: &'a [T], name: &str, of: impl Fn(&T) -> &Spanned<String>) -> Option<&'a T> {
    items.iter().find(|item| of(item).value == name)
}

/// A property that was sent with a value.
fn property<'a>(properties: Properties<'a>, name: &str) -> Option<&'a Value<'a>> {
    properties.iter().find(|(sent, value)| *sent == name && *value != Value::Null).map(|(_, value)| value)
}

/// A written value of a type.
fn written(value_type: &ValueType, literal: &Literal) -> Option<Known> {
    Some(match (value_type, literal) {
        (ValueType::Bool, Literal::Bool(value)) => Known::Bool(*value),
        (ValueType::Int, Literal::Int(value)) => Known::Int(*value),
        (ValueType::String | ValueType::Enum(_) | ValueType::Governor, Literal::String(value)) => {
            Known::Text(value.clone())
        }
        (ValueType::Timestamp, Literal::String(value)) => Known::Time(Timestamp::parse(value)?),
        (ValueType::Reference(_), Literal::String(value)) => Known::Entity(EntityName::parse(value)?),
        (ValueType::List(of), Literal::List(items)) => {
            Known::List(items.iter().map(|item| written(of, item)).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The stored value of an attribute.
fn stored(attribute: &Attribute, stored: &Attributes) -> Option<Known> {
    let (_, value) = stored.iter().find(|(name, _)| **name == *attribute.name)?;
    written(&attribute.value_type, value)
}
