//! How many workloads this machine can run at once.

use sysinfo::{CGroupLimits, MemoryRefreshKind, Pid, ProcessRefreshKind, ProcessesToUpdate, System};

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

    /// The same where no more memory than this may be taken.
    pub fn within(self, limit: Option<u64>) -> Self {
        Self { memory: limit.map_or(self.memory, |limit| limit.min(self.memory)), ..self }
    }

    /// How many workloads to run at once; at least one.
    pub fn jobs(self) -> usize {
        let by_memory = usize::try_from(self.memory / MEMORY_PER_WORKLOAD).unwrap_or(usize::MAX);
        self.cores.min(by_memory).max(1)
    }

    /// Whether the process that is to write an image can load and compile beside so many workloads. Until it writes it needs less
    /// than most of them.
    pub fn has_room_beside(self, jobs: usize) -> bool {
        let jobs = u64::try_from(jobs).unwrap_or(u64::MAX);
        self.cores > 1 && self.memory / MEMORY_PER_WORKLOAD > jobs
    }
}

fn available_memory() -> Option<u64> {
    let mut system = System::new().ok()?;
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    // The group that this process is in, wherever it is in the tree (a job of a batch system), and the tree's root (what a
    // container sees as one); versions 1 and 2.
    let own = sysinfo::get_current_pid().ok().and_then(|pid| own_limits(&mut system, pid));
    let limits = [own, system.cgroup_limits()];
    Some(limits.iter().flatten().filter_map(within).fold(system.available_memory(), u64::min))
}

fn own_limits(system: &mut System, pid: Pid) -> Option<CGroupLimits> {
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
    system.process(pid)?.cgroup_limits()
}

/// What a control group leaves; `None` where it sets no limit. Cached files count as used there, and are given up
/// when memory is wanted: what processes hold is what matters.
fn within(limits: &CGroupLimits) -> Option<u64> {
    (limits.total_memory > 0).then(|| limits.total_memory.saturating_sub(limits.rss))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_cores_and_memory_decides() {
        assert_eq!(Capacity { cores: 8, memory: 64 << 30 }.jobs(), 8);
        assert_eq!(Capacity { cores: 8, memory: 4 << 30 }.jobs(), 2);
        assert_eq!(Capacity { cores: 8, memory: 256 << 20 }.jobs(), 1);
        let here = Capacity { cores: 8, memory: 64 << 30 };
        assert_eq!((here.within(Some(3 << 30)).jobs(), here.within(None).jobs()), (2, 8));
        assert_eq!(here.within(Some(128 << 30)), here);
    }

    #[test]
    fn one_more_process_needs_a_core_and_memory_of_its_own() {
        assert!(Capacity { cores: 2, memory: 8 << 30 }.has_room_beside(2));
        assert!(!Capacity { cores: 2, memory: 4 << 30 }.has_room_beside(2));
        assert!(!Capacity { cores: 1, memory: 8 << 30 }.has_room_beside(1));
    }

    #[test]
    fn a_control_groups_cached_files_are_not_in_the_way() {
        let group = |total_memory, rss| CGroupLimits { total_memory, free_memory: 0, free_swap: 0, rss };
        assert_eq!(within(&group(4 << 30, 1 << 30)), Some(3 << 30));
        assert_eq!(within(&group(1 << 30, 2 << 30)), Some(0));
        assert_eq!(within(&group(0, 0)), None);
    }
}
