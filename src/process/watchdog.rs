//! Telling what is slow from what is stuck.
//!
//! A machine may be busy, short of memory or asleep, so that honest work takes any time. What tells is whether the *family* of a
//! command still does anything: uses the processor, reads or writes, gets pages back from swap, prints. Time counts while it could
//! have, so neither while it is stopped nor while the one who looks was.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use nix::unistd::Pid;

use super::family::{Done, Member};

/// How much of a core a family must use to count as working. A Julia that asks ten times a second whether something has come uses
/// a thousandth (1.5.3: 2 ticks in 20 s); one that works and is allowed a twentieth of a core uses that.
const LEAST_OF_A_CORE: f64 = 0.01;

/// How much it must read and write, in bytes a second, to count as working. One that waits, in Julia's event loop or for a timer,
/// reads and writes nothing (1.5.3). What it prints counts from the first byte.
const LEAST_TRANSFER: f64 = 128.0;

/// How much of what a Julia uses counts as work that says itself that it waits: it collects garbage as often as it says so, which may be more
/// than a hundredth of a core, and much less than what any work of a background task is.
const SHARE_WHILE_WAITING: u64 = 10;

/// How many pages a second must come from a disk.
const LEAST_FAULTS: f64 = 0.1;

/// How often in a row of looks somebody must want the processor or wait for a disk: what is kept from it works as well.
const LEAST_BUSY_LOOKS: u32 = 4;

/// How many looks there are in the time that makes a family stuck.
const LOOKS: u32 = 24;

/// Watches a family.
#[derive(Debug)]
pub(super) struct Watchdog {
    limit: Duration,
    ticks_per_second: f64,
    last: HashMap<Pid, Done>,
    printed: u64,
    /// What was done since that was last enough to count.
    since: Done,
    busy_looks: u32,
    idle: Duration,
    stopped: Duration,
}

impl Watchdog {
    /// One that takes a family for stuck which does nothing for `limit`.
    pub fn new(limit: Duration, ticks_per_second: f64) -> Self {
        Self {
            limit,
            ticks_per_second,
            last: HashMap::new(),
            printed: 0,
            since: Done::default(),
            busy_looks: 0,
            idle: Duration::ZERO,
            stopped: Duration::ZERO,
        }
    }

    /// How long to wait before each look: a look costs the reading of a few small files a process.
    pub fn period(&self) -> Duration {
        (self.limit / LOOKS).clamp(Duration::from_millis(50), Duration::from_secs(5))
    }

    /// How long a family may do nothing.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// How long the family has done nothing.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// How long some of it has been stopped.
    pub fn stopped(&self) -> Duration {
        self.stopped
    }

    /// Whether it is stuck.
    pub fn says_stuck(&self) -> bool {
        self.idle >= self.limit
    }

    /// Takes note of what the family is seen to have done, and `printed` in all, `elapsed` after the last look. `waiting` say that they wait
    /// for what a package left behind.
    pub fn look(&mut self, members: &[Member], printed: u64, waiting: &BTreeSet<Pid>, elapsed: Duration) {
        let waits = |member: &Member| waiting.contains(&member.pid);
        let parents: BTreeSet<Pid> = members.iter().filter(|it| waits(it)).map(|it| it.parent).collect();
        for member in members {
            // What is new started in between. What a child had done counts once more when its parent has waited for it.
            let before = self.last.get(&member.pid).copied().unwrap_or_default();
            let ticks = member.done.ticks.saturating_sub(before.ticks);
            self.since.ticks += if waits(member) { ticks / SHARE_WHILE_WAITING } else { ticks };
            self.since.major_faults += member.done.major_faults.saturating_sub(before.major_faults);
            // It says so, and its parent passes that on.
            if !waits(member) && !parents.contains(&member.pid) {
                self.since.bytes += member.done.bytes.saturating_sub(before.bytes);
            }
        }
        self.last = members.iter().map(|member| (member.pid, member.done)).collect();
        self.busy_looks += u32::from(members.iter().any(|member| matches!(member.state, 'R' | 'D')));
        let has_printed = std::mem::replace(&mut self.printed, printed) != printed;
        // Whoever looks late was stopped, or the machine was asleep.
        let elapsed = elapsed.min(2 * self.period());
        if members.is_empty() || has_printed || self.did_enough() {
            self.forgive();
        } else if members.iter().any(is_stopped) {
            self.stopped += elapsed;
            return;
        } else {
            self.idle += elapsed;
        }
        self.stopped = Duration::ZERO;
    }

    /// Begins to count anew.
    pub fn forgive(&mut self) {
        self.since = Done::default();
        self.busy_looks = 0;
        self.idle = Duration::ZERO;
    }

    fn did_enough(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "amounts of a few minutes")]
        let is_reached = |amount: u64, rate: f64| amount as f64 >= rate * self.limit.as_secs_f64();
        is_reached(self.since.ticks, LEAST_OF_A_CORE * self.ticks_per_second)
            || is_reached(self.since.bytes, LEAST_TRANSFER)
            || is_reached(self.since.major_faults, LEAST_FAULTS)
            || self.busy_looks >= LEAST_BUSY_LOOKS
    }
}

/// Whether a process is stopped, as by Ctrl-Z or by a debugger.
pub(super) fn is_stopped(member: &Member) -> bool {
    matches!(member.state, 'T' | 't')
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(120);
    const NOBODY: &BTreeSet<Pid> = &BTreeSet::new();
    const SECOND: u64 = 100;

    struct Watched {
        watchdog: Watchdog,
        member: Member,
        printed: u64,
        waiting: BTreeSet<Pid>,
    }

    impl Watched {
        fn new() -> Self {
            let pid = Pid::from_raw(7);
            let member = Member { pid, parent: Pid::from_raw(1), state: 'S', done: Done::default() };
            Self { watchdog: Watchdog::new(LIMIT, 100.0), member, printed: 0, waiting: BTreeSet::new() }
        }

        /// One that says that it waits.
        fn waiting() -> Self {
            Self { waiting: BTreeSet::from([Pid::from_raw(7)]), ..Self::new() }
        }

        /// Whether it is found stuck within this many seconds, each of which is as `second` says.
        fn is_stuck_within(
            &mut self,
            seconds: u64,
            mut second: impl FnMut(u64, &mut Member, &mut u64),
        ) -> bool {
            let period = self.watchdog.period();
            (0..seconds).step_by(usize::try_from(period.as_secs()).unwrap()).any(|now| {
                (now..now + period.as_secs()).for_each(|s| second(s, &mut self.member, &mut self.printed));
                self.watchdog.look(std::slice::from_ref(&self.member), self.printed, &self.waiting, period);
                self.watchdog.says_stuck()
            })
        }
    }

    #[test]
    fn what_does_nothing_is_stuck_after_the_limit_and_not_before() {
        let mut watched = Watched::new();
        assert!(!watched.is_stuck_within(LIMIT.as_secs() - 5, |_, _, _| {}));
        assert!(watched.is_stuck_within(10, |_, _, _| {}));
    }

    #[test]
    fn asking_ten_times_a_second_is_no_work() {
        // A thousandth of a core.
        assert!(Watched::new().is_stuck_within(150, |now, member, _| {
            if now % 10 == 0 {
                member.done.ticks += 1;
            }
        }));
    }

    #[test]
    fn saying_that_one_waits_is_no_work_and_what_is_done_meanwhile_is() {
        // Every 15 s half a kilobyte, and collecting the garbage of a large process.
        let says_so = |now: u64, member: &mut Member, _: &mut u64| {
            if now.is_multiple_of(15) {
                member.done.ticks += SECOND / 2;
                member.done.bytes += 8192;
            }
        };
        assert!(Watched::waiting().is_stuck_within(150, says_so));
        assert!(!Watched::new().is_stuck_within(3600, says_so));
        assert!(!Watched::waiting().is_stuck_within(3600, |_, member, _| member.done.ticks += SECOND / 4));
    }

    #[test]
    fn a_twentieth_of_a_core_is_work() {
        assert!(!Watched::new().is_stuck_within(3600, |_, member, _| member.done.ticks += SECOND / 20));
    }

    #[test]
    fn a_line_every_fifty_seconds_is_work() {
        assert!(
            !Watched::new().is_stuck_within(3600, |now, _, printed| *printed += u64::from(now % 50 == 0))
        );
    }

    #[test]
    fn reading_and_pages_from_swap_are_work() {
        assert!(!Watched::new().is_stuck_within(3600, |_, member, _| member.done.bytes += 4096));
        assert!(!Watched::new().is_stuck_within(3600, |_, member, _| member.done.major_faults += 1));
        assert!(!Watched::new().is_stuck_within(3600, |_, member, _| member.state = 'D'));
    }

    #[test]
    fn what_gets_no_processor_is_not_stuck() {
        assert!(!Watched::new().is_stuck_within(3600, |_, member, _| member.state = 'R'));
    }

    #[test]
    fn time_in_which_it_was_stopped_does_not_count() {
        let mut watched = Watched::new();
        assert!(!watched.is_stuck_within(100, |_, _, _| {}));
        assert!(!watched.is_stuck_within(3600, |_, member, _| member.state = 'T'));
        assert!(!watched.is_stuck_within(15, |_, member, _| member.state = 'S'));
        assert!(watched.is_stuck_within(10, |_, _, _| {}));
    }

    #[test]
    fn nor_does_time_in_which_nobody_looked() {
        let mut watched = Watched::new();
        watched.watchdog.look(std::slice::from_ref(&watched.member), 0, NOBODY, Duration::from_secs(3600));
        assert!(watched.watchdog.idle() <= 2 * watched.watchdog.period());
    }

    #[test]
    fn what_cannot_be_seen_is_not_stuck() {
        let mut watchdog = Watchdog::new(LIMIT, 100.0);
        (0..100).for_each(|_| watchdog.look(&[], 0, NOBODY, Duration::from_secs(5)));
        assert!(!watchdog.says_stuck());
    }
}
