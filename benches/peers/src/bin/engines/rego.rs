//! regorus: Rego on its register machine, the fastest way it has. The bindings are its data, the input is ready.

use std::error::Error;
use std::fmt::Write;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Value};
use serde_json::{Map, json};

use super::Case;
use super::world::World;

const POLICY: &str = r#"
package office

default allow := false

gives := {
    "reader": {"view": true},
    "writer": {"view": true, "update": true},
}

allow if {
    document := data.documents[input.document]
    some role, _ in data.holds[input.user][document.workspace]
    gives[role][input.action]
}

allow if {
    input.action == "publish"
    document := data.documents[input.document]
    data.holds[input.user][document.workspace].publisher
    document.locked == false
    data.workspaces[document.workspace].tier == "pro"
}
"#;

pub fn engine(world: &World) -> Result<Case, Box<dyn Error>> {
    let entry = "data.office.allow";
    let mut engine = Engine::new();
    engine.add_policy("office.rego".to_owned(), POLICY.to_owned())?;
    let data = Value::from_json_str(&data(world))?;
    engine.add_data(data.clone())?;
    let compiled = engine.compile_with_entrypoint(&entry.into())?;
    let program = Compiler::compile_from_policy(&compiled, &[entry])?;
    let mut machine = RegoVM::new_with_policy(compiled);
    machine.load_program(program);
    machine.set_data(data)?;
    let mut inputs = Vec::new();
    for asked in &world.questions {
        let mut text = String::new();
        write!(text, "{}", json!({"user": asked.user, "action": asked.action, "document": asked.document}))?;
        inputs.push(Value::from_json_str(&text)?);
    }
    let ask = move |number: usize| {
        machine.set_input(inputs[number].clone());
        machine.execute().is_ok_and(|value| value == Value::from(true))
    };
    let wanted = world.questions.iter().map(|question| question.wanted).collect();
    Ok(Case { name: "Rego (regorus 0.14)".to_owned(), ask: Box::new(ask), wanted, batch: 1_000 })
}

fn data(world: &World) -> String {
    let (mut holds, mut documents, mut workspaces) = (Map::new(), Map::new(), Map::new());
    for [user, role, at] in &world.bindings {
        holds.entry(user).or_insert_with(|| json!({}))[at][role] = json!(true);
    }
    for (document, at, locked) in &world.documents {
        documents.insert(document.clone(), json!({"workspace": at, "locked": locked}));
    }
    for at in &world.workspaces {
        workspaces.insert(at.clone(), json!({"tier": "pro"}));
    }
    json!({"holds": holds, "documents": documents, "workspaces": workspaces}).to_string()
}
