//! The `cel` crate, on one condition alone: nobody is looked up.

use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Env, Value};

use super::Case;

const CONDITION: &str = "resource.locked == false && workspace.tier == 'pro'";

/// The condition of the publisher, with what it reads at hand.
pub fn condition() -> Case {
    let env = Arc::new(Env::stdlib());
    let program = env.compile(CONDITION).expect("a condition");
    let mut contexts = Vec::new();
    for locked in [true, false] {
        let mut context = Context::with_env(Arc::clone(&env));
        context.add_variable("resource", HashMap::from([("locked", locked)])).expect("a map");
        context.add_variable("workspace", HashMap::from([("tier", "pro")])).expect("a map");
        contexts.push(context);
    }
    let wanted = (0..1_024).map(|number| number % 4 != 0).collect();
    let ask = move |number: usize| {
        let context = &contexts[usize::from(number % 4 != 0)];
        program.execute(context).is_ok_and(|value| value == Value::Bool(true))
    };
    Case { name: "CEL (condition alone)".to_owned(), ask: Box::new(ask), wanted, batch: 1_000 }
}
