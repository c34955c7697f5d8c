//! Why the workloads of a project cannot be selected.

use std::path::PathBuf;

/// A workload that the settings name cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    /// A script cannot be read.
    #[error("cannot read '{}', which workloads.scripts names: {source}", .script.display())]
    Script {
        /// The file.
        script: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What the settings say about notebooks cannot be followed.
    #[error("workloads.notebooks has '{pattern}', {problem}")]
    Notebooks {
        /// What the settings say.
        pattern: String,
        /// What is wrong with it, as the end of a sentence.
        problem: String,
    },
}
