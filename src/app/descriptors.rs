//! How many connections there may be: as many as wanted, if the process may open as many descriptors. Probes and
//! operators have a share of their own, so that data connections cannot use up everything.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections of the ops and admin listeners: probes, scrapers, operators.
const SIDE_CONNECTIONS: u64 = 64;
/// Where descriptors are few, one in so many of those left is theirs.
const SIDE_SHARE: u64 = 4;
/// What a worker's event loop needs.
const OF_A_WORKER: u64 = 4;
/// Everything else: sockets, the other event loops, the source while it is read, logs; about twice what is in use at
/// rest.
const OTHERS: u64 = 36;

/// How many connections may be open at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) data: usize,
    /// Of the ops and admin listeners together.
    pub(super) side: usize,
}

/// Makes room for so many data connections, as far as the system lets this process.
pub(super) fn make_room(wanted: usize, workers: usize) -> Room {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let others = others(workers);
    let needed = count(wanted).saturating_add(SIDE_CONNECTIONS + others);
    let possible = maximum.unwrap_or(u64::MAX).min(needed);
    let mut limit = current.unwrap_or(u64::MAX);
    // The lower limit is there for programs that use `select`; this one does not.
    if limit < possible && setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum }).is_ok() {
        limit = possible;
    }
    let room = share(limit, wanted, others);
    if room.data < wanted {
        tracing::warn!(
            wanted,
            possible = room.data,
            "fewer connections than configured: descriptors are few (`ulimit -n`)"
        );
    }
    room
}

fn others(workers: usize) -> u64 {
    OTHERS.saturating_add(count(workers).saturating_mul(OF_A_WORKER))
}

fn share(limit: u64, wanted: usize, others: u64) -> Room {
    let left = limit.saturating_sub(others);
    let side = (left / SIDE_SHARE).clamp(1, SIDE_CONNECTIONS);
    let data = usize::try_from(left.saturating_sub(side).max(1)).unwrap_or(usize::MAX);
    Room { data: data.min(wanted), side: usize::try_from(side).unwrap_or(usize::MAX) }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Room, others, share};

    #[test]
    fn all_together_stay_under_the_limit() {
        assert_eq!(share(1_000_000, 1024, others(4)), Room { data: 1024, side: 64 });
        assert_eq!(share(64, 1024, others(2)), Room { data: 15, side: 5 });
        assert_eq!(share(3, 1024, others(2)), Room { data: 1, side: 1 }, "too few for anything");
        for limit in [64, 100, 256, 1024, 65_536] {
            let Room { data, side } = share(limit, usize::MAX, others(2));
            assert!(u64::try_from(data + side).unwrap() + others(2) <= limit, "{limit}");
        }
    }
}
