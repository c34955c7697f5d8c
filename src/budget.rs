//! The time that a whole build may take, and how it is shared out.

use std::time::{Duration, Instant};

use crate::duration::limit;

/// A build's time, counted from when the build began.
///
/// Half of it stays for the image, whatever the workloads do: without an image they were run for nothing.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    started: Instant,
    total: Option<Duration>,
}

impl Budget {
    /// A budget that begins to run now; without a total there is no end to it.
    pub fn starting_now(total: Option<Duration>) -> Self {
        Self { started: Instant::now(), total }
    }

    /// When it began to run, with the build.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// All of it.
    pub fn total(&self) -> Option<Duration> {
        self.total
    }

    /// When the last workload must have ended.
    pub fn end_of_workloads(&self) -> Option<Instant> {
        self.total.map(|total| self.started + total / 2)
    }

    /// When it is over.
    pub fn end(&self) -> Option<Instant> {
        self.total.map(|total| self.started + total)
    }

    /// What is left; `None` when there is no end to it.
    pub fn left(&self) -> Option<Duration> {
        self.total.map(|total| total.saturating_sub(self.started.elapsed()))
    }

    /// Whether less than this is left.
    pub fn is_short_of(&self, needed: Duration) -> bool {
        self.left().is_some_and(|left| left.is_zero() || left < needed)
    }
}

impl std::fmt::Display for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.total {
            Some(total) => write!(f, "the time budget of {}", limit(total)),
            None => f.write_str("no time budget"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_total_nothing_ends() {
        let budget = Budget::starting_now(None);
        assert_eq!((budget.left(), budget.end_of_workloads()), (None, None));
        assert!(!budget.is_short_of(Duration::MAX));
    }

    #[test]
    fn half_of_it_is_for_workloads() {
        let budget = Budget::starting_now(Some(Duration::from_secs(100)));
        let workloads = budget.end_of_workloads().unwrap() - budget.started;
        assert_eq!(workloads, Duration::from_secs(50));
        assert!(budget.is_short_of(Duration::from_secs(101)) && !budget.is_short_of(Duration::from_secs(90)));
        assert!(Budget::starting_now(Some(Duration::ZERO)).is_short_of(Duration::ZERO));
    }
}
