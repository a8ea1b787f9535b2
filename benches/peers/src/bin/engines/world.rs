//! The world and its questions, as the files say.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

/// Who holds which role on which workspace, what the documents are, and what is asked.
pub struct World {
    /// User, role, workspace.
    pub bindings: Vec<[String; 3]>,
    /// Document, workspace, whether it is locked.
    pub documents: Vec<(String, String, bool)>,
    /// Workspaces.
    pub workspaces: Vec<String>,
    /// What is asked: user, action, document, whether it must be allowed.
    pub questions: Vec<Question>,
}

/// May the user do this to the document?
pub struct Question {
    pub user: String,
    pub action: String,
    pub document: String,
    pub wanted: bool,
}

impl World {
    pub fn read(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let (mut bindings, mut documents, mut workspaces) = (Vec::new(), Vec::new(), Vec::new());
        for line in BufReader::new(File::open(directory.join("source/facts.jsonl"))?).lines() {
            let fact: Value = serde_json::from_str(&line?)?;
            let text = |key: &str| id(fact[key].as_str().unwrap_or_default());
            match (fact["kind"].as_str(), fact["id"].as_str().and_then(|id| id.split_once('/'))) {
                (Some("binding"), _) => {
                    bindings.push([text("subject"), fact["role"].as_str().unwrap_or_default().to_owned(), text("at")]);
                }
                (Some("resource"), Some(("workspace", id))) => workspaces.push(id.to_owned()),
                (Some("resource"), Some(("document", id))) => {
                    documents.push((id.to_owned(), text("parent"), fact["attributes"]["locked"] == true));
                }
                _ => {}
            }
        }
        Ok(Self { bindings, documents, workspaces, questions: questions(&directory.join("questions.jsonl"))? })
    }

    /// Where a document stands.
    pub fn workspace_of(document: &str) -> &str {
        document.split_once('-').map_or(document, |(workspace, _)| workspace)
    }
}

pub fn questions(path: &Path) -> Result<Vec<Question>, Box<dyn Error>> {
    let line = |line: std::io::Result<String>| {
        let question: Value = serde_json::from_str(&line?)?;
        let text = |key: &str| id(question[key].as_str().unwrap_or_default());
        Ok(Question {
            user: text("subject"),
            action: text("action"),
            document: text("resource"),
            wanted: question["expect"] == "allow",
        })
    };
    BufReader::new(File::open(path)?).lines().map(line).collect()
}

/// Without the type.
fn id(name: &str) -> String {
    name.split_once('/').map_or(name, |(_, id)| id).to_owned()
}
