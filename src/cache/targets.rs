//! For which CPUs a Julia can generate code: asked once for each Julia, CPU and target.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cache, FORMAT, Place, create_private, file_name_for, read_json, write_atomically};
use crate::cpu::{CpuTarget, HostCpu};
use crate::file::Sha256Digest;
use crate::julia::JuliaInstall;
use crate::sysimage::Served;

/// The folder with the answers.
pub(super) const FOLDER: &str = "targets";

/// What a Julia answered, with all that decides the answer.
#[derive(Serialize, Deserialize)]
struct Record {
    format: u32,
    /// The Julia: when it is gone, the answer is of no use.
    command: PathBuf,
    base_image: Sha256Digest,
    cpu: HostCpu,
    target: CpuTarget,
    served: Served,
}

impl Cache {
    /// Whether a Julia generates code for `target` on this machine, as far as that was asked.
    pub fn serves(&self, julia: &JuliaInstall, target: &CpuTarget) -> Served {
        if *target == CpuTarget::Native {
            return Served::Yes;
        }
        let cpu = HostCpu::detect();
        let answer = self.places().find_map(|place| place.answer(julia, &cpu, target));
        answer.map_or(Served::Unknown, |record| record.served)
    }

    /// Keeps an answer. A cache that cannot be written to costs a process at the next build, and no more.
    pub fn keep_serves(&self, julia: &JuliaInstall, target: &CpuTarget, served: &Served) {
        if *target == CpuTarget::Native || *served == Served::Unknown {
            return;
        }
        let cpu = HostCpu::detect();
        let path = path(&self.root, julia, &cpu, target);
        let (base_image, target) = (julia.facts.base_image_sha256, target.clone());
        let command = julia.command.clone();
        let record = Record { format: FORMAT, command, base_image, cpu, target, served: served.clone() };
        let text = serde_json::to_vec(&record).unwrap_or_default();
        let _ = create_private(&self.folder(FOLDER)).and_then(|()| write_atomically(&path, &text));
    }
}

impl Place<'_> {
    fn answer(&self, julia: &JuliaInstall, cpu: &HostCpu, target: &CpuTarget) -> Option<Record> {
        let path = path(self.root, julia, cpu, target);
        let record: Record = read_json(&path).ok()?;
        let is_it = record.format == FORMAT
            && record.base_image == julia.facts.base_image_sha256
            && record.cpu == *cpu
            && record.target == *target;
        (is_it && self.trust.check(&path).is_ok()).then_some(record)
    }
}

fn path(root: &Path, julia: &JuliaInstall, cpu: &HostCpu, target: &CpuTarget) -> PathBuf {
    let subject = format!("{} {cpu} {target}", julia.facts.base_image_sha256);
    root.join(FOLDER).join(file_name_for(subject))
}
