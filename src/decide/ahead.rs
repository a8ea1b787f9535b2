//! Several requests, read ahead: what each of them will read is asked of the memory before the first is decided. In a
//! large snapshot a decision waits for memory longer than it works, and the waits of several can be one.
//!
//! Nothing is decided here, nothing is kept: reading ahead changes no answer.

use crate::index::{Corrupt, Index};
use crate::model::{Malformed, Request, Timestamp, Verdict};

use super::question::{Names, Question, Stop};
use super::trace::Silent;

/// So many requests are worth reading ahead: about as many waits as a core has under way.
pub const AHEAD: usize = 16;

/// A request that has been read ahead.
#[derive(Debug)]
pub struct Ahead<'q> {
    index: &'q Index,
    request: Request<'q>,
    names: Result<Names<'q>, Stop>,
}

impl<'q> Ahead<'q> {
    /// Looks up what can be looked up without waiting.
    #[inline]
    pub fn new(index: &'q Index, request: Request<'q>) -> Self {
        Self { index, request, names: Names::of(index, &request) }
    }

    /// Reads ahead for all of them, step by step.
    pub fn read(all: &mut [Self]) {
        for ahead in all.iter_mut() {
            ahead.step(Names::look);
        }
        for ahead in all.iter_mut() {
            ahead.step(Names::approach);
        }
        for ahead in all.iter_mut() {
            if let Ok(names) = &mut ahead.names {
                names.touch(ahead.index);
            }
        }
    }

    fn step(&mut self, step: impl FnOnce(&mut Names<'q>, &Index) -> Result<(), Corrupt>) {
        if let Ok(names) = &mut self.names
            && let Err(corrupt) = step(names, self.index)
        {
            self.names = Err(corrupt.into());
        }
    }

    /// What is asked.
    pub fn request(&self) -> &Request<'q> {
        &self.request
    }

    /// Decides, as [`super::authorize`] does.
    ///
    /// # Errors
    /// The same.
    pub fn authorize(&self, time: Timestamp) -> Result<Verdict, Malformed> {
        let mut room = None;
        let question = match &self.names {
            Ok(names) => Question::of_names(self.index, &self.request, names, time, &mut room),
            Err(stop) => Err(stop.clone()),
        };
        super::verdict(&self.request, &question, &mut Silent)
    }
}
