//! Engines in one process, by turns: `engines WORLD [NAME=OTHER_WORLD...] [--passes N]`.
//!
//! WORLD holds what `compare/world.py` wrote, and its compiled form. Everybody is asked the same questions, drawn at random,
//! and every answer is compared with the wanted one. Sidegate starts from the request's strings; whatever the others
//! let a caller prepare is prepared before the clock starts. A pass takes the median of batches; the passes of all
//! engines take turns. A wait for memory is one in as many bytes as the largest of the other worlds has. Prints one
//! object of JSON: nanoseconds of each pass, by engine.

mod casbin;
mod cedar;
mod cel;
mod rego;
mod sidegate;
mod world;

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use world::World;

/// How long one pass of one engine takes, and the fewest batches it has.
const PASS_SECONDS: f64 = 0.25;
const FEWEST: usize = 5;

/// An engine that has been told everything, and the questions.
pub struct Case {
    name: String,
    ask: Box<dyn FnMut(usize) -> bool>,
    wanted: Vec<bool>,
    /// Questions in a batch.
    batch: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut passes = 7;
    if let Some(at) = words.iter().position(|word| word == "--passes") {
        passes = words.get(at + 1).ok_or("--passes N")?.parse()?;
        words.drain(at..at + 2);
    }
    let (first, others) = words.split_first().ok_or("engines WORLD [NAME=OTHER_WORLD...] [--passes N]")?;
    let world = World::read(Path::new(first))?;
    let mut cases = vec![
        sidegate::floor(&world),
        sidegate::decide("Sidegate", Path::new(first), "questions.jsonl")?,
        sidegate::decide("Sidegate, condition", Path::new(first), "publish.jsonl")?,
    ];
    let mut largest = 0;
    for other in others {
        let (name, path) = other.split_once('=').ok_or("NAME=OTHER_WORLD")?;
        cases.push(sidegate::decide(name, Path::new(path), "questions.jsonl")?);
        largest = largest.max(std::fs::metadata(Path::new(path).join("world.sgate"))?.len());
    }
    cases.push(sidegate::wait(largest));
    cases.extend([cel::condition(), rego::engine(&world)?, cedar::engine(&world)?, casbin::engine(&world)?]);
    for case in &mut cases {
        case.check()?;
    }
    let sizes: Vec<usize> = cases.iter_mut().map(Case::batches).collect();
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..passes {
        for ((case, batches), times) in cases.iter_mut().zip(&sizes).zip(&mut times) {
            times.push(case.pass(*batches));
        }
    }
    let found: serde_json::Map<_, _> =
        cases.iter().zip(times).map(|(case, times)| (case.name.clone(), times.into())).collect();
    println!("{}", serde_json::Value::from(found));
    Ok(())
}

impl Case {
    /// Whether it answers right. Slow engines are asked fewer.
    fn check(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        for number in 0..self.wanted.len() {
            if (self.ask)(number) != self.wanted[number] {
                return Err(format!("{} answers question {number} wrong", self.name));
            }
            if begun.elapsed().as_secs_f64() > PASS_SECONDS * 8.0 {
                break;
            }
        }
        Ok(())
    }

    /// How many batches a pass has.
    fn batches(&mut self) -> usize {
        let begun = Instant::now();
        for number in 0..self.batch {
            black_box((self.ask)(number));
        }
        let batches = PASS_SECONDS / begun.elapsed().as_secs_f64();
        (batches as usize).max(FEWEST)
    }

    /// Nanoseconds for each question: the median of batches.
    fn pass(&mut self, batches: usize) -> f64 {
        let (mut times, mut next) = (Vec::with_capacity(batches), 0);
        for _ in 0..batches {
            let begun = Instant::now();
            for _ in 0..self.batch {
                black_box((self.ask)(black_box(next)));
                next = (next + 1) % self.wanted.len();
            }
            times.push(begun.elapsed().as_nanos() as f64 / self.batch as f64);
        }
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    }
}
