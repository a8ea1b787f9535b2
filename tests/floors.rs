//! The architecture, read from the source: who may import whom, what the engine may not know, how files are named.
//!
//! It reads `src/` as text and tokens, never as compiled code. Sizes and habits that clippy can see are left to clippy.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a failed test is a panic"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Every module of the crate; each imports only from its left.
const ORDER: [&str; 15] = [
    "model", "compile", "index", "decide", "mapping", "document", "cases", "snapshot", "observe", "service", "client",
    "config", "app", "cli", "main",
];

/// The engine: the same question on the same snapshot at the same time has the same answer.
const ENGINE: [&str; 5] = ["model", "compile", "index", "decide", "mapping"];

/// What would let the engine see the world, keep state, or know a file or wire format.
const NOT_IN_ENGINE: [&str; 16] = [
    "tokio",
    "tonic",
    "prost",
    "serde",
    "tracing",
    "dashmap",
    "std::fs",
    "std::net",
    "std::env",
    "std::io",
    "SystemTime",
    "Instant",
    "Mutex",
    "RwLock",
    "static::mut",
    "thread_local",
];

/// Paths that one module alone may begin.
const CONFINED: [(&str, &str); 3] = [("std::env", "config"), ("notify", "snapshot"), ("granit_parser", "document")];

/// Module names that say nothing, and so collect everything.
const DUMPING_GROUNDS: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "core", "manager"];

/// Words of the example products. The demo embeds one pack and may say its name.
const PRODUCT_WORDS: [&str; 24] = [
    "flowlock",
    "agent-studio",
    "agent_studio",
    "assistants",
    "call-studio",
    "call_studio",
    "dialog-studio",
    "dialog_studio",
    "voiceflow",
    "nlx",
    "campaign_editor",
    "analytics_dashboard",
    "account_administrator",
    "workspace_user",
    "studio_assistant",
    "service_provider",
    "sp_admin",
    "sys_admin",
    "ac_admin",
    "ac_rw",
    "ac_ro",
    "call_flow",
    "phone_number",
    "real_time_config",
];

#[test]
fn every_module_has_its_place_in_the_order() {
    for file in source_files() {
        let module = file.module();
        assert!(
            module == "lib" || position(&module).is_some(),
            "{file}: `{module}` has no place in the order",
            file = file.name
        );
    }
}

#[test]
fn modules_import_only_from_their_left() {
    let mut wrong = Vec::new();
    for file in source_files() {
        let module = file.module();
        let Some(own) = position(&module) else { continue };
        for (line, target) in crate_imports(&file) {
            match position(&target) {
                Some(other) if other > own => {
                    wrong.push(format!(
                        "{}:{line}: `{module}` imports `{target}`, which stands to its right",
                        file.name
                    ));
                }
                Some(_) => {}
                None => wrong.push(format!("{}:{line}: `{target}` has no place in the order", file.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_engine_knows_nothing_of_the_world() {
    let mut wrong = Vec::new();
    for file in source_files().iter().filter(|file| ENGINE.contains(&file.module().as_str())) {
        for path in paths(&file.tokens()) {
            for banned in NOT_IN_ENGINE.iter().filter(|banned| path.says(banned)) {
                wrong.push(format!("{}:{}: the engine must not say `{banned}`", file.name, path.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn confined_names_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for file in source_files() {
        for path in paths(&file.tokens()) {
            for (name, home) in CONFINED {
                if path.begins(name) && file.module() != home {
                    wrong.push(format!("{}:{}: only `{home}` may say `{name}`", file.name, path.line));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    for file in source_files() {
        assert!(
            file.text.starts_with("//! "),
            "{}: the first line must be a `//!` that says what the file is",
            file.name
        );
    }
}

#[test]
fn no_module_is_a_dumping_ground() {
    for file in source_files() {
        for part in file.parts() {
            assert!(!DUMPING_GROUNDS.contains(&part.as_str()), "{}: `{part}` says nothing", file.name);
            assert_ne!(part, "mod", "{}: write `foo.rs` beside `foo/`, not `foo/mod.rs`", file.name);
        }
    }
}

#[test]
fn no_product_is_named_in_the_source() {
    let mut wrong = Vec::new();
    for file in source_files().iter().filter(|file| !file.parts().contains(&"demo".to_owned())) {
        for (number, line) in file.text.lines().enumerate() {
            let line = line.to_lowercase();
            for word in PRODUCT_WORDS.iter().filter(|word| has_word(&line, word)) {
                wrong.push(format!("{}:{}: `{word}` is a word of one product", file.name, number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_is_not_fooled() {
    let text = r##"
        // use tokio::x; /* */
        use std::{fs::File, time::{Duration, Instant}};
        /* use tonic::a; /* nested */ use prost::b; */
        fn f<'a>(c: &'a str) { g("use serde::d;", r#"tracing"#, '"', '\'', 'x'); super::super::cli::run(); }
        use crate::{model::Value, decide};
        static mut COUNT: u8 = 0;
        #[cfg(test)]
        mod tests { use tokio::rt; }
        #[cfg(test)]
        use tonic::Status;
        fn last() {}
    "##;
    let file = SourceFile { name: "index/open.rs".to_owned(), text: text.to_owned() };
    let found = paths(&file.tokens());
    let said = |name: &str| found.iter().any(|path| path.says(name));
    for name in ["std::fs", "Instant", "static::mut", "fs::File", "last"] {
        assert!(said(name), "`{name}` was missed");
    }
    for name in ["tokio", "prost", "serde", "tracing", "tonic", "x"] {
        assert!(!said(name), "`{name}` was seen where it is not");
    }
    let imports: Vec<String> = crate_imports(&file).into_iter().map(|(_, target)| target).collect();
    assert_eq!(imports, ["cli", "model", "decide"]);
    assert!(found.iter().any(|path| path.begins("std::fs")) && !found.iter().any(|path| path.begins("fs")));
}

/// One file of `src/`, named from there.
struct SourceFile {
    name: String,
    text: String,
}

impl SourceFile {
    fn parts(&self) -> Vec<String> {
        self.name.trim_end_matches(".rs").split('/').map(str::to_owned).collect()
    }

    /// The top module that the file belongs to.
    fn module(&self) -> String {
        self.parts().first().expect("a file has a name").clone()
    }

    /// The code without comments, literals' contents and what is compiled for tests only: a test may look to the right.
    fn tokens(&self) -> Vec<Token> {
        if self.parts().iter().any(|part| part == "tests") {
            return Vec::new();
        }
        without_tests(&tokens(&self.text))
    }
}

fn source_files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 5, "src/ was not found");
    let read = |path: PathBuf| SourceFile {
        name: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
        text: fs::read_to_string(&path).unwrap(),
    };
    found.into_iter().map(read).collect()
}

fn position(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |byte: u8| byte.is_ascii_alphanumeric();
    line.match_indices(word).any(|(start, _)| {
        let (before, after) = (line[..start].bytes().last(), line[start + word.len()..].bytes().next());
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

/// The top modules that a file's paths reach, through `crate::`, through `super::` up to the root, or from the binary.
fn crate_imports(file: &SourceFile) -> Vec<(usize, String)> {
    let depth = file.parts().len();
    let is_module = |name: &&String| name.chars().next().is_some_and(char::is_lowercase);
    let target = |path: &PathSaid| {
        let supers = path.names.iter().take_while(|name| *name == "super").count();
        let reaches = match path.names.first().map(String::as_str) {
            Some("crate") => path.names.get(1),
            Some("sidegate") if file.module() == "main" => path.names.get(1),
            Some("super") if supers == depth => path.names.get(supers),
            _ => None,
        };
        reaches.filter(is_module).map(|name| (path.line, name.clone()))
    };
    paths(&file.tokens()).iter().filter_map(target).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

/// Identifiers, `::` and single marks. Comments are gone, and a literal is an empty pair of quotes.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let (mut found, mut index, mut line) = (Vec::new(), 0, 1);
    while index < chars.len() {
        let start = index;
        let token = match (at(index), at(index + 1)) {
            ('/', '/') => {
                index += chars[index..].iter().take_while(|c| **c != '\n').count();
                None
            }
            ('/', '*') => {
                index = end_of_block_comment(&chars, index);
                None
            }
            ('"', _) => {
                index = end_of_quoted(&chars, index + 1, '"');
                Some("\"\"".to_owned())
            }
            ('\'', next) if next == '\\' || at(index + 2) == '\'' => {
                index = end_of_quoted(&chars, index + 1, '\'');
                Some("\"\"".to_owned())
            }
            ('r', '"' | '#') if raw_hashes(&chars, index).is_some() => {
                index = end_of_raw(&chars, index);
                Some("\"\"".to_owned())
            }
            (':', ':') => {
                index += 2;
                Some("::".to_owned())
            }
            (first, _) if is_identifier(first) => {
                index += chars[index..].iter().take_while(|c| is_identifier(**c)).count();
                let word: String = chars[start..index].iter().collect();
                // The prefix of `b"..."` and `br#"..."#` belongs to the literal.
                if word == "br" && raw_hashes(&chars, index - 1).is_some() {
                    index -= 1;
                    None
                } else {
                    Some(word)
                }
            }
            (mark, _) => {
                index += 1;
                (!mark.is_whitespace()).then(|| mark.to_string())
            }
        };
        found.extend(token.map(|text| Token { line, text }));
        line += chars[start..index].iter().filter(|c| **c == '\n').count();
    }
    found
}

fn is_identifier(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_block_comment(chars: &[char], start: usize) -> usize {
    let (mut depth, mut index) = (0_usize, start);
    while index < chars.len() {
        match (chars[index], chars.get(index + 1)) {
            ('/', Some('*')) => (depth, index) = (depth + 1, index + 2),
            ('*', Some('/')) => (depth, index) = (depth - 1, index + 2),
            _ => index += 1,
        }
        if depth == 0 {
            break;
        }
    }
    index
}

fn end_of_quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut index = start;
    while index < chars.len() && chars[index] != quote {
        index += if chars[index] == '\\' { 2 } else { 1 };
    }
    (index + 1).min(chars.len())
}

/// How many `#` open the raw string whose `r` stands here; `None` if it is none.
fn raw_hashes(chars: &[char], start: usize) -> Option<usize> {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(start + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn end_of_raw(chars: &[char], start: usize) -> usize {
    let hashes = raw_hashes(chars, start).unwrap_or(0);
    let mut index = start + hashes + 2;
    while index < chars.len() {
        let closes = chars[index + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        index += 1;
        if chars[index - 1] == '"' && closes {
            return index + hashes;
        }
    }
    chars.len()
}

/// Leaves out every item that stands under `#[cfg(test)]`: up to its `;`, or to the end of its braces.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut index) = (Vec::new(), 0);
    while index < tokens.len() {
        let marked = tokens[index..].iter().map(|token| token.text.as_str()).take(MARK.len()).eq(MARK);
        if marked {
            index = end_of_item(tokens, index + MARK.len());
        } else {
            kept.push(tokens[index].clone());
            index += 1;
        }
    }
    kept
}

fn end_of_item(tokens: &[Token], start: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.text.as_str() {
            "{" => depth += 1,
            // The brace of what surrounds the item: a field or a variant.
            "}" if depth == 0 => return index,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token.text == ";" || token.text == "}") {
            return index + 1;
        }
    }
    tokens.len()
}

/// A path as written, with the braces of `use` multiplied out. `static mut` counts as a path of two names.
#[derive(Debug)]
struct PathSaid {
    line: usize,
    names: Vec<String>,
}

impl PathSaid {
    /// Whether the names stand in it next to each other; the first may go on with `_` (`serde` also finds `serde_json`).
    fn says(&self, name: &str) -> bool {
        let wanted: Vec<&str> = name.split("::").collect();
        let same = |(said, wanted): (&String, &&str)| {
            said == wanted || said.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('_'))
        };
        self.names.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(same))
    }

    /// Whether it starts with the names and goes on, or is just them where there are several.
    fn begins(&self, name: &str) -> bool {
        let wanted: Vec<&str> = name.split("::").collect();
        let enough = self.names.len() > 1 && self.names.len() >= wanted.len();
        enough && self.names.iter().zip(&wanted).all(|(said, wanted)| said == wanted)
    }
}

fn paths(tokens: &[Token]) -> Vec<PathSaid> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        index = read_path(tokens, index, &[], &mut found);
    }
    found
}

/// Reads one path after `prefix` and returns where it ends; what is no path is stepped over.
fn read_path(tokens: &[Token], start: usize, prefix: &[String], found: &mut Vec<PathSaid>) -> usize {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text.as_str());
    let mut names = prefix.to_vec();
    let mut index = start;
    while text(index).starts_with(is_identifier) {
        names.push(text(index).to_owned());
        index += 1;
        if text(index) == "mut" && text(index - 1) == "static" {
            continue;
        }
        if text(index) != "::" {
            break;
        }
        index += 1;
    }
    if text(index) == "{" && index > start && text(index - 1) == "::" {
        index += 1;
        while index < tokens.len() && text(index) != "}" {
            index = read_path(tokens, index, &names, found);
        }
        return index + 1;
    }
    if names.len() > prefix.len() {
        found.push(PathSaid { line: tokens[start].line, names });
    }
    index.max(start + 1)
}
