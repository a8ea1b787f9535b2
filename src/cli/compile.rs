//! `sidegate compile`: a policy and its facts as the one file that machines ship.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::index::file::Publication;
use crate::model::Timestamp;
use crate::snapshot::write_compiled;

use super::Exit;
use super::output::{fail, note, say};
use super::snapshot::{hex, open};

/// What to compile, and what its publisher says about it.
#[derive(Debug, Args)]
pub(super) struct CompileArguments {
    /// A file or a directory
    source: PathBuf,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// The sequence number of this publication: a daemon refuses a lower one. Default: what the source declares
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// When it is issued, in RFC 3339. Never read from a clock
    #[arg(long, value_name = "TIME", value_parser = moment)]
    issued_at: Option<Timestamp>,
    /// How long after that it may be relied on, like 90s, 15m, 24h or 7d
    #[arg(long, value_name = "DURATION", requires = "issued_at", value_parser = duration)]
    max_age: Option<Duration>,
}

/// Compiles: exit 0 when the file is written.
pub(super) fn compile(arguments: &CompileArguments) -> Exit {
    let built = match open(&arguments.source) {
        Ok(built) => built,
        Err(trouble) => return trouble.tell(false),
    };
    if !built.warnings.diagnostics.is_empty() {
        note(&built.warnings.to_string());
    }
    let publication = Publication {
        sequence: arguments.sequence.unwrap_or(built.publication.sequence),
        issued_at: arguments.issued_at.or(built.publication.issued_at),
        max_age: arguments.max_age.or(built.publication.max_age),
    };
    match write_compiled(&arguments.output, &publication, &built.index) {
        Ok(bytes) => {
            say(&format!("{}: {bytes} bytes, sequence {}", arguments.output.display(), publication.sequence));
            say(&format!("digest {}", hex(built.index.digest())));
            Exit::Yes
        }
        Err(problem) => fail(Exit::Runtime, &format!("cannot write `{}`: {problem}", arguments.output.display())),
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "write RFC 3339, like 2026-01-31T09:00:00Z".to_owned())
}

/// Whole seconds, minutes, hours or days.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const HELP: &str = "write a whole number and a unit, like 90s, 15m, 24h or 7d";
    let unit = text.chars().last().ok_or(HELP)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(HELP.to_owned()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or(HELP)?;
    let total = number.checked_mul(seconds).filter(|total| *total > 0).ok_or("that is no time, or too long")?;
    Ok(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn durations_are_whole_and_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "s", "90", "1.5h", "-1s", "0s", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
