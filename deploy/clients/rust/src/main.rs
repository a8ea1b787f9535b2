//! Answers lines of standard input, `user/ana order/1001 view cancel`, with `view=ALLOW cancel=DENY:NO_GRANT`.

use std::env;
use std::error::Error;

use sidegate_client::{Entity, Sidegate};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).or_else(|| env::var("SIDEGATE_ADDRESS").ok());
    let sidegate = Sidegate::new(address.as_deref().unwrap_or("127.0.0.1:8650"))?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [subject, resource, actions @ ..] = words.as_slice() else { continue };
        let (subject, resource) = (entity(subject)?, entity(resource)?);
        let answers = match actions {
            [action] => vec![sidegate.check(&subject, action, &resource).await],
            _ => sidegate.check_all(&subject, &resource, actions).await,
        };
        let said = actions.iter().zip(answers).map(|(action, answer)| {
            let said = if answer.allowed() { "ALLOW".to_owned() } else { format!("DENY:{}", answer.why()) };
            format!("{action}={said}")
        });
        println!("{}", said.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn entity(text: &str) -> Result<Entity, String> {
    let (kind, id) = text.split_once('/').ok_or_else(|| format!("`{text}` is not TYPE/ID"))?;
    Ok(Entity::new(kind, id))
}
