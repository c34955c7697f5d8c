//! What a remote says of an image: signed, and believed only then.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::envelope;
use super::piece::Piece;
use crate::cpu::HostCpu;
use crate::file::Sha256Digest;
use crate::julia::JuliaInstall;
use crate::key::{Key, KeyInputs, KeyJulia};
use crate::report::{Report, SCHEMA};
use crate::signing::{PublicKey, SecretKey};
use crate::sysimage::IMAGE_NAME;
use crate::world::{Here, World};

/// What the signature says it is over, so that no other signed bytes can be passed off as a description.
const KIND: &str = "application/vnd.jlsys.entry+json";

/// The version of the description, and of the layout of a remote.
const FORMAT: u32 = 2;

/// The files that travel. Logs stay behind: they are of use to the one who built, and may hold anything.
pub(super) const FILES: [&str; 2] = [IMAGE_NAME, "statements.jl"];

/// The description of an image on a remote.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    format: u32,
    /// The jlsys that wrote it.
    jlsys: String,
    /// The image's name.
    pub key: Key,
    /// What the key is the hash of.
    pub inputs: KeyInputs,
    /// When the image was built.
    pub created: Timestamp,
    /// What the build had to say, without what is only true where it was made.
    pub report: Report,
    /// What must still be true where it is used.
    pub world: World,
    /// The files.
    pub files: Vec<ManifestFile>,
}

/// A file of an image's entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name within the entry.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub sha256: Sha256Digest,
    /// What it is put together from, in order.
    pub pieces: Vec<Piece>,
}

/// The part of every version of the description that says which version it is.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

impl Manifest {
    pub(super) fn new(
        inputs: KeyInputs,
        created: Timestamp,
        report: Report,
        world: World,
        files: Vec<ManifestFile>,
    ) -> Self {
        let (format, jlsys) = (FORMAT, env!("CARGO_PKG_VERSION").to_owned());
        Self { format, jlsys, key: inputs.key(), inputs, created, report, world, files }
    }

    /// The description as it is stored.
    pub(super) fn seal(&self, key: &SecretKey) -> Vec<u8> {
        // Structs, ordered maps and lists of plain values serialise always.
        envelope::seal(KIND, &serde_json::to_vec(self).unwrap_or_default(), key)
    }

    /// Reads a description that one of `accepted` signed, and gives it with that key. Otherwise, why it is not accepted.
    pub(super) fn open<'k>(
        bytes: &[u8],
        accepted: &'k [PublicKey],
    ) -> Result<(Self, &'k PublicKey), OpenError> {
        let (content, signer) = envelope::open(KIND, bytes, accepted).map_err(OpenError::Signature)?;
        let unfit = |problem: &str| OpenError::Unfit(problem.to_owned());
        let version: Versioned =
            serde_json::from_slice(&content).map_err(|_| unfit("it is no description of an image"))?;
        if version.format != FORMAT {
            return Err(unfit("another version of jlsys wrote it"));
        }
        let manifest: Self =
            serde_json::from_slice(&content).map_err(|_| unfit("it is no description of an image"))?;
        manifest.check().map_err(OpenError::Unfit)?;
        Ok((manifest, signer))
    }

    /// Checks that it holds together. A key that was taken over, or a signer with a bug, must not do harm either.
    fn check(&self) -> Result<(), String> {
        if self.inputs.key() != self.key {
            return Err("its key is not the hash of what it says the image was built from".to_owned());
        }
        if self.report.schema != SCHEMA || self.report.key != self.key {
            return Err("its report is of another image".to_owned());
        }
        let mut names = BTreeSet::new();
        for file in &self.files {
            if !FILES.contains(&file.name.as_str()) || !names.insert(&file.name) {
                let name: String = file.name.chars().take(100).collect();
                return Err(format!("it names {name:?}, which is no file of an image"));
            }
            let sum = file.pieces.iter().try_fold(0_u64, |sum, piece| sum.checked_add(piece.size));
            if sum != Some(file.size) || !file.pieces.iter().all(Piece::is_sane) {
                return Err(format!("the sizes that it gives for {} make no sense", file.name));
            }
        }
        if !names.iter().any(|name| *name == IMAGE_NAME) {
            return Err("it names no image for this system".to_owned());
        }
        Ok(())
    }

    /// Whether the image is for this Julia and this CPU; if not, why.
    pub(super) fn fits(&self, julia: &JuliaInstall) -> Result<(), String> {
        let (theirs, here) = (&self.inputs.julia, KeyJulia::from(julia));
        if (&theirs.version, &theirs.os, &theirs.arch) != (&here.version, &here.os, &here.arch) {
            return Err(format!(
                "it is for Julia {} on {} {}, and this is Julia {} on {} {}",
                theirs.version, theirs.os, theirs.arch, here.version, here.os, here.arch
            ));
        }
        if *theirs != here {
            return Err(format!("it is for another build of Julia {}", here.version));
        }
        match &self.inputs.host_cpu {
            Some(cpu) if *cpu != HostCpu::detect() => {
                Err(format!("it is for the CPU {cpu} alone, and this is {}", HostCpu::detect()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a project here may use the image; if not, why.
    pub(super) fn fits_in(&self, here: &Here<'_>) -> Result<(), String> {
        let (differences, _) = self.world.clone().differences(here);
        if differences.is_empty() { Ok(()) } else { Err(differences.join(", ")) }
    }

    /// How many bytes travel.
    pub fn stored_size(&self) -> u64 {
        self.files.iter().flat_map(|file| &file.pieces).map(|piece| piece.stored_size).sum()
    }

    /// How many bytes the files have.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// Why a description is not used.
pub(super) enum OpenError {
    /// Nobody who is accepted signed it.
    Signature(String),
    /// It is signed, and makes no sense.
    Unfit(String),
}
