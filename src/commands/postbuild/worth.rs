//! What an image is worth in a container, beside the startup package that is there.

use indicatif::HumanBytes;

use crate::report::Report;
use crate::workload::Kind;

/// What a second that every session saves may add to a container, in bytes.
const BYTES_A_SECOND: f64 = 100.0 * 1024.0 * 1024.0;

/// What is known before an image is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Worth {
    /// What a session saves that loads all packages, in seconds: that, and what the startup package takes to load. All else that an image has
    /// compiled, it has, too.
    seconds: f64,
    /// What an image adds to the container, in bytes: as much as Julia's own image, whose content is in it once more, and the packages' own.
    bytes: u64,
}

impl Worth {
    /// What the report of a startup package tells; `stock_bytes` is the size of Julia's own image.
    pub(super) fn of(report: &Report, stock_bytes: u64) -> Self {
        let loading = report.workloads.iter().filter(|workload| workload.kind == Kind::Load);
        let used = || report.groups.iter().filter(|group| group.left_out.is_none());
        let caches = report.caches.as_ref().map_or(0, |caches| caches.bytes);
        Self {
            seconds: loading.map(|workload| workload.seconds).sum::<f64>()
                + used().map(|group| group.loading_seconds).sum::<f64>(),
            bytes: stock_bytes + caches + used().map(|group| group.bytes).sum::<u64>(),
        }
    }

    /// Whether an image is written where nobody says.
    pub(super) fn is_enough(self) -> bool {
        self.seconds * BYTES_A_SECOND >= self.bytes as f64
    }
}

impl std::fmt::Display for Worth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "it would save a session that loads all packages some {:.1} s, and add some {} to the container",
            self.seconds,
            HumanBytes(self.bytes)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_may_add_a_hundred_megabytes() {
        let enough = |seconds, megabytes: u64| Worth { seconds, bytes: megabytes << 20 }.is_enough();
        assert!(enough(3.0, 300) && enough(0.5, 50));
        assert!(!enough(3.0, 301) && !enough(0.0, 1));
    }
}
