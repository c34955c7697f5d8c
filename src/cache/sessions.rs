//! What was precompiled for sessions with an image, after the image was committed: nothing that is needed, so it may be missing.

use std::io;

use super::{Entry, read_json, write_atomically};
use crate::workload::SessionSteps;

/// The file, in the entry. It is written after the entry's contents were listed.
pub(super) const FILE: &str = "sessions.json";

impl Entry {
    /// What came of precompiling for sessions.
    pub fn session_steps(&self) -> SessionSteps {
        read_json(&self.folder().join(FILE)).unwrap_or_default()
    }

    /// Keeps what came of it. What is not kept is tried again.
    pub fn keep_session_steps(&self, steps: &SessionSteps) -> io::Result<()> {
        write_atomically(&self.folder().join(FILE), &serde_json::to_vec(steps)?)
    }
}
