//! What each Julia said of itself, kept while its files stay the same.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cache, FORMAT, Place, file_name_for, read_json, write_atomically};
use crate::file::{Sha256Digest, Stamp};
use crate::julia::{Driver, Facts, JuliaInstall};

/// A Julia's answer, with the stamps of the files that would be others if another Julia were there.
#[derive(Debug, Serialize, Deserialize)]
struct ProbeRecord {
    format: u32,
    /// The driver that asked: another may ask for more.
    driver: Sha256Digest,
    command: PathBuf,
    command_stamp: Stamp,
    executable_stamp: Stamp,
    base_image_stamp: Stamp,
    facts: Facts,
}

impl Cache {
    /// What the Julia at `command` said when it was asked, if it is still the same files.
    pub fn probed(&self, command: &Path) -> Option<JuliaInstall> {
        self.places().find_map(|place| place.probed(command))
    }

    /// Keeps an answer. A cache that cannot be written to costs a process at the next start, and no more.
    pub fn keep_probe(&self, julia: &JuliaInstall) -> std::io::Result<()> {
        super::create_private(&self.folder("probes"))?;
        let record = ProbeRecord {
            format: FORMAT,
            driver: Sha256Digest::of(Driver::PROBE.text),
            command: julia.command.clone(),
            command_stamp: Stamp::of(&julia.command)?,
            executable_stamp: Stamp::of(&julia.facts.executable)?,
            base_image_stamp: Stamp::of(&julia.facts.base_image)?,
            facts: julia.facts.clone(),
        };
        write_atomically(&probe_path(&self.root, &julia.command), &serde_json::to_vec(&record)?)
    }
}

impl Place<'_> {
    fn probed(&self, command: &Path) -> Option<JuliaInstall> {
        let path = probe_path(self.root, command);
        let record: ProbeRecord = read_json(&path).ok()?;
        let is_current = record.format == FORMAT
            && record.driver == Sha256Digest::of(Driver::PROBE.text)
            && record.command == command
            && Stamp::of(command).ok()?.same_file(&record.command_stamp)
            && Stamp::of(&record.facts.executable).ok()?.same_file(&record.executable_stamp)
            && Stamp::of(&record.facts.base_image).ok()?.same_file(&record.base_image_stamp);
        // The answer decides what is executed, so another user must not have written it.
        (is_current && self.trust.check(&path).is_ok())
            .then(|| JuliaInstall { command: command.to_owned(), facts: record.facts })
    }
}

fn probe_path(root: &Path, command: &Path) -> PathBuf {
    root.join("probes").join(file_name_for(command.as_os_str().as_encoded_bytes()))
}
