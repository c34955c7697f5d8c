//! The supervisor's part in which it watches a family, and ends what is stuck.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::family::{self, Member};
use super::log::Log;
use super::pidfile::Pidfile;
use super::request::{Answer, GRACE_PERIOD, Request, say};
use super::watchdog::{Watchdog, is_stopped};
use super::{Ending, StuckPackage};

/// Watches what descends from this process.
pub(super) struct Watching<'a> {
    request: &'a Request,
    log: Arc<Log>,
    watchdog: Watchdog,
    /// When it looked last.
    last: Instant,
    stuck: Vec<StuckPackage>,
    /// Packages whose precompiling is ended at once: those of the request, and what was stuck since.
    known: Vec<String>,
    /// Which precompiled at the last look.
    precompiling: Vec<Pid>,
    /// What was said last: the same is not said twice in a row.
    said: String,
}

impl<'a> Watching<'a> {
    /// Begins to watch the command of `request`, whose output goes to `log`.
    pub fn new(request: &'a Request, log: &Arc<Log>) -> io::Result<Self> {
        let ticks = sysconf(SysconfVar::CLK_TCK)?.unwrap_or(100);
        #[expect(clippy::cast_precision_loss, reason = "a hundred or a thousand")]
        let watchdog = Watchdog::new(request.stall_limit, ticks as f64);
        let known = request.known_stuck.clone();
        Ok(Self {
            request,
            log: Arc::clone(log),
            watchdog,
            last: Instant::now(),
            stuck: Vec::new(),
            known,
            precompiling: Vec::new(),
            said: String::new(),
        })
    }

    /// When to look next.
    pub fn next_look(&self) -> Instant {
        let period = self.watchdog.period();
        self.last + if self.known.is_empty() { period } else { period.min(Duration::from_secs(1)) }
    }

    /// Looks whether the family is stuck, and has it say what it was doing, as far as it can. Julias that precompile and are stuck are
    /// ended alone.
    pub fn look(&mut self) -> Option<Ending> {
        let members = family::members(Pid::this());
        self.watchdog.look(&members, self.log.printed(), &self.log.waiting(), self.last.elapsed());
        self.last = Instant::now();
        if self.request.command.waits_for.as_ref().is_some_and(|file| !file.exists()) {
            self.watchdog.forgive();
        }
        self.end_known(&members);
        self.tell_of_waiting(&members);
        if !self.watchdog.says_stuck() {
            return None;
        }
        let seconds = self.watchdog.idle().as_secs();
        let precompiling = stuck_precompiling(&members);
        self.describe(&members, seconds);
        if precompiling.is_empty() {
            ask(&members);
            return Some(Ending::Stuck { seconds });
        }
        self.end_alone(&precompiling, &members);
        self.watchdog.forgive();
        None
    }

    /// Ends the Julias that precompile what is known to get stuck.
    fn end_known(&mut self, members: &[Member]) {
        if self.known.is_empty() {
            return;
        }
        let precompiling = stuck_precompiling(members);
        let before = std::mem::take(&mut self.precompiling);
        self.precompiling = precompiling.iter().map(|(member, _)| member.pid).collect();
        for (member, name) in precompiling {
            // One that has just started is still being told what to do, by a pipe whose other end should find it there.
            let is_told = before.contains(&member.pid);
            if is_told && member.state != 'Z' && self.known.contains(&name) {
                self.log.note(&format!("precompiling {name} was stuck before, so it is ended"));
                end_with_descendants(&member, members);
                self.stuck.push(StuckPackage { name, seconds: 0.0 });
            }
        }
    }

    /// The packages whose precompiling was ended.
    pub fn into_stuck(self) -> Vec<StuckPackage> {
        self.stuck
    }

    /// Says for whom the family waits, if it is for somebody: then it is not stuck.
    fn tell_of_waiting(&mut self, members: &[Member]) {
        // For a moment all do nothing now and then.
        let a_while = self.watchdog.limit() / 2;
        if self.watchdog.stopped() >= a_while
            && let Some(stopped) = members.iter().find(|member| is_stopped(member))
        {
            let pid = stopped.pid;
            self.notice(format!("process {pid} is stopped; `kill -CONT {pid}` lets it go on"));
        }
        if self.watchdog.idle() < a_while {
            return;
        }
        let is_own = |pid| pid == Pid::this() || members.iter().any(|member| member.pid == pid);
        if let Some(pidfile) = Pidfile::held_by_others(&self.request.compiled, is_own) {
            self.notice(format!("waiting for {pidfile}"));
            if self.watchdog.says_stuck() {
                self.watchdog.forgive();
            }
        }
    }

    fn notice(&mut self, text: String) {
        if self.said != text {
            self.log.note(&text);
            // jlsys may be gone; then this process is about to be told.
            let _ = say(&Answer::Notice(text.clone()));
            self.said = text;
        }
    }

    /// Writes down what each of the family does.
    fn describe(&self, members: &[Member], seconds: u64) {
        self.log.note(&format!("nothing happened for {seconds} s; this is what there is:"));
        members.iter().for_each(|member| self.log.note(&member.describe()));
    }

    /// Ends Julias that precompile a package each, with what they started. Whoever waits for them finds that the package does not
    /// precompile.
    fn end_alone(&mut self, precompiling: &[(Member, String)], all: &[Member]) {
        for (_, name) in precompiling {
            let seconds = self.watchdog.idle().as_secs_f64();
            self.notice(format!(
                "precompiling {name} is stuck (nothing happened for {seconds:.0} s), so it is ended"
            ));
            self.stuck.push(StuckPackage { name: name.clone(), seconds });
            self.known.push(name.clone());
        }
        ask(&precompiling.iter().map(|(member, _)| member.clone()).collect::<Vec<_>>());
        let is_there = |member: &Member| {
            let now = family::members(Pid::this()).into_iter().find(|other| other.pid == member.pid);
            now.is_some_and(|now| now.parent == member.parent && now.state != 'Z')
        };
        let deadline = Instant::now() + GRACE_PERIOD;
        while Instant::now() < deadline && precompiling.iter().any(|(member, _)| is_there(member)) {
            std::thread::sleep(Duration::from_millis(100));
        }
        for (member, _) in precompiling.iter().filter(|(member, _)| is_there(member)) {
            end_with_descendants(member, all);
        }
    }
}

/// The Julias that precompile a package, and wait for no other that does; each with the package.
fn stuck_precompiling(members: &[Member]) -> Vec<(Member, String)> {
    let all: Vec<(Member, String)> =
        members.iter().filter_map(|member| Some((member.clone(), member.precompiles()?))).collect();
    let has_other_below = |member: &Member| {
        all.iter().any(|(other, _)| other.pid != member.pid && descends_from(other, member.pid, members))
    };
    all.iter().filter(|(member, _)| !has_other_below(member)).cloned().collect()
}

/// Whether a member is, or descends from, `ancestor`.
fn descends_from(member: &Member, ancestor: Pid, all: &[Member]) -> bool {
    let mut pid = member.pid;
    // No family has more generations.
    for _ in 0..=all.len() {
        if pid == ancestor {
            return true;
        }
        match all.iter().find(|other| other.pid == pid) {
            Some(other) => pid = other.parent,
            None => return false,
        }
    }
    false
}

/// Ends a member with all that it started.
fn end_with_descendants(member: &Member, all: &[Member]) {
    for other in all.iter().filter(|other| descends_from(other, member.pid, all)) {
        let _ = kill(other.pid, Signal::SIGKILL);
    }
}

/// Asks those who can to print what they are doing, and to exit.
fn ask(members: &[Member]) {
    for member in members.iter().filter(|member| member.answers_quit()) {
        let _ = kill(member.pid, Signal::SIGQUIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::family::Done;

    fn member(pid: i32, parent: i32) -> Member {
        let (pid, parent) = (Pid::from_raw(pid), Pid::from_raw(parent));
        Member { pid, parent, state: 'S', done: Done::default() }
    }

    #[test]
    fn a_family_is_known_by_its_ancestor() {
        let all = [member(10, 1), member(11, 10), member(12, 11), member(13, 10)];
        let below = |ancestor| {
            let below = all.iter().filter(|it| descends_from(it, Pid::from_raw(ancestor), &all));
            below.map(|it| it.pid.as_raw()).collect::<Vec<_>>()
        };
        assert_eq!(below(11), [11, 12]);
        assert_eq!(below(10), [10, 11, 12, 13]);
        assert_eq!(below(99), [0; 0]);
    }
}
