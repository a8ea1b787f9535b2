//! The JSON Schemas for editors, made from the document types; a test holds the committed files against them.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::case::{ExpectDetailDoc, ExpectDoc};
use super::decode::{Entries, Many, OrEmpty, Turn, Turned};
use super::fact::{
    BindingKind, BindingLine, BlockKind, BlockLine, CredentialKind, CredentialLine, GroupKind, GroupLine, ResourceKind,
    ResourceLine, RoleForm, RoleKind, RoleLine, RulesDoc, SnapshotKind, SnapshotLine, SubjectKind, SubjectLine,
    TermDoc, VersionNumber, VersionedDoc,
};
use super::file::{FileDoc, Version};
use super::holder::{HolderDoc, HolderForm};
use super::http::{HeaderName, Pattern};
use super::permission::{ActionNames, Root};
use super::purview::{LookPlace, RolesForm, SeatPlace};
use super::text::{ActionName, Condition, Id, Name, RESERVED_TYPES, TypeExpression, TypeName};
use super::vocabulary::{
    ActionDoc, ActionsForm, AttributeDoc, AttributeForm, GovernorDoc, GovernorForm, ParameterDoc, ParameterForm, Valid,
};
use crate::model::{BindingHolder, Change, Decision, EntityName, Literal, Reason, Spanned, Supplier, Timestamp};

/// Gives types whose text form is not derived a schema.
macro_rules! schema {
    ($($type:ty as $name:literal: |$generator:ident| $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

schema! {
    Name as "Name": |_all| json_schema!({"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "maxLength": 1024});
    TypeName as "TypeName": |all| json_schema!({
        "allOf": [all.subschema_for::<Name>()],
        "not": {"enum": RESERVED_TYPES},
    });
    ActionName as "ActionName": |all| json_schema!({"allOf": [all.subschema_for::<Name>()], "not": {"const": "all"}});
    Id as "Id": |_all| json_schema!({"type": "string", "minLength": 1, "maxLength": 1024});
    Pattern as "HttpPattern": |_all| json_schema!({
        "type": "string",
        "pattern": "^[A-Z|-]+ [a-z0-9.-]*/\\S*$",
        "maxLength": 1024,
        "description": "Methods, a space, a host or none, and a path.",
    });
    HeaderName as "HeaderName": |_all| json_schema!({"type": "string", "pattern": "^[a-z0-9-]+$", "maxLength": 128});
    Condition as "Condition": |_all| json_schema!({
        "type": "string",
        "minLength": 1,
        "description": "A condition in a subset of CEL.",
    });
    EntityName as "EntityName": |_all| json_schema!({
        "type": "string",
        "pattern": "^[a-z][a-z0-9_]*/.+$",
        "description": "A type, a slash and an id.",
    });
    BindingHolder as "BindingHolder": |_all| json_schema!({
        "type": "string",
        "pattern": "^([a-z][a-z0-9_]*/.+|all\\([a-z][a-z0-9_]*\\)|members_of\\([a-z][a-z0-9_]*/.+\\))$",
        "description": "A subject or group as `type/id`, `all(type)` or `members_of(type/id)`.",
    });
    VersionNumber as "VersionNumber": |_all| json_schema!({"type": "string", "pattern": "^(0|[1-9][0-9]*)$"});
    RoleForm as "DefinedRole": |all| either(
        all.subschema_for::<VersionedDoc>(),
        all.subschema_for::<OrEmpty<RulesDoc>>(),
    );
    HolderForm as "Holder": |all| either(all.subschema_for::<Name>(), all.subschema_for::<HolderDoc>());
    RolesForm as "Roles": |all| either(json_schema!({"const": "all"}), all.subschema_for::<Many<Name>>());
    LookPlace as "Look": |_all| json_schema!({"enum": ["here", "above", "below"]});
    SeatPlace as "Held": |_all| json_schema!({"enum": ["self", "ancestors", "descendants"]});
    Change as "Change": |_all| json_schema!({"enum": ["grant", "revoke", "replace", "customise"]});
    Valid as "Valid": |_all| json_schema!({"const": "valid"});
    Timestamp as "Timestamp": |_all| json_schema!({"type": "string", "format": "date-time"});
    TypeExpression as "ValueType": |_all| json_schema!({
        "type": "string",
        "pattern": "^(list\\()?(bool|int|string|timestamp|enum|governor|role|permission|ref\\([a-z][a-z0-9_]*\\))\\)?$",
        "description": "bool, int, string, timestamp, enum, governor, ref(type), ref(subject), or list(...) of one of these; of parameters also role and permission.",
    });
    Version as "Version": |_all| json_schema!({"const": 1, "description": "The version of the language."});
    Supplier as "Supplier": |_all| json_schema!({"enum": [
        "snapshot", "request", ["snapshot", "request"], ["request", "snapshot"],
    ]});
    Literal as "Literal": |all| json_schema!({"anyOf": [
        {"type": ["null", "boolean", "string"], KEEPS_NULL: true},
        {"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX},
        {"type": "array", "items": all.subschema_for::<Literal>()},
    ]});
    AttributeForm as "Attribute": |all| either(all.subschema_for::<TypeExpression>(), all.subschema_for::<AttributeDoc>());
    ParameterForm as "Parameter": |all| either(all.subschema_for::<TypeExpression>(), all.subschema_for::<ParameterDoc>());
    ActionsForm as "Actions": |all| either(
        json_schema!({"type": "array", "items": all.subschema_for::<ActionName>(), "uniqueItems": true}),
        all.subschema_for::<Entries<ActionName, OrEmpty<ActionDoc>>>(),
    );
    ActionNames as "ActionNames": |all| either(json_schema!({"const": "all"}), all.subschema_for::<Many<Name>>());
    GovernorForm as "Governor": |all| either(all.subschema_for::<Id>(), all.subschema_for::<GovernorDoc>());
    Root as "Root": |_all| json_schema!({"enum": ["resource", "subject", "context"]});
    TermDoc as "Term": |all| json_schema!({
        "type": "object",
        "properties": {
            "attr": all.subschema_for::<Id>(),
            "eq": all.subschema_for::<Literal>(),
            "ne": all.subschema_for::<Literal>(),
            "in": {"type": "array", "items": all.subschema_for::<Literal>()},
            "eq_attr": all.subschema_for::<Id>(),
        },
        "required": ["attr"],
        "minProperties": 2,
        "maxProperties": 2,
        "additionalProperties": false,
    });
    Decision as "Decision": |_all| json_schema!({"enum": ["allow", "deny"]});
    Reason as "Reason": |_all| json_schema!({"enum": Reason::ALL.map(Reason::code)});
    ExpectDoc as "Expect": |all| json_schema!({"anyOf": [
        all.subschema_for::<Decision>(),
        {"type": "array", "items": all.subschema_for::<Id>()},
        {"type": "integer", "minimum": 0},
        all.subschema_for::<ExpectDetailDoc>(),
    ]});
    SubjectKind as "SubjectKind": |_all| json_schema!({"const": SubjectKind::WORD});
    GroupKind as "GroupKind": |_all| json_schema!({"const": GroupKind::WORD});
    CredentialKind as "CredentialKind": |_all| json_schema!({"const": CredentialKind::WORD});
    ResourceKind as "ResourceKind": |_all| json_schema!({"const": ResourceKind::WORD});
    RoleKind as "RoleKind": |_all| json_schema!({"const": RoleKind::WORD});
    BindingKind as "BindingKind": |_all| json_schema!({"const": BindingKind::WORD});
    BlockKind as "BlockKind": |_all| json_schema!({"const": BlockKind::WORD});
    SnapshotKind as "SnapshotKind": |_all| json_schema!({"const": SnapshotKind::WORD});
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(all: &mut SchemaGenerator) -> Schema {
        all.subschema_for::<T>()
    }
}

impl<D: Turn + JsonSchema> JsonSchema for Turned<D> {
    fn schema_name() -> Cow<'static, str> {
        D::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(all: &mut SchemaGenerator) -> Schema {
        all.subschema_for::<D>()
    }
}

impl<K: JsonSchema, V: JsonSchema> JsonSchema for Entries<K, V> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}By{}", V::schema_name(), K::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(all: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": all.subschema_for::<K>(),
            "additionalProperties": all.subschema_for::<V>(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for OrEmpty<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrEmpty", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(all: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [all.subschema_for::<T>(), {"type": "null"}], KEEPS_NULL: true})
    }
}

impl<T: JsonSchema, const MIN: usize> JsonSchema for Many<T, MIN> {
    fn schema_name() -> Cow<'static, str> {
        format!("AtLeast{MIN}{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(all: &mut SchemaGenerator) -> Schema {
        let one = all.subschema_for::<T>();
        either(one.clone(), json_schema!({"type": "array", "items": one, "minItems": MIN}))
    }
}

fn either(left: impl Into<Value>, right: impl Into<Value>) -> Schema {
    json_schema!({"anyOf": Value::Array(vec![left.into(), right.into()])})
}

/// Marks a schema whose null is meant.
const KEEPS_NULL: &str = "x-keeps-null";

/// Takes null out of whatever is merely optional: the language wants such a key left out.
#[derive(Clone)]
struct WithoutNull;

impl Transform for WithoutNull {
    fn transform(&mut self, schema: &mut Schema) {
        if schema.remove(KEEPS_NULL).is_none() {
            if let Some(Value::Array(types)) = schema.get_mut("type") {
                types.retain(|one| one != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    schema.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
                forms.retain(|form| *form != json!({"type": "null"}));
                if let [only] = forms.as_slice() {
                    let only = only.clone();
                    schema.remove("anyOf");
                    schema.ensure_object().extend(only.as_object().cloned().unwrap_or_default());
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

/// One line of JSON.
struct FactLine;

schema! {
    FactLine as "FactLine": |all| json_schema!({"oneOf": [
        all.subschema_for::<SubjectLine>(),
        all.subschema_for::<GroupLine>(),
        all.subschema_for::<CredentialLine>(),
        all.subschema_for::<ResourceLine>(),
        all.subschema_for::<RoleLine>(),
        all.subschema_for::<BindingLine>(),
        all.subschema_for::<BlockLine>(),
        all.subschema_for::<SnapshotLine>(),
    ]});
}

fn generate<T: JsonSchema>(title: &str) -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(WithoutNull);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
}

fn compare(file: &str, generated: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config/schema").join(file);
    if option_env!("SIDEGATE_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "config/schema/{file} is out of date: run the tests with SIDEGATE_BLESS=1");
}

#[test]
fn the_schema_of_policy_files_is_current() {
    compare("policy.schema.json", &generate::<FileDoc>("A Sidegate policy file"));
}

#[test]
fn the_schema_of_fact_lines_is_current() {
    compare("fact-line.schema.json", &generate::<FactLine>("One line of Sidegate facts"));
}
