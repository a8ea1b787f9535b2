//! How soon a program that is started answers: `first-answer ADDRESS USER ACTION DOCUMENT PROGRAM [WORD...]`.
//!
//! It starts the program, asks until a question that is to be allowed is allowed, prints the milliseconds since the start
//! and kills the program by its own id.

use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sidegate_peers::v1::authorization_service_client::AuthorizationServiceClient;
use sidegate_peers::v1::{Action, AuthorizeRequest, Decision, Resource, Subject};

const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_micros(200);

/// Killed when it is done with.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Both do nothing to a child that has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, action, document, program, rest @ ..] = words.as_slice() else {
        return Err("first-answer ADDRESS USER ACTION DOCUMENT PROGRAM [WORD...]".into());
    };
    let request = AuthorizeRequest {
        subject: Some(Subject { r#type: "user".to_owned(), id: user.clone(), ..Default::default() }),
        action: Some(Action { name: action.clone(), ..Default::default() }),
        resource: Some(Resource { r#type: "document".to_owned(), id: document.clone(), ..Default::default() }),
        ..Default::default()
    };
    let url = format!("http://{address}");
    let begun = Instant::now();
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = Started(command.spawn()?);
    while !is_allowed(&url, &request).await {
        if begun.elapsed() > PATIENCE {
            return Err("it never answers".into());
        }
        std::thread::sleep(PAUSE);
    }
    println!("{}", begun.elapsed().as_secs_f64() * 1e3);
    drop(child);
    Ok(())
}

async fn is_allowed(url: &str, request: &AuthorizeRequest) -> bool {
    let Ok(mut client) = AuthorizationServiceClient::connect(url.to_owned()).await else { return false };
    let answer = client.authorize(request.clone()).await;
    answer.is_ok_and(|answer| answer.get_ref().decision() == Decision::Allow)
}
