//! Which rule covers a connection. Only what the kernel or a verified certificate says counts as who somebody is.

use std::{fmt, net::IpAddr, sync::Arc};

use super::{
    super::{
        pdp::Refusal,
        peer::{Certificate, Peer},
        registry::Connection,
        settings::Settings,
    },
    rule::{CallerRule, SanPattern, Who},
};

/// Who somebody is, as far as their use is told apart from others'.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Identity {
    /// A user of this machine.
    Uid(u32),
    /// A name in a certificate.
    San(String),
    /// An address: for want of better.
    Address(IpAddr),
    /// Nothing is known.
    Unknown,
    /// Everybody for whom there was no room.
    Others,
}

/// The first rule that covers a connection; `None` where no rules are written and none are needed.
pub(super) fn find<'s>(
    live: &'s Settings,
    connection: Option<&Connection>,
) -> Result<Option<(&'s Arc<CallerRule>, Identity)>, Refusal> {
    let peer = connection.map_or(Peer::Unknown, |connection| connection.peer);
    let certificate = connection.and_then(|connection| connection.certificate.get());
    if live.callers.is_empty() {
        return if live.open_to_strangers || !is_elsewhere(peer) { Ok(None) } else { Err(refuse(peer, certificate)) };
    }
    let found = live.callers.iter().find_map(|rule| Some((rule, covers(&rule.who, peer, certificate)?)));
    found.map(Some).ok_or_else(|| refuse(peer, certificate))
}

/// Whether a peer is, or may be, on another machine.
fn is_elsewhere(peer: Peer) -> bool {
    match peer {
        Peer::Address(address) => !address.ip().to_canonical().is_loopback(),
        Peer::Unix { .. } | Peer::Unknown => false,
    }
}

fn covers(who: &Who, peer: Peer, certificate: Option<&Certificate>) -> Option<Identity> {
    match (who, peer) {
        (Who::Anyone, _) => Some(anyone(peer, certificate)),
        (Who::Unix { uids, gids }, Peer::Unix { uid, gid, .. }) => {
            let fits = |list: &[u32], one| list.is_empty() || list.contains(&one);
            let bound = !(uids.is_empty() && gids.is_empty());
            (bound && fits(uids, uid) && fits(gids, gid)).then_some(Identity::Uid(uid))
        }
        (Who::Unix { .. }, Peer::Address(_) | Peer::Unknown) => None,
        (Who::Tls(patterns), _) => {
            let certificate = certificate?;
            patterns.iter().find_map(|pattern| named(pattern, certificate)).map(|name| Identity::San(name.to_owned()))
        }
    }
}

/// The certificate's name that a pattern fits.
fn named<'c>(pattern: &SanPattern, certificate: &'c Certificate) -> Option<&'c str> {
    let Certificate { uris, dns } = certificate;
    let found = match pattern {
        SanPattern::Uri(text) => uris.iter().find(|uri| *uri == text),
        SanPattern::Below(prefix) => {
            uris.iter().find(|uri| uri.strip_prefix(prefix.as_str()).is_some_and(is_plain_path))
        }
        SanPattern::Dns(text) => dns.iter().find(|name| name.eq_ignore_ascii_case(text)),
    };
    found.map(String::as_str)
}

/// Whether what follows a prefix stays below it, however somebody may read it: no empty, `.` or `..` segments, nothing
/// escaped, no query and no fragment.
fn is_plain_path(rest: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'%' | b'?' | b'#' | b'\\');
    rest.bytes().all(fits) && rest.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
}

fn anyone(peer: Peer, certificate: Option<&Certificate>) -> Identity {
    let name = certificate.and_then(|Certificate { uris, dns }| uris.first().or(dns.first()));
    match (name, peer) {
        (Some(name), _) => Identity::San(name.clone()),
        (None, Peer::Unix { uid, .. }) => Identity::Uid(uid),
        (None, Peer::Address(address)) => Identity::Address(address.ip().to_canonical()),
        (None, Peer::Unknown) => Identity::Unknown,
    }
}

fn refuse(peer: Peer, certificate: Option<&Certificate>) -> Refusal {
    match (certificate, peer) {
        (Some(certificate), _) => {
            Refusal::NotAllowed(format!("no caller rule covers the certificate of {}", Names(certificate)))
        }
        (None, Peer::Unix { uid, gid, .. }) => {
            Refusal::NotAllowed(format!("no caller rule covers uid {uid} gid {gid}"))
        }
        (None, Peer::Address(_) | Peer::Unknown) => Refusal::Unauthenticated(
            "no caller rule covers a connection that proves nothing of who is at its other end; use the Unix socket, \
             or a client certificate"
                .to_owned(),
        ),
    }
}

/// The first names of a certificate, for a message.
struct Names<'c>(&'c Certificate);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Certificate { uris, dns } = self.0;
        let mut names = uris.iter().chain(dns);
        let Some(first) = names.next() else { return f.write_str("no name") };
        let shown: String = first.chars().take(256).collect();
        write!(f, "`{}`", shown.escape_debug())?;
        match names.count() {
            0 => Ok(()),
            more => write!(f, " and {more} more names"),
        }
    }
}
