//! Reading a configuration: where it comes from, where each value came from, and what is wrong with it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{
    Config, ConfigError, Overrides, callers,
    keys::{KEYS, Key},
};

/// The largest configuration file.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// Where a configuration comes from, so that it can be read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// What goes before it.
    pub overrides: Overrides,
}

/// A configuration, and where each of its values came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    origins: BTreeMap<&'static str, String>,
}

impl Origin {
    /// Reads file, environment and flags.
    ///
    /// # Errors
    /// Every mistake in any of them.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        Loaded::from_parts(self.file.as_deref(), environment, &self.overrides)
    }
}

/// Where who supervises the process listens, as systemd says it: not a setting, so not among them.
pub fn supervisor() -> Option<OsString> {
    std::env::var_os("NOTIFY_SOCKET")
}

impl Loaded {
    pub(super) fn from_parts(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let mut reading = Reading::default();
        if let Some(file) = file {
            match read_bounded(file) {
                Ok(text) => reading.read_file(file, &text),
                Err(error) => reading.mistakes.push(format!("cannot read `{}`: {error}", file.display())),
            }
        }
        // Variables that are no keys are left alone: Kubernetes sets SIDEGATE_PORT and its like for a service that is
        // called sidegate.
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        for key in KEYS {
            if let Some(value) = environment.get(key.variable) {
                reading.set(key, value, key.variable);
            }
        }
        for (name, flag, value) in overrides.set() {
            if let Some(key) = KEYS.iter().find(|key| key.name == name) {
                reading.set(key, value, flag);
            }
        }
        let Reading { config, origins, mut mistakes } = reading;
        config.check(&mut mistakes);
        if mistakes.is_empty() { Ok(Self { config, origins }) } else { Err(ConfigError { mistakes }) }
    }

    /// The effective configuration as a file that means it, each value with where it came from. Secrets are left out.
    pub fn print(&self) -> String {
        let from = |name: &str| self.origins.get(name).map_or("default", String::as_str);
        let keys =
            self.config.write_keys(|key, name, value| format!("{name} = {} # {}", redacted(value), from(key.name)));
        let callers = match self.config.callers.as_slice() {
            [] => "\n# no `[[callers]]`: everybody who can connect may ask everything".to_owned(),
            rules => format!("\n# {}{}", from("callers"), callers::to_toml(rules)),
        };
        format!("{}{callers}\n", keys.trim_start())
    }
}

/// Leaves out who logs in where an address says so.
fn redacted(value: &str) -> String {
    let Some((before, after)) = value.split_once("://") else { return value.to_owned() };
    let authority = after.split(['/', '"']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((secret, _)) => format!("{before}://…{}", after.strip_prefix(secret).unwrap_or_default()),
        None => value.to_owned(),
    }
}

fn read_bounded(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(file)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MiB"));
    }
    Ok(text)
}

/// What has been read so far.
#[derive(Default)]
struct Reading {
    config: Config,
    origins: BTreeMap<&'static str, String>,
    mistakes: Vec<String>,
}

impl Reading {
    fn read_file(&mut self, file: &Path, text: &str) {
        let name = file.display();
        let line = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(1, |span| line(span.start));
            self.mistakes.push(format!("{name}:{at}: {}", error.message()));
        }
        for (section, entries) in table.get_ref() {
            let at = line(section.span().start);
            if section.get_ref() == "callers" {
                let place = |offset| format!("{name}:{}", line(offset));
                self.config.callers = callers::read(entries, &place, &mut self.mistakes);
                self.origins.insert("callers", format!("{name}:{at}"));
                continue;
            }
            let Some(entries) = entries.get_ref().as_table() else {
                self.mistakes.push(format!("{name}:{at}: unknown key `{}`; keys stand in sections", section.get_ref()));
                continue;
            };
            for (key, value) in entries {
                let path = format!("{}.{}", section.get_ref(), key.get_ref());
                let at = format!("{name}:{}", line(key.span().start));
                match KEYS.iter().find(|key| key.name == path) {
                    Some(key) => match toml_text(key, value.get_ref(), &mut Config::default()) {
                        Ok(text) => self.set(key, &text, &at),
                        Err(problem) => self.mistakes.push(format!("{at}: `{path}` {problem}")),
                    },
                    None => self.mistakes.push(format!("{at}: unknown key `{path}`; {}", nearest(&path))),
                }
            }
        }
    }

    fn set(&mut self, key: &Key, text: &str, origin: &str) {
        match (key.slot)(&mut self.config).set(text) {
            Ok(()) => drop(self.origins.insert(key.name, origin.to_owned())),
            Err(problem) => self.mistakes.push(format!("{origin}: `{}` {problem}, not `{text}`", key.name)),
        }
    }
}

/// A TOML value as the text that a variable would hold, if it is of the key's type.
fn toml_text(key: &Key, value: &DeValue<'_>, scratch: &mut Config) -> Result<String, String> {
    let wanted = (key.slot)(scratch).toml_type();
    match value {
        DeValue::String(text) if wanted == "string" => Ok(text.clone().into_owned()),
        DeValue::Boolean(flag) if wanted == "boolean" => Ok(flag.to_string()),
        DeValue::Integer(number) if wanted == "integer" => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).map_err(|error| error.to_string())?;
            Ok(number.to_string())
        }
        DeValue::String(_)
        | DeValue::Boolean(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => Err(format!("must be a TOML {wanted}, not {}", value.type_str())),
    }
}

/// Helps who mistyped.
fn nearest(path: &str) -> String {
    let last = path.rsplit('.').next().unwrap_or(path);
    match KEYS.iter().find(|key| key.name.ends_with(&format!(".{last}"))) {
        Some(key) => format!("did you mean `{}`?", key.name),
        None => "`sidegate.toml` as shipped lists every key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn who_logs_in_is_left_out() {
        assert_eq!(redacted("\"http://ana:secret@host:1/x\""), "\"http://…@host:1/x\"");
        for plain in ["\"http://host/x@y\"", "5", "\"unix:/run/a@b\""] {
            assert_eq!(redacted(plain), plain);
        }
    }
}
