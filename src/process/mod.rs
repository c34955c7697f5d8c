//! The only module that starts processes.
//!
//! Everything that jlsys runs is somebody else's code (test suites, packages, compilers), so it may
//! hang, crash, fill its output or leave children behind. Each [`Command`] therefore runs under a
//! *supervisor*: a second `jlsys` process that ends the command's whole family when the command ends,
//! when its time is up, or when jlsys itself is gone, however it went. What happened comes back as
//! plain data ([`Finished`]).

mod command;
mod exec;
mod family;
mod finished;
mod left_behind;
mod log;
mod pidfile;
mod request;
mod running;
pub mod supervisor;
mod watch;
mod watchdog;
mod watching;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

pub use command::Command;
pub use exec::replace_with;
pub use finished::{Ending, Finished, Standstill, StuckPackage};
pub use log::{LOG_LIMIT, error_in_line, julia_error, line_with, says, signal_in_line};
pub use running::{ProcessError, Running, run, start, succeeds};
pub use watch::{STALL_LIMIT, Watch, give_up_on, watch};

/// Waits for work that runs processes.
pub fn block_on<F: Future>(work: F) -> io::Result<F::Output> {
    // One thread: what is waited for is other processes. It must also be the thread that starts them, since a
    // supervisor is told when that thread ends.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(work))
}

/// Waits for work that runs processes; gives it up when this process is told to stop.
///
/// Giving up drops the work, and thereby ends every process that it started. `None` when that happened.
pub fn block_on_interruptible<F: Future>(work: F) -> io::Result<Option<F::Output>> {
    use tokio::signal::unix::{SignalKind, signal};
    block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        Ok(tokio::select! {
            result = work => Some(result),
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            _ = hangup.recv() => None,
        })
    })?
}

/// Finds an executable file by its name on `PATH`, as `execvp` does.
pub fn find_on_path(name: &OsStr) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether `file` is a regular file that this user may execute.
pub fn is_executable(file: &Path) -> bool {
    file.is_file() && nix::unistd::access(file, nix::unistd::AccessFlags::X_OK).is_ok()
}
