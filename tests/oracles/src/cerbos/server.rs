//! A Cerbos server of our own: started on a free loopback port, ended by its handle.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Scene;
use crate::world::Question;

/// Longer than any honest start.
const LIMIT: Duration = Duration::from_secs(60);

/// A running server. Dropped, it is ended.
#[derive(Debug)]
pub struct Server {
    child: Child,
    url: String,
    agent: ureq::Agent,
}

/// A question, and whether Cerbos allows it.
pub type Asked = (Question, bool);

impl Server {
    /// Starts `binary` with the policies of all scenes, in a directory of the caller's.
    ///
    /// # Panics
    /// When it does not serve.
    pub fn start(binary: &str, directory: &Path, scenes: &[Scene]) -> Self {
        let policies = directory.join("policies");
        fs::create_dir(&policies).expect("a directory");
        for (name, policy) in scenes.iter().flat_map(Scene::policies) {
            fs::write(policies.join(name), policy.to_string()).expect("a policy");
        }
        // Freed at once, and taken by nobody else in between, or the start fails and says so.
        let [http, grpc] =
            [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port"));
        let config = json!({
            "server": {"httpListenAddr": http.to_string(), "grpcListenAddr": grpc.to_string()},
            "storage": {"driver": "disk", "disk": {"directory": policies, "watchForChanges": false}},
            "telemetry": {"disabled": true},
        });
        let file = directory.join("config.json");
        fs::write(&file, config.to_string()).expect("a configuration");
        let mut child = Command::new(binary)
            .arg("server")
            .arg(format!("--config={}", file.display()))
            .arg("--log-level=warn")
            .env("CERBOS_NO_TELEMETRY", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|error| panic!("{binary}: {error}"));
        let log = child.stdout.take().expect("piped");
        thread::spawn(move || {
            BufReader::new(log).lines().map_while(Result::ok).for_each(|line| eprintln!("cerbos: {line}"))
        });
        let agent = ureq::Agent::config_builder().timeout_global(Some(LIMIT)).build().into();
        let mut server = Self { child, url: format!("http://{http}"), agent };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        while self.agent.get(format!("{}/_cerbos/health", self.url)).call().is_err() {
            assert!(self.child.try_wait().expect("a status").is_none(), "the server ended");
            assert!(begun.elapsed() < LIMIT, "the server does not serve");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Every question of a scene with its answer.
    ///
    /// # Panics
    /// When an answer is missing.
    pub fn ask(&self, scene: &Scene) -> Vec<Asked> {
        scene.requests().into_iter().flat_map(|(body, questions)| self.ask_one(&body, questions)).collect()
    }

    fn ask_one(&self, body: &Value, questions: Vec<Question>) -> Vec<Asked> {
        let answer = self.agent.post(format!("{}/api/check/resources", self.url)).send_json(body);
        let answer: Value = answer.expect("an answer").body_mut().read_json().expect("JSON");
        let results: HashMap<&str, &Value> = answer["results"]
            .as_array()
            .expect("results")
            .iter()
            .map(|result| (result["resource"]["id"].as_str().expect("an id"), &result["actions"]))
            .collect();
        let asked = questions.into_iter().map(|question| {
            let effect = results[question.resource.to_string().as_str()][question.action].as_str();
            let allowed = match effect {
                Some("EFFECT_ALLOW") => true,
                Some("EFFECT_DENY") => false,
                other => panic!("{question:?}: {other:?}"),
            };
            (question, allowed)
        });
        asked.collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
