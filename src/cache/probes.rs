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
    /// Where the times of these files say nothing.
    samples: Option<Samples>,
    facts: Facts,
}

/// What tells one Julia from another where every file has the same time of change.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Samples {
    /// The file that the command leads to.
    command: PathBuf,
    command_sha256: Sha256Digest,
    base_image_sha256: Sha256Digest,
}

impl Samples {
    fn of(command: &Path, base_image: &Path) -> std::io::Result<Self> {
        Ok(Self {
            command: command.canonicalize()?,
            command_sha256: Sha256Digest::of_sample(command)?,
            base_image_sha256: Sha256Digest::of_sample(base_image)?,
        })
    }
}

/// Whether files have times by which other ones in their place are noticed.
fn have_times(command: &Stamp, executable: &Stamp, base_image: &Stamp) -> bool {
    // An archive with one time for all (`SOURCE_DATE_EPOCH`) may be followed by another with the same.
    let is_one_for_all = command.mtime == base_image.mtime && executable.mtime == base_image.mtime;
    command.has_time() && executable.has_time() && base_image.has_time() && !is_one_for_all
}

impl Cache {
    /// What the Julia at `command` said when it was asked, if it is still the same files.
    pub fn probed(&self, command: &Path) -> Option<JuliaInstall> {
        self.places().find_map(|place| place.probed(command))
    }

    /// Keeps an answer. A cache that cannot be written to costs a process at the next start, and no more.
    pub fn keep_probe(&self, julia: &JuliaInstall) -> std::io::Result<()> {
        super::create_private(&self.folder("probes"))?;
        let command_stamp = Stamp::of(&julia.command)?;
        let executable_stamp = Stamp::of(&julia.facts.executable)?;
        let base_image_stamp = Stamp::of(&julia.facts.base_image)?;
        let samples = match have_times(&command_stamp, &executable_stamp, &base_image_stamp) {
            true => None,
            false => Some(Samples::of(&julia.command, &julia.facts.base_image)?),
        };
        let record = ProbeRecord {
            format: FORMAT,
            driver: Sha256Digest::of(Driver::PROBE.text),
            command: julia.command.clone(),
            command_stamp,
            executable_stamp,
            base_image_stamp,
            samples,
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
            && Stamp::of(&record.facts.base_image).ok()?.same_file(&record.base_image_stamp)
            && match &record.samples {
                None => true,
                Some(known) => Samples::of(command, &record.facts.base_image).ok()? == *known,
            };
        // The answer decides what is executed, so another user must not have written it.
        (is_current && self.trust.check(&path).is_ok()).then(|| JuliaInstall {
            command: command.to_owned(),
            facts: record.facts,
            load_path: None,
        })
    }
}

fn probe_path(root: &Path, command: &Path) -> PathBuf {
    root.join("probes").join(file_name_for(command.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_all_the_same_say_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            let file = std::fs::File::create(&path).unwrap();
            let time = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
            Stamp::of(&path).unwrap()
        };
        assert!(have_times(
            &stamp("a", 1_790_000_000),
            &stamp("b", 1_790_000_000),
            &stamp("c", 1_790_000_100)
        ));
        assert!(!have_times(&stamp("a", 1), &stamp("b", 1), &stamp("c", 1)));
        assert!(!have_times(&stamp("a", 1_790_000_000), &stamp("b", 0), &stamp("c", 1_790_000_100)));
        assert!(!have_times(&stamp("a", 315_532_800), &stamp("b", 315_532_800), &stamp("c", 315_532_800)));
    }
}
