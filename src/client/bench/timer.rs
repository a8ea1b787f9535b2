//! Waiting for a moment, to the microsecond: the runtime's own timers tick in milliseconds, which is longer than an
//! answer takes.

use std::io;
use std::time::Instant;

#[cfg(target_os = "linux")]
pub(super) use linux::Timer;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Timer;

#[cfg(target_os = "linux")]
mod linux {
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    use super::{Instant, io};

    /// A timer of the kernel that the runtime waits on as on a pipe: both can be read when there is something, and of
    /// what the runtime takes without unsafe code, a pipe is nearest.
    #[derive(Debug)]
    pub(in crate::client::bench) struct Timer(Receiver);

    impl Timer {
        /// A timer of the runtime that this runs in.
        pub(in crate::client::bench) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Receiver::from_owned_fd_unchecked(timer).map(Self)
        }

        /// Returns at the moment, or at once if it has passed.
        pub(in crate::client::bench) async fn until(&self, moment: Instant) -> io::Result<()> {
            let wait = moment.saturating_duration_since(Instant::now());
            // A timer set to zero never fires.
            if wait.is_zero() {
                return Ok(());
            }
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let value = Itimerspec { it_interval: none, it_value: timespec(wait) };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &value)?;
            loop {
                self.0.readable().await?;
                match self.0.try_read(&mut [0; 8]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    ended => return ended.map(drop),
                }
            }
        }
    }

    fn timespec(wait: Duration) -> Timespec {
        Timespec { tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX), tv_nsec: wait.subsec_nanos().into() }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::{Instant, io};

    /// The runtime's timer: good to a millisecond.
    #[derive(Debug)]
    pub(in crate::client::bench) struct Timer;

    impl Timer {
        /// A timer of the runtime that this runs in.
        pub(in crate::client::bench) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Returns at the moment or a millisecond later, or at once if it has passed.
        pub(in crate::client::bench) async fn until(&self, moment: Instant) -> io::Result<()> {
            tokio::time::sleep_until(moment.into()).await;
            Ok(())
        }
    }
}
