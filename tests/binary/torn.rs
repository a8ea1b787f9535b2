//! T3, T4: what is half written is never served, also where the half is valid by itself and forbids less.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::checker::{Dice, Version, now, seed};
use crate::support::{Daemon, POLICY, Process, ana_may, command, good, half_written, until};
use crate::writers::FILE;

const REJECTED: &str = "sidegate_reloads_total{result=\"rejected\"}";

/// Ana may, until the last line is read: every line less is valid by itself.
fn forbidding() -> Vec<String> {
    let mut lines: Vec<String> = good().lines().map(|line| format!("{line}\n")).collect();
    lines.push("forbids:\n".to_owned());
    lines.extend((0..40).map(|number| format!("  f{number}: {{on: workspace, actions: [leave]}}\n")));
    lines.push("  last: {on: workspace, actions: [access]}\n".to_owned());
    lines
}

/// The digests that were live, one after the other.
fn live(daemon: &Daemon) -> Vec<String> {
    daemon.log("a snapshot is live").iter().map(|fields| fields["digest"].as_str().unwrap().to_owned()).collect()
}

/// Writes in pieces with the file open all the while; how long the longest pause was.
fn write_slowly(mut file: File, lines: &[String]) -> Duration {
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    for piece in lines.chunks(2) {
        file.write_all(piece.concat().as_bytes()).unwrap();
        longest = longest.max(last.elapsed());
        last = Instant::now();
        thread::sleep(Duration::from_millis(25));
    }
    longest
}

/// A writer that was not seen to begin is one as long as it pauses for less than 100 ms. On a busy machine it may pause
/// for longer: then it is another one's turn.
fn until_quick(mut turn: impl FnMut() -> Duration) {
    assert!((0..30).any(|_| turn() < Duration::from_millis(80)), "no writer was quick enough");
}

/// A source that is opened in some way and written slowly: what was there before is served, then all of what is new.
/// Returns the writer's longest pause, and whether nothing else was ever live.
fn wait_for_writer(open: impl FnOnce(&Path) -> File) -> (Duration, bool) {
    let (before, lines) = (Version::read(POLICY), forbidding());
    let whole = Version::read(&lines.concat());
    let half = Version::read(&lines[..lines.len() - 1].concat());
    assert_ne!(half.digest, whole.digest, "the half is valid");
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("policy").join(FILE);
    fs::create_dir(directory.path().join("policy")).unwrap();
    fs::write(&source, POLICY).unwrap();
    let daemon = Daemon::serve(directory, &source, &[]).ready();
    let longest = write_slowly(open(&source), &lines);
    until("the whole is live", || live(&daemon).contains(&whole.digest));
    assert!(!ana_may(&daemon.client()));
    (longest, live(&daemon) == [before.digest, whole.digest])
}

#[test]
fn a_slow_rewrite_is_waited_for() {
    let (_, is_whole) = wait_for_writer(|source| File::create(source).unwrap());
    assert!(is_whole, "a prefix was live");
}

#[test]
fn a_slow_writer_of_a_new_file_is_waited_for() {
    let (_, is_whole) = wait_for_writer(|source| {
        fs::remove_file(source).unwrap();
        File::create_new(source).unwrap()
    });
    assert!(is_whole, "a prefix was live");
}

#[test]
fn a_slow_writer_in_a_new_directory_is_waited_for() {
    until_quick(|| {
        let (longest, is_whole) = wait_for_writer(|source| {
            let directory = source.parent().unwrap();
            fs::remove_dir_all(directory).unwrap();
            fs::create_dir(directory).unwrap();
            File::create_new(source).unwrap()
        });
        assert!(is_whole || longest >= Duration::from_millis(80), "a prefix was live");
        longest
    });
}

#[test]
fn a_slow_writer_at_the_start_is_waited_for() {
    until_quick(|| {
        let (directory, lines) = (tempfile::tempdir().unwrap(), forbidding());
        let source = directory.path().join(FILE);
        let file = File::create(&source).unwrap();
        let whole = Version::read(&lines.concat()).digest;
        let writer = thread::spawn(move || write_slowly(file, &lines));
        let daemon = Daemon::serve(directory, &source, &[]);
        let longest = writer.join().unwrap();
        until("the whole is live", || live(&daemon).contains(&whole));
        assert!(live(&daemon) == [whole] || longest >= Duration::from_millis(80), "a prefix was live");
        longest
    });
}

/// A program that writes so many bytes of a file over another, and then only keeps it open.
fn writer(from: &Path, to: &Path, bytes: usize) -> Process {
    let script = "exec 3>\"$1\"; head -c \"$2\" \"$0\" >&3; exec sleep 60";
    let mut shell = std::process::Command::new("/bin/sh");
    let process = Process::spawn(shell.args(["-c", script]).args([from, to]).arg(bytes.to_string()));
    until("it has written", || fs::metadata(to).is_ok_and(|metadata| metadata.len() == bytes as u64));
    process
}

#[test]
fn what_a_killed_writer_leaves_is_refused() {
    println!("seed {}", seed());
    let (mut dice, directory) = (Dice::new(seed()), tempfile::tempdir().unwrap());
    let (compiled, next) = (directory.path().join("policy.sgate"), directory.path().join("next.sgate"));
    let compile = |version: &Version, to: &Path| {
        fs::write(directory.path().join(FILE), &version.text).unwrap();
        let source = directory.path().join(FILE);
        let arguments = ["compile", source.to_str().unwrap(), "-o", to.to_str().unwrap()];
        assert_eq!(Process::spawn(&mut command(&arguments)).end().code, Some(0));
    };
    let (first, second) = (Version::draw(&mut dice, now()), Version::draw(&mut dice, now()));
    compile(&first, &compiled);
    compile(&second, &next);
    let daemon = Daemon::serve(tempfile::tempdir().unwrap(), &compiled, &[]).ready();
    until("the first is told of", || live(&daemon) == [first.digest.as_str()]);
    let size = usize::try_from(fs::metadata(&next).unwrap().len()).unwrap();
    for refused in 1..=4 {
        let writer = writer(&next, &compiled, 1 + dice.below(size - 1));
        assert_eq!(live(&daemon), [first.digest.as_str()]);
        writer.signal(Signal::KILL);
        drop(writer);
        until("what is left is refused", || daemon.metric(REJECTED) >= refused);
        assert_eq!(live(&daemon), [first.digest.as_str()], "the last good one stays");
    }
    fs::rename(next, compiled).unwrap();
    until("what is whole is served", || live(&daemon).contains(&second.digest));
}

#[test]
fn nothing_empty_or_cut_is_ever_served() {
    let (whole, daemon) = (good(), Daemon::start(&good()).ready());
    let digest = Version::read(&whole).digest;
    let empty = ["", " \n\t\n", "{}", "{}\n", "# nothing\n", "---\n", "sidegate: 1\n", "null", "[]", "\u{feff}"];
    let half = half_written();
    for (number, text) in (1..).zip(empty.into_iter().chain([half.as_str()])) {
        daemon.write(text);
        until("it is refused", || daemon.metric(REJECTED) >= number);
        let refusals = usize::try_from(number).unwrap();
        until("it is told of", || daemon.log("the source was refused").len() >= refusals);
        let told = daemon.log("the source was refused").pop().unwrap().to_string();
        assert!(told.contains("policy.yaml"), "{text:?} is refused without its place: {told}");
    }
    assert_eq!(live(&daemon), [digest]);
    assert!(ana_may(&daemon.client()));
}
