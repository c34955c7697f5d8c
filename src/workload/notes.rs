//! What a workload did that its user should know, as `julia/notes.jl` leaves word of it beside the trace.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::uuid::Uuid;

/// What is known of one workload's doings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// The project files that became the active one's, without those of temporary projects.
    pub activated: Vec<PathBuf>,
    /// The project files of which Pkg wrote copies, since the workload was to change them.
    pub changed: Vec<PathBuf>,
    /// The first cell that failed, with the first line of its error.
    pub failed: Option<String>,
    /// The cell that ended the process: `cell 2 of 3`.
    pub exited: Option<String>,
    /// The packages that it had loaded when it ended.
    pub loaded: BTreeSet<Uuid>,
    /// What could not be kept from changing projects, with the reason.
    pub unwatched: Vec<String>,
}

impl Notes {
    /// Takes what the process noted that wrote `trace`: another process with the same trace makes notes of its own.
    pub fn take(trace: &Path) -> Self {
        let file = trace.with_added_extension("notes");
        let text = std::fs::read(&file).unwrap_or_default();
        let _ = std::fs::remove_file(file);
        Self::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> Self {
        let mut notes = Self::default();
        for (word, text) in text.lines().filter_map(|line| line.split_once('\t')) {
            match word {
                "activated" => notes.activated.push(text.into()),
                "changed" => notes.changed.push(text.into()),
                "failed" => notes.failed = Some(text.chars().take(300).collect()),
                "exited" => notes.exited = Some(text.to_owned()),
                "loaded" => {
                    notes.loaded.extend(text.split(' ').filter_map(|uuid| uuid.parse::<Uuid>().ok()));
                }
                "unwatched" => notes.unwatched.push(text.to_owned()),
                _ => {}
            }
        }
        notes
    }

    /// What else is to be known about the run than how it went: the ends of a sentence.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        let exited = self.exited.iter().map(|cell| format!("`exit` in {cell} ended it"));
        let changed: Vec<String> = self.changed.iter().map(|file| file.display().to_string()).collect();
        let copies = if changed.len() == 1 { "a copy" } else { "copies" };
        let changed =
            (!changed.is_empty()).then(|| format!("its changes to {} went to {copies}", changed.join(", ")));
        let unwatched =
            self.unwatched.iter().map(|what| format!("nothing kept it from changing projects ({what})"));
        exited.chain(changed).chain(unwatched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("notebook-n.jl");
        assert_eq!(Notes::take(&trace), Notes::default());
        let text = "activated\t/p/Project.toml\nchanged\t/p/Project.toml\nfailed\tcell 1 failed: a\tb\nexited\tcell 2 of 3\n\
                    loaded\t 8f399da3-3557-5675-b5ff-fb832c97cbdb x\nunknown\tx\nno word\nactivated\t/q/Proj";
        std::fs::write(folder.path().join("notebook-n.jl.notes"), text).unwrap();
        let notes = Notes::take(&trace);
        assert_eq!(notes.activated, [Path::new("/p/Project.toml"), Path::new("/q/Proj")]);
        assert_eq!(notes.failed.as_deref(), Some("cell 1 failed: a\tb"));
        assert_eq!(notes.loaded, ["8f399da3-3557-5675-b5ff-fb832c97cbdb".parse().unwrap()].into());
        let sentences: Vec<String> = notes.sentences().collect();
        let expected = ["`exit` in cell 2 of 3 ended it", "its changes to /p/Project.toml went to a copy"];
        assert_eq!(sentences, expected);
        assert_eq!(Notes::take(&trace), Notes::default());
    }
}
