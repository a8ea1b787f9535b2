//! What every process tells of itself, by the names that dashboards know. Read from `/proc` at each scrape; what cannot
//! be read is left out.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

use super::live::gauge;

/// The kernel tells processor time to programs in hundredths of a second, whatever it counts in.
const TICKS: f64 = 100.0;

/// This process.
#[derive(Debug)]
pub(super) struct Process {
    started: SystemTime,
}

impl Default for Process {
    fn default() -> Self {
        Self { started: SystemTime::now() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let e = &mut encoder;
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        gauge(e, "process_start_time", "When the process started, since 1970", Some(&Unit::Seconds), started)?;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if let Some(kibibytes) = field(&status, "VmRSS:") {
            gauge(e, "process_resident_memory", "Resident memory", Some(&Unit::Bytes), kibibytes.saturating_mul(1024))?;
        }
        if let Some(kibibytes) = field(&status, "VmHWM:") {
            let help = "The most memory that was resident";
            gauge(e, "process_resident_memory_peak", help, Some(&Unit::Bytes), kibibytes.saturating_mul(1024))?;
        }
        if let Some(threads) = field(&status, "Threads:") {
            gauge(e, "process_threads", "Threads", None, threads)?;
        }
        if let Ok(entries) = fs::read_dir("/proc/self/fd") {
            // The directory that is read is one of them.
            let open = i64::try_from(entries.count()).unwrap_or(i64::MAX).saturating_sub(1);
            gauge(e, "process_open_fds", "Open descriptors", None, open)?;
        }
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let most = most.map_or(i64::MAX, |most| i64::try_from(most).unwrap_or(i64::MAX));
        gauge(e, "process_max_fds", "The most descriptors that may be open", None, most)?;
        if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(ticks) {
            let cpu = ConstCounter::new(ticks / TICKS);
            let (name, help) = ("process_cpu", "Processor time, of the program and of the kernel for it");
            cpu.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Counter)?)?;
        }
        Ok(())
    }
}

/// The number behind a name in `/proc/self/status`.
fn field(status: &str, name: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time of `/proc/self/stat`: fields 14 and 15, counted behind the name, which may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut times = rest.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
    Some(times.next()?? + times.next()??)
}

#[cfg(test)]
mod tests {
    use super::{field, ticks};

    #[test]
    fn reads_what_the_kernel_writes() {
        let status = "Name:\tsidegate\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t7\n";
        assert_eq!((field(status, "VmRSS:"), field(status, "Threads:")), (Some(1024), Some(7)));
        assert_eq!(field(status, "VmSwap:"), None);
        let stat = "7 (a) b)) R 1 7 7 0 -1 4194304 99 0 0 0 120 30 0 0 20 0 1 0 2472529";
        assert_eq!(ticks(stat), Some(150.0));
        assert_eq!(ticks("7 (a) R 1"), None);
    }
}
