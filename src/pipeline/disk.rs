//! Whether a filesystem is what stopped a process: then no package and no statement is to blame.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::error::Error;
use crate::file::room_in;
use crate::process::{self, Ending};

/// How programs say that there is no room: the C library's words and those of libuv, which is what Julia's own files go through.
const NO_ROOM: &[&str] = &["No space left on device", "no space left on device", "(ENOSPC)"];

/// What stands before the system's word in what Julia (`reportWriterError` in src/aotcompile.cpp) and LLVM (`raw_fd_ostream`) say when
/// an object cannot be written, and linkers when an image cannot. Nothing else fails with these.
const NOT_WRITTEN: &[&str] = &[
    "failed to emit output file ",
    "IO failure on output stream: ",
    "cannot open output file ",
    "failed to write output file",
    "failed to write to the output file",
    "final link failed: ",
];

/// The error in which a build ends when the filesystem stopped a process that wrote into `folder` and had this log.
pub(super) fn refused(ending: Ending, log: &Path, folder: &Path) -> Option<Error> {
    // LLVM may die without a word; then the disk itself can tell.
    if process::says(log, NO_ROOM) || has_no_room(room_beside(log)) {
        return Some(Error::DiskFull(log.to_owned()));
    }
    let reason = match ending {
        Ending::Killed(signal) if signal == Signal::SIGXFSZ as i32 => {
            "files may not be so large here (`ulimit -f`)".to_owned()
        }
        _ => process::line_with(log, NOT_WRITTEN)?,
    };
    Some(Error::NotWritten { folder: folder.to_owned(), reason })
}

/// Whether it was for want of room in `depot` that a package did not load, in a process with this log.
pub(super) fn was_too_full(error: &str, log: &Path, depot: &Path) -> bool {
    // From 1.9 on the Julia that precompiles may die of it without an error, and the one that waits for it says this alone.
    let says_nothing = error.contains("ailed to precompile");
    NO_ROOM.iter().any(|words| error.contains(words))
        || says_nothing && (process::says(log, NO_ROOM) || has_no_room(room_in(depot)))
}

/// Nothing that is written is this small.
fn has_no_room(room: Option<u64>) -> bool {
    room.is_some_and(|room| room < 16 << 20)
}

/// How many bytes can be written to the disk that a file is on.
pub(super) fn room_beside(file: &Path) -> Option<u64> {
    room_in(file.parent()?)
}
