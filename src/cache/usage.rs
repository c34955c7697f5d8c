//! When an entry was last used.
//!
//! It is the time of change of an empty file in the entry. It is noted at most once an hour, so that starting Julia
//! writes nothing as a rule, and a thousand ranks of a cluster job do not write all at once.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// The file.
pub(super) const FILE: &str = "used";

/// How exact the time is.
pub(super) const GRAIN: Duration = Duration::from_secs(3600);

/// By these, launchers of parallel jobs tell each process its number; only the first of a job notes anything.
const RANK_VARIABLES: &[&str] = &["SLURM_PROCID", "PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK"];

/// Makes the file, in an entry that is being written.
pub(super) fn start(folder: &Path) -> io::Result<()> {
    File::create(folder.join(FILE)).map(|_| ())
}

/// When the entry in `folder` was last used, up to [`GRAIN`]; never in the future, whatever a clock said.
pub(super) fn last(folder: &Path) -> Option<Timestamp> {
    let changed = folder.join(FILE).symlink_metadata().ok()?.modified().ok()?;
    Timestamp::try_from(changed.min(SystemTime::now())).ok()
}

/// Notes that the entry in `folder` is used now. In a cache that cannot be written to, nothing is noted.
pub(super) fn note(folder: &Path) {
    let is_rank = |name| std::env::var_os(name).is_some_and(|rank| rank != "0");
    let path = folder.join(FILE);
    let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
    // A time in the future is one that a wrong clock left.
    let is_fresh = changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age < GRAIN));
    if is_fresh || RANK_VARIABLES.iter().any(is_rank) {
        return;
    }
    let _ = OpenOptions::new().write(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
}
