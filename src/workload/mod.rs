//! Code that is run to see what gets compiled.

mod capacity;
mod compiling;
mod counted;
mod kernel;
mod load;
mod notebook;
mod notebook_files;
mod notebook_json;
mod notes;
mod order;
mod precompile;
mod runner;
mod select;
mod select_error;
mod settings;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::file::Sha256Digest;
use crate::uuid::Uuid;

pub use capacity::Capacity;
pub use counted::Counted;
pub use kernel::Kernel;
pub use load::{LoadError, Loaded, load};
pub use notebook::{Notebook, NotebookError};
pub use precompile::{Counting, For, Precompiling, SessionStep, SessionSteps, StepOutcome, precompile};
pub use runner::{Outcome, Ran, Runner};
pub use select::{Selection, select};
pub use select_error::SelectError;
pub use settings::{DEFAULT_TIME_LIMIT, WorkloadSettings};

/// The kinds of workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Loading every package.
    Load,
    /// A package's own test suite.
    Tests,
    /// The code cells of a notebook of the project, or the kernel that notebooks run in.
    Notebooks,
    /// A script of the project.
    Scripts,
}

impl Kind {
    /// All kinds, in the order in which they are reported.
    pub const ALL: &'static [Self] = &[Self::Load, Self::Tests, Self::Notebooks, Self::Scripts];

    /// How a workload of this kind is called in a sentence.
    pub fn of(self, name: &str) -> String {
        match self {
            Self::Load => "loading the packages".to_owned(),
            Self::Tests => format!("tests of {name}"),
            Self::Notebooks | Self::Scripts => name.to_owned(),
        }
    }
}

/// Among which packages a workload runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Its package, that package's dependencies and its tests': all that the sandbox of `Pkg.test` has.
    Sandbox,
    /// All of the project's, and those of the default environment behind it.
    Project,
}

/// Code that is run to see what gets compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workload {
    /// Loading every package.
    Load,
    /// A package's own test suite.
    Tests(TestSuite),
    /// The kernel that notebooks run in.
    Kernel(Kernel),
    /// The code cells of a notebook of the project.
    Notebook(Notebook),
    /// A script of the project.
    Script(Script),
}

/// A package's own test suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestSuite {
    /// The package's name.
    pub package: String,
    /// The package.
    pub uuid: Uuid,
    /// The package's folder; `test/runtests.jl` is in it.
    pub folder: PathBuf,
    /// Whether the package is the project's own, or one by path: its tests tell what the project is about.
    pub is_own: bool,
}

/// A script of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file relative to the project's folder.
    pub name: PathBuf,
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub sha256: Sha256Digest,
}

impl Workload {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Load => Kind::Load,
            Self::Tests(_) => Kind::Tests,
            Self::Kernel(_) | Self::Notebook(_) => Kind::Notebooks,
            Self::Script(_) => Kind::Scripts,
        }
    }

    /// Whose tests it is, if it is tests.
    pub fn package(&self) -> Option<Uuid> {
        match self {
            Self::Tests(suite) => Some(suite.uuid),
            Self::Load | Self::Kernel(_) | Self::Notebook(_) | Self::Script(_) => None,
        }
    }

    /// Whether it is the tests of a package that others wrote: they are many, and say least of what the project does.
    pub fn is_suite_of_others(&self) -> bool {
        matches!(self, Self::Tests(suite) if !suite.is_own)
    }

    /// Its name: the package, the notebook or the script; unique within its kind.
    pub fn name(&self) -> String {
        match self {
            Self::Load => "load".to_owned(),
            Self::Tests(suite) => suite.package.clone(),
            Self::Kernel(_) => Kernel::NAME.to_owned(),
            Self::Notebook(notebook) => notebook.name.display().to_string(),
            Self::Script(script) => script.name.display().to_string(),
        }
    }
}
