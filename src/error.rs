//! Everything that ends a command, as the user is told of it.
//!
//! Each variant's words stand with the module that finds the fault; this is their union, and what they mean for the
//! exit status.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cache::{CacheError, LookupError};
use crate::config::ConfigError;
use crate::environment::EnvironmentError;
use crate::julia::{DiscoverError, ProbeError};
use crate::kernel::KernelError;
use crate::key::SourcesError;
use crate::output::OutputError;
use crate::plan::PlanError;
use crate::process::ProcessError;
use crate::remote::RemoteError;
use crate::report::Kept;
use crate::signing::SigningError;
use crate::sysimage::{LinkError, NoTarget};
use crate::workload::LoadError;

/// Why a command ends without having done its work. Every message is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The project cannot be read.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// No Julia was found.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// The Julia that was found cannot be used.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The settings do not fit the project.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A package's sources cannot be read.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// No image is called that.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A remote cannot be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// There is no key to sign images with, or none can be made.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// Julia has no code for the CPUs that the image is to be for.
    #[error(transparent)]
    NoTarget(#[from] NoTarget),
    /// There is nothing to link images with.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A process could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The packages could not be tried.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A Jupyter kernelspec cannot be installed or removed.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A file of the build cannot be read or written.
    #[error("cannot use '{}': {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk that the cache is on is full.
    #[error("the disk is full: make room, or set JLSYS_CACHE_DIR to a folder on another disk (writing {})", .0.display())]
    DiskFull(PathBuf),
    /// A file of the image cannot be written, and not for want of room.
    #[error(
        "the image cannot be written in {}: {reason}: make that possible, or set JLSYS_CACHE_DIR to another folder",
        .folder.display()
    )]
    NotWritten {
        /// Where.
        folder: PathBuf,
        /// What was said.
        reason: String,
    },
    /// There is no room to precompile packages.
    #[error("packages cannot be precompiled, since the disk with the depot {} is full: make room there ({said})", .depot.display())]
    DepotFull {
        /// The depot.
        depot: PathBuf,
        /// What Julia said.
        said: String,
    },
    /// The time budget was over before there was anything to build an image from, or while somebody else built it.
    #[error("{budget} was over while {doing}: give it more with `--time-budget`")]
    OutOfTime {
        /// The budget, as the subject of a sentence.
        budget: String,
        /// What was going on.
        doing: &'static str,
    },
    /// What the image is made from was written all the time while it was built.
    #[error(
        "{0} while it was compiled, and again after that, so that the image is of neither: see that no workload writes into a \
         package's source, or leave the package out with `include`"
    )]
    ChangesAllTheTime(String),
    /// The working folder is gone.
    #[error("the working folder cannot be read: {0}")]
    WorkingFolder(std::io::Error),
    /// Signals or timers are not to be had from the system.
    #[error("the system does not let jlsys run processes: {0}")]
    Runtime(std::io::Error),
    /// The user, or the system, asked jlsys to stop.
    #[error("interrupted; what was done until then is not done again")]
    Interrupted,
    /// The same, of a build or a trace.
    #[error("interrupted; {0}")]
    InterruptedBuild(Kept),
    /// There is no image to name.
    #[error("{0}")]
    NoImage(String),
    /// There is nothing that can be built quickly.
    #[error(
        "`--quick` stops at the startup package, which needs Julia 1.9 or later, and this is Julia {0}: build without it"
    )]
    NothingQuick(crate::version::Version),
    /// An image takes more memory than may be taken, and there is nothing else to build.
    #[error("{0}; before Julia 1.9 there is nothing else to build")]
    NoMemory(String),
    /// Julia could not be started.
    #[error("cannot start Julia at '{}': {source}", .julia.display())]
    Exec {
        /// What was to be started.
        julia: PathBuf,
        /// Why it was not.
        source: std::io::Error,
    },
    /// What `JLSYS_DISABLE` says is not understood: whoever sets it wants plain Julia, most likely.
    #[error("JLSYS_DISABLE={} is neither 1 (plain Julia) nor 0", .0.display())]
    Disable(std::ffi::OsString),
    /// A document could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What a command's end means to a script that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// An image is in place, or the command did what it was asked to.
    Ok,
    /// Bad input or environment: nothing was done. For `status`: no current image.
    Refused,
    /// With `--strict`: an image with less than everything.
    NotFull,
    /// No image could be built; stock Julia stays.
    Stock,
    /// Interrupted.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Refused => 1,
            Exit::NotFull => 2,
            Exit::Stock => 3,
            Exit::Interrupted => 130,
        })
    }
}

impl Error {
    /// What it means for the exit status.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Interrupted | Self::InterruptedBuild(_) => Exit::Interrupted,
            // No input is wrong; every tier with an image needs a linker.
            Self::Link(LinkError::NoLinker { .. }) | Self::OutOfTime { .. } => Exit::Stock,
            _ => Exit::Refused,
        }
    }

    /// For use with `map_err`: the error of an operation on a file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
