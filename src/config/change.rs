//! What of a changed configuration takes effect at once, and what waits for the next start.

use super::{Config, keys::KEYS};

/// The keys whose changes take effect at once, beside `[[callers]]`.
const LIVE: [&str; 6] = [
    "limits.message_bytes",
    "limits.batch_bytes",
    "limits.batch_items",
    "limits.expensive_calls",
    "limits.waiters",
    "log.filter",
];

impl Config {
    /// This configuration with what may change while the daemon runs taken from another.
    #[must_use]
    pub fn adopting(&self, new: &Self) -> Self {
        Self {
            message_bytes: new.message_bytes,
            batch_bytes: new.batch_bytes,
            batch_items: new.batch_items,
            expensive_calls: new.expensive_calls,
            waiters: new.waiters,
            log_filter: new.log_filter.clone(),
            callers: new.callers.clone(),
            ..self.clone()
        }
    }

    /// The keys whose values differ: those that take effect at once, and those that wait for the next start.
    pub fn differences(&self, new: &Self) -> (Vec<&'static str>, Vec<&'static str>) {
        let (mut old, mut new) = (self.clone(), new.clone());
        let changed = KEYS.iter().filter(|key| (key.slot)(&mut old).to_toml() != (key.slot)(&mut new).to_toml());
        let (mut live, waiting): (Vec<_>, Vec<_>) = changed.map(|key| key.name).partition(|name| LIVE.contains(name));
        if self.callers != new.callers {
            live.push("callers");
        }
        (live, waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, KEYS, LIVE};

    #[test]
    fn what_is_adopted_is_what_is_said_to_be_live() {
        let running = Config::default();
        for key in KEYS {
            let mut new = running.clone();
            let set = [
                "7",
                "7s",
                "true",
                "false",
                "https://seven",
                "action.name:SEVEN=seven",
                "1024",
                "127.0.0.1:7",
                "/seven",
                "json",
                "all",
                "deny",
                "file:/seven",
                "context.seven",
            ]
            .iter()
            .filter(|text| (key.slot)(&mut new.clone()).set(text).is_ok())
            .find(|text| {
                let mut tried = running.clone();
                (key.slot)(&mut tried).set(text).is_ok() && tried != running
            });
            let text = set.unwrap_or_else(|| panic!("no other value for {}", key.name));
            (key.slot)(&mut new).set(text).unwrap();
            let (live, waiting) = running.differences(&new);
            let adopted = running.adopting(&new) != running;
            assert_eq!(adopted, LIVE.contains(&key.name), "{}", key.name);
            let (here, there) = if adopted { (live, waiting) } else { (waiting, live) };
            assert_eq!((here, there), (vec![key.name], Vec::new()));
        }
    }
}
