//! A moment, as protobuf's `Timestamp` counts it. Nothing here reads a clock.

use std::fmt;

/// jiff ends a day before the year 9999 does, and "never" is often written as its last second. The calendar repeats every
/// 400 years: what jiff does not know is read and shown that much earlier.
const CYCLE: i64 = 146_097 * 86_400;
const LAST_YEAR: &str = "9999";
const EARLIER: &str = "9599";

/// Seconds and nanoseconds since 1970-01-01T00:00:00Z, from year 1 to year 9999 as `google.protobuf.Timestamp` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self { seconds: -62_135_596_800, nanos: 0 };
    /// 9999-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self { seconds: 253_402_300_799, nanos: 999_999_999 };
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self { seconds: 0, nanos: 0 };
    /// 2026-01-01T00:00:00Z: when tests that name no time are decided.
    pub const NEW_YEAR_2026: Self = Self { seconds: 1_767_225_600, nanos: 0 };

    /// A moment from its parts; `None` outside the range or with nanoseconds over 999,999,999.
    pub fn new(seconds: i64, nanos: u32) -> Option<Self> {
        let moment = Self { seconds, nanos };
        (nanos <= 999_999_999 && Self::MIN <= moment && moment <= Self::MAX).then_some(moment)
    }

    /// Reads RFC 3339 (`2026-01-31T09:00:00Z`, any offset).
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(moment) = text.parse() {
            return Self::of(moment);
        }
        let earlier = format!("{EARLIER}{}", text.strip_prefix(LAST_YEAR)?);
        let earlier = Self::of(earlier.parse().ok()?)?;
        Self::new(earlier.seconds + CYCLE, earlier.nanos)
    }

    fn of(moment: jiff::Timestamp) -> Option<Self> {
        let nanos = i64::from(moment.subsec_nanosecond());
        let borrow = i64::from(nanos < 0);
        // jiff counts nanoseconds towards zero before 1970; protobuf always counts them forward.
        let forward = u32::try_from(nanos + borrow * 1_000_000_000).ok()?;
        Self::new(moment.as_second() - borrow, forward)
    }

    /// Whole seconds since 1970, rounded down.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second.
    pub fn nanos(self) -> u32 {
        self.nanos
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i32::try_from(self.nanos).unwrap_or(0);
        if let Ok(moment) = jiff::Timestamp::new(self.seconds, nanos) {
            return moment.fmt(f);
        }
        match jiff::Timestamp::new(self.seconds - CYCLE, nanos) {
            Ok(moment) => f.write_str(&moment.to_string().replacen(EARLIER, LAST_YEAR, 1)),
            Err(_) => write!(f, "{}s", self.seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn reads_and_prints_rfc_3339() {
        let moment = Timestamp::parse("2026-01-31T10:00:00.5+01:00").unwrap();
        assert_eq!(moment.to_string(), "2026-01-31T09:00:00.5Z");
        assert_eq!(Timestamp::parse("1969-12-31T23:59:59.25Z"), Timestamp::new(-1, 250_000_000));
        assert_eq!(Timestamp::parse("2026-01-01T00:00:00Z"), Some(Timestamp::NEW_YEAR_2026));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("2026-01-31"), None);
    }

    #[test]
    fn reads_and_prints_the_last_moments() {
        for text in
            ["9999-12-30T21:59:59Z", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z"]
        {
            assert_eq!(Timestamp::parse(text).map(|moment| moment.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Timestamp::parse("9999-12-31T23:59:59.999999999Z"), Some(Timestamp::MAX));
        assert_eq!(Timestamp::parse("0001-01-01T00:00:00Z"), Some(Timestamp::MIN));
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999999Z");
        let beyond =
            ["9999-12-31T23:59:59-00:01", "9999-12-32T00:00:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01"];
        for text in beyond {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_what_protobuf_refuses() {
        assert_eq!(Timestamp::new(0, 1_000_000_000), None);
        assert_eq!(Timestamp::new(i64::MAX, 0), None);
        assert_eq!(Timestamp::new(i64::MIN, 0), None);
    }
}
