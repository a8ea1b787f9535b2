//! The W3C `traceparent` header: which trace a call is a part of.

use std::fmt;

/// A trace and the caller's span in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 32],
    span: [u8; 16],
    sampled: bool,
}

impl TraceContext {
    /// Reads a header; `None` where it is not one, as the standard has it: then there is no trace.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.splitn(4, '-');
        let mut next = |length: usize| parts.next().filter(|part| part.len() == length && is_lower_hex(part));
        let version = next(2).filter(|version| *version != "ff")?;
        let trace = next(32).filter(|id| is_id(id))?;
        let span = next(16).filter(|id| is_id(id))?;
        let rest = parts.next()?;
        // A later version may say more behind the flags.
        let (flags, more) = rest.split_once('-').map_or((rest, false), |(flags, _)| (flags, true));
        if flags.len() != 2 || !is_lower_hex(flags) || (more && version == "00") {
            return None;
        }
        // The lowest bit of the flags.
        let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
        Some(Self { trace: trace.as_bytes().try_into().ok()?, span: span.as_bytes().try_into().ok()?, sampled })
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        str::from_utf8(&self.trace).unwrap_or_default()
    }

    /// Whether whoever began the trace wants it recorded.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The caller's span: 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        str::from_utf8(&self.span).unwrap_or_default()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.trace_id(), self.span_id())
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str) -> bool {
    text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    #[test]
    fn reads_what_the_standard_allows() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceContext::parse(good).unwrap();
        assert_eq!((read.trace_id(), read.span_id()), ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"));
        assert!(read.is_sampled());
        for (flags, sampled) in [("00", false), ("02", false), ("03", true), ("ff", true)] {
            let other = TraceContext::parse(&good.replace("-01", &format!("-{flags}"))).unwrap();
            assert_eq!(other.is_sampled(), sampled, "{flags}");
        }
        assert_eq!(TraceContext::parse(&good.replacen("00", "cc", 1)), Some(read));
        assert_eq!(TraceContext::parse(&(good.replacen("00", "cc", 1) + "-what-ever")), Some(read));
    }

    #[test]
    fn everything_else_is_no_trace() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473\u{e9}-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736\"-0f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }
}
