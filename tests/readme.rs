//! Proves README.md: its policies validate, its commands print what it says, its tables are whole. It reads the page as
//! text. A block that begins with ```` ```yaml file=PATH ```` is saved there, `part=PATH` the same under `sidegate: 1`;
//! the lines of a `console` block that begin with `$ sidegate` or `$ curl` are run where those files are.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed test is a panic")]

#[path = "readme/curl.rs"]
mod curl;
#[path = "readme/figures.rs"]
mod figures;
#[path = "readme/operations.rs"]
mod operations;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sidegate::app::{self, Running};
use sidegate::config::{Config, Overrides};
use sidegate::document::build;
use sidegate::model::Reason;

/// The built program.
const SIDEGATE: &str = env!("CARGO_BIN_EXE_sidegate");

/// The addresses that the page writes.
const DATA: &str = "127.0.0.1:8650";
const OPS: &str = "127.0.0.1:8651";

/// A fenced block: its info string and its lines.
struct Fenced {
    info: String,
    text: String,
}

/// A command of the page and what the page says it prints.
struct Shown {
    command: String,
    output: String,
}

#[test]
fn every_command_prints_what_the_page_says() {
    let directory = tempfile::tempdir().unwrap();
    save_files(directory.path());
    let daemon = serve(&directory.path().join("first.yaml"));
    let commands: Vec<Shown> =
        blocks().iter().filter(|block| block.info == "console").flat_map(|block| shown(&block.text)).collect();
    assert!(commands.len() >= 10, "only {} commands were found", commands.len());
    for Shown { command, output } in commands {
        let printed = run(&command, directory.path(), &daemon);
        assert!(fits(&output, &printed), "$ {command}\nthe page says:\n{output}\nit prints:\n{printed}");
    }
    daemon.shutdown();
    daemon.wait();
}

#[test]
fn every_policy_validates_but_the_bad_one() {
    let directory = tempfile::tempdir().unwrap();
    let files = save_files(directory.path());
    assert!(files.len() >= 6, "only {files:?} were found");
    let tops: BTreeSet<&str> = files.iter().filter_map(|file| file.split('/').next()).collect();
    for top in tops {
        let sources = sidegate::snapshot::read(&directory.path().join(top), 1 << 20).unwrap();
        match build(sources) {
            Ok(built) => {
                assert!(top != "bad.yaml", "the bad example is good");
                let counts = built.index.counts();
                assert!(counts.resources > 0 && counts.bindings > 0, "{top} has no facts");
            }
            Err(report) => assert_eq!(top, "bad.yaml", "{report}"),
        }
    }
}

#[test]
fn every_reason_is_in_the_table() {
    let page = page();
    let (_, table) = page.split_once("\n| reason |").unwrap();
    for reason in Reason::ALL {
        let cell = format!("`{}`", reason.code());
        let table = table.lines().take_while(|line| !line.is_empty());
        let rows = table.filter(|line| first_cell(line).contains(&cell)).count();
        assert_eq!(rows, 1, "{cell} stands in {rows} rows");
    }
}

#[test]
fn every_verb_is_told_and_every_verb_told_exists() {
    let help = Command::new(SIDEGATE).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let known: BTreeSet<&str> = commands.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let page = page();
    for verb in &known {
        assert!(page.contains(&format!("`sidegate {verb}")), "`{verb}` is not told");
    }
    let told = page.split("`sidegate ").skip(1).filter_map(|rest| rest.split([' ', '`']).next());
    for verb in told {
        assert!(known.contains(verb), "there is no `sidegate {verb}`");
    }
}

#[test]
fn every_flag_told_exists() {
    let mut help = String::new();
    let lists = [&["list", "actions"][..], &["list", "resources"], &["who-can"]];
    for verb in [&["serve"][..], &["demo"], &["check"], &["validate"], &["compile"], &["test"], &["bench"], &["health"]]
        .into_iter()
        .chain(lists)
    {
        let printed = Command::new(SIDEGATE).args(verb).arg("--help").output().unwrap();
        help.push_str(&String::from_utf8(printed.stdout).unwrap());
    }
    let page = page();
    for span in code_spans(&page).filter(|span| span.starts_with("--")) {
        let flag = span.split([' ', '=']).next().unwrap();
        assert!(help.contains(flag), "there is no flag `{flag}`");
    }
}

#[test]
fn every_key_and_variable_told_exists() {
    let text = fs::read_to_string(root().join("config/sidegate.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let mut told = 0;
    let page = page();
    for span in code_spans(&page) {
        let Some((section, key)) = span.split_once('.') else { continue };
        let Some(keys) = table.get(section).and_then(toml::Value::as_table) else { continue };
        assert!(keys.contains_key(key), "there is no key `{span}`");
        told += 1;
    }
    assert!(told >= 8, "only {told} keys were found");
    // Those of the tests, benchmarks and clients are read by them.
    let tests = [
        "tests/it/properties.rs",
        "tests/it/adversarial/size.rs",
        "tests/it/adversarial/text.rs",
        "benches/decide.rs",
        ".ci/instructions.py",
        "deploy/clients/python/sidegate_client.py",
    ];
    let tests = tests.map(|file| fs::read_to_string(root().join(file)).unwrap());
    let text = text + &tests.concat();
    for (number, rest) in page.split("SIDEGATE_").enumerate().skip(1) {
        let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        assert!(name.is_empty() || text.contains(&format!("SIDEGATE_{name}")), "{number}: no variable SIDEGATE_{name}");
    }
}

#[test]
fn the_policy_of_the_pod_builds() {
    let sources = sidegate::snapshot::read(&root().join("deploy/kubernetes/base/policy"), 1 << 20).unwrap();
    let built = build(sources).unwrap_or_else(|report| panic!("{report}"));
    assert!(built.index.counts().bindings > 0);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks of the page, in order.
fn blocks() -> Vec<Fenced> {
    let mut blocks = Vec::new();
    let mut open: Option<Fenced> = None;
    for line in page().lines() {
        open = match (open, line.strip_prefix("```")) {
            (None, None) => None,
            (None, Some(info)) => Some(Fenced { info: info.to_owned(), text: String::new() }),
            (Some(block), Some(_)) => {
                blocks.push(block);
                None
            }
            (Some(mut block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
                Some(block)
            }
        };
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// Saves the blocks that are files; their paths.
fn save_files(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for Fenced { info, text } in blocks() {
        let Some((kind, path)) = info.split(' ').nth(1).and_then(|word| word.split_once('=')) else { continue };
        let head = match kind {
            "file" => "",
            "part" => "sidegate: 1\n",
            _ => panic!("`{info}` is no info string of this page"),
        };
        let target = directory.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, format!("{head}{text}")).unwrap();
        files.push(path.to_owned());
    }
    files
}

/// The commands of a console block, each with the lines behind it.
fn shown(text: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push(Shown { command: command.to_owned(), output: String::new() }),
            (None, Some(last)) => {
                last.output.push_str(line);
                last.output.push('\n');
            }
            (None, None) => panic!("`{line}` belongs to no command"),
        }
    }
    commands
}

/// Runs a command as a terminal shows it; `; echo $?` adds the exit code.
fn run(command: &str, directory: &Path, daemon: &Running) -> String {
    let (command, with_code) = match command.strip_suffix("; echo $?") {
        Some(command) => (command, true),
        None => (command, false),
    };
    let addresses = daemon.addresses();
    let (data, ops) = (addresses.data.unwrap().to_string(), addresses.ops.unwrap().to_string());
    if let Some(request) = command.strip_prefix("curl ") {
        return curl::post(&request.replace(DATA, &data));
    }
    let command = command.strip_prefix("sidegate ").unwrap_or_else(|| panic!("`{command}` is not run here"));
    let words = command.split_whitespace().map(|word| word.replace(DATA, &data).replace(OPS, &ops));
    let output = Command::new(SIDEGATE).args(words).current_dir(directory).output().unwrap();
    let mut printed = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    if with_code {
        printed += &output.status.code().unwrap().to_string();
    }
    printed
}

/// Whether a text is what the page shows, in which `…` stands for anything within a line.
fn fits(page: &str, printed: &str) -> bool {
    let lines = |text: &str| -> Vec<String> { text.lines().map(|line| line.trim_end().to_owned()).collect() };
    let (page, printed) = (lines(page), lines(printed));
    page.len() == printed.len() && page.iter().zip(&printed).all(|(page, printed)| line_fits(page, printed))
}

fn line_fits(page: &str, printed: &str) -> bool {
    let mut parts = page.split('…');
    let Some(mut rest) = parts.next().and_then(|first| printed.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A daemon in this process, on ports that the system chooses.
fn serve(snapshot: &Path) -> Running {
    let overrides = Overrides {
        snapshot: Some(snapshot.to_string_lossy().into_owned()),
        listen: Some("127.0.0.1:0".to_owned()),
        ops_listen: Some("127.0.0.1:0".to_owned()),
        ..Overrides::default()
    };
    let daemon = app::start(&Config::from_parts(None, [], &overrides).unwrap()).unwrap();
    assert!(daemon.ready(Duration::from_secs(30)), "no snapshot is live");
    daemon
}

/// What stands in a line's code spans; fenced blocks are left out.
fn code_spans(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    let lines = page.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    });
    lines.flat_map(|line| line.split('`').skip(1).step_by(2))
}

fn first_cell(row: &str) -> &str {
    row.split(" | ").next().unwrap()
}
