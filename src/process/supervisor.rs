//! The process between jlsys and a command: it outlives both for as long as it takes to leave nothing behind.
//!
//! It is `jlsys` itself under a hidden command. It reads a `Request` from standard input, runs it, and writes
//! `Answer`s to standard output, one a line; the last tells how it went. On Linux it is a *child subreaper* (prctl(2)): whatever the command starts and
//! abandons becomes the supervisor's child, even when it left the process group, so all of it can be found and
//! ended. When jlsys dies, by whatever means, the kernel sends the supervisor a SIGTERM (its parent-death
//! signal), and when the supervisor dies, the command gets a SIGKILL.
//!
//! The command is a duct expression, followed through its handle. duct ends the processes that it started itself; their children,
//! and what those left behind, are this module's.
//!
//! It also looks every few seconds whether the family still does anything (`watchdog.rs`). A Julia in it that precompiles a package
//! and is stuck is ended alone, since the one that started it goes on with the others; else all of the family is.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use duct::Handle;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::family::descendants;
use super::log::Log;
use super::request::{Answer, GRACE_PERIOD, Request, say};
use super::watching::Watching;
use super::{Ending, Finished};

/// The hidden command of `jlsys` that runs a supervisor.
pub const COMMAND: &str = "__supervise";

/// Serves the one request on standard input.
pub fn main() -> io::Result<()> {
    // Set before anything else is done: from here on nothing that jlsys started can outlive it.
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
        nix::sys::prctl::set_child_subreaper(true)?;
    }
    let mut request = Vec::new();
    io::stdin().read_to_end(&mut request)?;
    // jlsys may have died before the parent-death signal was set; then its end of the pipe brought nothing.
    let request: Request = serde_json::from_slice(&request)?;
    let answer = supervise(&request).unwrap_or_else(|error| Answer::NotStarted {
        os_error: error.raw_os_error(),
        message: error.to_string(),
    });
    say(&answer)
}

fn supervise(request: &Request) -> io::Result<Answer> {
    let mut stop = Signals::new([SIGTERM, SIGINT, SIGHUP])?;

    // The reader that duct makes cannot wait for a while only, as its handle can.
    let (output, output_end) = io::pipe()?;
    let expression = request.command.expression().before_spawn(set_apart).stdout_file(output_end);
    let started = Instant::now();
    let handle = Arc::new(expression.start()?);
    drop(expression); // It holds the end of the pipe too.
    let group = handle.pids().first().and_then(|&pid| i32::try_from(pid).ok()).map(Pid::from_raw);

    let log = Arc::new(Log::new(&request.log));
    let (copying, copied) = mpsc::channel::<()>();
    thread::spawn({
        let log = Arc::clone(&log);
        move || {
            let _ = log.copy(output);
            drop(copying);
        }
    });
    let is_interrupted = Arc::new(AtomicBool::new(false));
    thread::spawn({
        let (handle, is_interrupted) = (Arc::clone(&handle), Arc::clone(&is_interrupted));
        move || {
            if stop.forever().next().is_some() {
                is_interrupted.store(true, Ordering::SeqCst);
                end_gently(&handle, group);
            }
        }
    });

    let mut watching = Watching::new(request, &log)?;
    let time_up = request
        .time_limit_seconds
        .and_then(|seconds| started.checked_add(Duration::try_from_secs_f64(seconds).ok()?));
    let ending = loop {
        let next_look = watching.next_look();
        let deadline = time_up.map_or(next_look, |time_up| time_up.min(next_look));
        if let Some(output) = handle.wait_deadline(deadline)? {
            break output.status.into();
        }
        if time_up.is_some_and(|time_up| time_up <= Instant::now()) {
            break Ending::TimedOut;
        }
        if watching.next_look() <= Instant::now()
            && let Some(ending) = watching.look()
        {
            break ending;
        }
    };
    let ending = if is_interrupted.load(Ordering::SeqCst) { Ending::Interrupted } else { ending };
    let seconds = started.elapsed().as_secs_f64();
    match ending {
        // Those that can say what they are doing exit with it.
        Ending::Stuck { .. } => drop(handle.wait_timeout(GRACE_PERIOD)),
        Ending::TimedOut | Ending::Interrupted => end_gently(&handle, group),
        Ending::Exited(_) | Ending::Killed(_) => {}
    }
    if let Some(group) = group {
        end_family(group);
    }
    // With the family gone nobody holds the pipe's other end, but for a process that the kernel cannot end.
    let _ = copied.recv_timeout(GRACE_PERIOD);
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    // Linux counts in KiB, macOS in bytes: getrusage(2) of each.
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak_memory_bytes = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
    Ok(Answer::Finished(Finished { ending, seconds, peak_memory_bytes, stuck: watching.into_stuck() }))
}

/// Gives a command a session of its own, without a terminal: what would ask there for a password finds none, instead of waiting for an
/// answer, stopped in the background. It leaves no core behind, and goes with this process.
fn set_apart(command: &mut std::process::Command) -> io::Result<()> {
    let set = || {
        nix::unistd::setsid()?;
        let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
        setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
        #[cfg(target_os = "linux")]
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        Ok(())
    };
    #[expect(unsafe_code, reason = "these are plain system calls: safe between fork and exec")]
    unsafe {
        command.pre_exec(set);
    }
    Ok(())
}

/// Ends a command, which is asked first: Julia then runs its `atexit` hooks, which remove temporary folders.
fn end_gently(handle: &Handle, group: Option<Pid>) {
    if let Some(group) = group {
        let _ = killpg(group, Signal::SIGTERM);
    }
    if !matches!(handle.wait_timeout(GRACE_PERIOD), Ok(Some(_))) {
        let _ = handle.kill();
    }
}

/// Ends everything that descends from this process, and waits until it is gone.
fn end_family(group: Pid) {
    // New processes can appear while old ones are being ended, so look again until nobody is left; each
    // round ends whole generations, so a few suffice for all but a process the kernel cannot end.
    for _ in 0..200 {
        let _ = killpg(group, Signal::SIGKILL);
        // Whoever lost its parent is a child of this process. Mostly there is none, and nobody to be looked for in `/proc`: the kernel
        // takes milliseconds to forget a process that was seen there with several threads.
        if !has_children() {
            return;
        }
        for pid in descendants(Pid::this()) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether this process has children, other than those that have ended, which it waits for.
fn has_children() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
