//! How all processes are watched.

use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// How processes are watched; see [`watch()`].
pub struct Watch {
    /// How long the family of a command may do nothing before it is taken to be stuck.
    pub stall_limit: Duration,
    /// Folders with packages' caches, for whose pidfiles a Julia may wait.
    pub compiled: Vec<PathBuf>,
    /// Packages whose precompiling is known to get stuck: it is ended at once.
    pub known_stuck: Vec<String>,
    /// Takes what is to be said while a command runs.
    pub say: Box<dyn Fn(&str) + Send + Sync>,
}

/// How long a command may do nothing when nobody says: longer than anything takes a nap, shorter than one waits for an answer.
pub const STALL_LIMIT: Duration = Duration::from_secs(80);

static WATCH: RwLock<Option<Watch>> = RwLock::new(None);

/// Decides how all processes are watched that are started from now on.
pub fn watch(watch: Watch) {
    *WATCH.write().unwrap_or_else(PoisonError::into_inner) = Some(watch);
}

/// Has the precompiling of these packages ended at once, in all processes that are started from now on.
pub fn give_up_on(packages: impl IntoIterator<Item = String>) {
    if let Some(watch) = WATCH.write().unwrap_or_else(PoisonError::into_inner).as_mut() {
        watch.known_stuck.extend(packages);
    }
}

/// What is decided, where something is.
pub(super) fn watched<T>(with: impl FnOnce(Option<&Watch>) -> T) -> T {
    with(WATCH.read().unwrap_or_else(PoisonError::into_inner).as_ref())
}
