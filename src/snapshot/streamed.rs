//! From a path to an index without keeping the text of facts: for the command line, which builds once and goes.
//!
//! A daemon reads the whole source first ([`super::read()`]): a source that changes while it is read must cost it nothing.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use super::read::{Opened, ReadError, open_all};
use crate::document::{self, Built, Input, Report, Source};
use crate::index::file::is_compiled;

/// How much is read at once.
const BUFFER: usize = 1 << 20;

/// Reads and builds; `progress` is told how many bytes of how many were read.
///
/// # Errors
/// The source cannot be read, or changed meanwhile. The report is the inner error.
pub fn build_streamed(
    path: &Path,
    max_bytes: u64,
    progress: &dyn Fn(u64, u64),
) -> Result<Result<Built, Report>, ReadError> {
    let unstable = || ReadError::Unstable { path: path.display().to_string() };
    let opened = open_all(path, max_bytes)?.ok_or_else(unstable)?;
    let told = Told { progress, read: Cell::new(0), all: opened.iter().map(|file| file.size).sum() };
    let (mut inputs, mut streamed) = (Vec::new(), Vec::new());
    for file in opened {
        let name = file.name.display().to_string();
        if let Some(lines) = begin(&file, &told)? {
            inputs.push(Input::lines(name, lines));
            streamed.push(file);
        } else {
            let source = file.read(&mut || {})?.ok_or_else(unstable)?;
            told.add(source.bytes.len());
            inputs.push(Input::whole(source));
        }
    }
    let built = document::build_streamed(inputs);
    if !streamed.iter().all(Opened::is_unchanged) {
        return Err(unstable());
    }
    Ok(built.map_err(|mut report| {
        report.reread(|name| Some(Box::new(BufReader::new(File::open(name).ok()?))));
        report
    }))
}

/// The lines of a file of facts; `None` for any other, also for a compiled one of that name.
fn begin<'t>(file: &Opened, told: &'t Told<'t>) -> Result<Option<impl BufRead + 't>, ReadError> {
    let name = file.name.display().to_string();
    if !(Source { name: name.clone(), bytes: Vec::new() }).is_lines() {
        return Ok(None);
    }
    let refused = |error| ReadError::Io { path: name.clone(), error };
    let own = file.file.try_clone().map_err(refused)?;
    let mut lines = BufReader::with_capacity(BUFFER, Counted { file: own, told });
    if is_compiled(lines.fill_buf().map_err(refused)?) {
        // Both handles of a file have one place in it.
        (&file.file).rewind().map_err(refused)?;
        return Ok(None);
    }
    Ok(Some(lines))
}

struct Told<'p> {
    progress: &'p dyn Fn(u64, u64),
    read: Cell<u64>,
    all: u64,
}

impl Told<'_> {
    fn add(&self, bytes: usize) {
        self.read.set(self.read.get() + u64::try_from(bytes).unwrap_or(0));
        (self.progress)(self.read.get(), self.all);
    }
}

/// A file whose reading is told.
struct Counted<'t> {
    file: File,
    told: &'t Told<'t>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.told.add(read);
        Ok(read)
    }
}
