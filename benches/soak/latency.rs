//! An open loop: questions are sent when they are due, whether the earlier ones were answered or not, and the time counts
//! from when they were due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sidegate::client::Client;
use sidegate::service::proto::v1::AuthorizeRequest;
use tokio::sync::mpsc;

use crate::support::LIMIT;

/// Sends so many a second over some connections for a while; the sorted times, and how many had no answer.
pub(crate) fn open_loop(
    address: &str,
    requests: &[AuthorizeRequest],
    rate: f64,
    length: Duration,
) -> (Vec<Duration>, usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(Client::connect(address, LIMIT).await.unwrap());
        }
        let (tell, mut told) = mpsc::unbounded_channel();
        let total = (rate * length.as_secs_f64()) as usize;
        let (begun, requests) = (Instant::now(), Arc::<[AuthorizeRequest]>::from(requests));
        for number in 0..total {
            let due = begun + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            let (client, tell, requests) = (clients[number % 4].clone(), tell.clone(), Arc::clone(&requests));
            tokio::spawn(async move {
                let answer = client.authorize(requests[number % requests.len()].clone()).await;
                tell.send(answer.map(|_| due.elapsed()).map_err(drop)).unwrap();
            });
        }
        drop(tell);
        let (mut times, mut failed) = (Vec::with_capacity(total), 0);
        while let Some(answer) = told.recv().await {
            match answer {
                Ok(time) => times.push(time),
                Err(()) => failed += 1,
            }
        }
        times.sort_unstable();
        (times, failed)
    })
}

/// How many a second four connections get answered, each asking when it has its answer.
pub(crate) fn capacity(address: &str, requests: &[AuthorizeRequest]) -> f64 {
    const LENGTH: Duration = Duration::from_secs(2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let end = Instant::now() + LENGTH;
        let mut workers = Vec::new();
        for worker in 0..16 {
            let (client, requests) = (Client::connect(address, LIMIT).await.unwrap(), requests.to_vec());
            workers.push(tokio::spawn(async move {
                let mut answered = 0_usize;
                while Instant::now() < end {
                    let request = requests[(worker + answered) % requests.len()].clone();
                    client.authorize(request).await.unwrap();
                    answered += 1;
                }
                answered
            }));
        }
        let mut answered = 0;
        for worker in workers {
            answered += worker.await.unwrap();
        }
        answered as f64 / LENGTH.as_secs_f64()
    })
}
