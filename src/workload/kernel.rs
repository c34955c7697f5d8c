//! The kernel that notebooks run in.

use super::Kind;
use crate::environment::{Environment, IJULIA};
use crate::file::Sha256Digest;

/// The kernel that notebooks run in: IJulia, asked what a front end asks (`julia/kernel.jl`). It is about IJulia's own code; what
/// notebooks' cells compile is seen without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What IJulia is, and what it loads.
    pub sha256: Sha256Digest,
}

impl Kernel {
    /// The workload's name, which is no notebook's: those end in `.ipynb`.
    pub const NAME: &str = "kernel";

    /// The kernel that a project's notebooks run in, where its sessions find an IJulia.
    pub fn of(environment: &Environment) -> Option<Self> {
        environment.package_in_session(IJULIA)?;
        let loaded = environment.loaded_in_session([IJULIA]).into_iter().map(|package| {
            let tree = package.source.tree().map(|tree| tree.to_string()).unwrap_or_default();
            format!("{}\t{package}\t{tree}\n", package.uuid)
        });
        Some(Self { sha256: Sha256Digest::of(loaded.collect::<String>()) })
    }
}

impl Kind {
    /// Whether the workload of this kind and name is the kernel.
    pub fn is_kernel(self, name: &str) -> bool {
        self == Self::Notebooks && name == Kernel::NAME
    }

    /// Whether it is a script or notebook of the project.
    pub fn is_projects_own(self, name: &str) -> bool {
        matches!(self, Self::Notebooks | Self::Scripts) && !self.is_kernel(name)
    }
}
