//! Whether an image runs on a CPU that it was not built on: tried once, and kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Entry, create_private, file_name_for, read_json, write_atomically};

use crate::cpu::HostCpu;

/// What trying an image on a CPU showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The CPU.
    pub cpu: HostCpu,
    /// Whether Julia starts with the image there.
    pub works: bool,
}

impl Entry {
    fn verdict_path(&self, cpu: &HostCpu) -> PathBuf {
        self.folder().join("cpus").join(file_name_for(cpu.to_string()))
    }

    /// Whether the image runs on `cpu`, where that is known.
    pub fn runs_on(&self, cpu: &HostCpu) -> Option<bool> {
        if self.header.tried_on.as_ref() == Some(cpu) {
            return Some(true);
        }
        let verdict: Verdict = read_json(&self.verdict_path(cpu)).ok()?;
        (verdict.cpu == *cpu).then_some(verdict.works)
    }

    /// Keeps what trying the image on `cpu` showed. In a cache that cannot be written to it is tried again next time.
    pub fn keep_verdict(&self, cpu: &HostCpu, works: bool) -> std::io::Result<()> {
        let path = self.verdict_path(cpu);
        create_private(&self.folder().join("cpus"))?;
        write_atomically(&path, &serde_json::to_vec(&Verdict { cpu: cpu.clone(), works })?)
    }
}
