//! How many workloads this machine can run at once.

use sysinfo::{MemoryRefreshKind, System};

/// What a Julia that runs a test suite is expected to need, in bytes. The standard library's suites peak between 0.3 and
/// 0.9 GB; registered packages with many dependencies at 1 to 2 GB.
const MEMORY_PER_WORKLOAD: u64 = 1_500 << 20;

/// What this machine, or the container that jlsys is in, has to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Processors that may be used.
    pub cores: usize,
    /// Memory that is free to use, in bytes.
    pub memory: u64,
}

impl Capacity {
    /// Asks the system. Both figures respect the control group's limits, which in a container are what counts.
    pub fn detect() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        // Where the system does not say, as many as there are cores is what everybody else would do.
        Self { cores, memory: available_memory().unwrap_or(u64::MAX) }
    }

    /// How many workloads to run at once; at least one.
    pub fn jobs(self) -> usize {
        let by_memory = usize::try_from(self.memory / MEMORY_PER_WORKLOAD).unwrap_or(usize::MAX);
        self.cores.min(by_memory).max(1)
    }
}

fn available_memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let host = system.available_memory();
    match system.cgroup_limits() {
        Some(limits) if limits.total_memory > 0 => Some(host.min(limits.free_memory)),
        _ => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_cores_and_memory_decides() {
        assert_eq!(Capacity { cores: 8, memory: 64 << 30 }.jobs(), 8);
        assert_eq!(Capacity { cores: 8, memory: 4 << 30 }.jobs(), 2);
        assert_eq!(Capacity { cores: 8, memory: 256 << 20 }.jobs(), 1);
    }
}
