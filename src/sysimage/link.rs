//! Linking an object into an image that Julia can load.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::julia::JuliaInstall;
use crate::process::{self, Command, Finished, ProcessError, find_on_path, is_executable};

/// Linking takes seconds; a linker that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// What links images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Linker {
    /// A C compiler, with the arguments that `JULIA_CC` may give it.
    Compiler {
        /// The compiler.
        program: PathBuf,
        /// What comes before jlsys's own arguments.
        args: Vec<OsString>,
    },
    /// The `lld` that comes with Julia 1.9 and later.
    Lld(PathBuf),
}

/// An image cannot be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// There is nothing to link with.
    #[error(
        "no C compiler found to link the image with (looked for JULIA_CC, cc, gcc and clang on PATH{}): install gcc",
        if *.looked_for_lld { ", and for Julia's own lld" } else { "" }
    )]
    NoLinker {
        /// Whether this Julia should have a linker of its own.
        looked_for_lld: bool,
    },
    /// `JULIA_CC` is set to something else than a compiler.
    #[error("JULIA_CC names '{0}', which is not an executable file: unset it or name a C compiler")]
    NotACompiler(String),
    /// The linker could not be run.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The linker failed.
    #[error("the linker {}; its output is in {}", .finished.ending, .log.display())]
    Failed {
        /// How it went.
        finished: Finished,
        /// Its output.
        log: PathBuf,
    },
}

impl Linker {
    /// Finds something to link with: `JULIA_CC` as PackageCompiler takes it, a C compiler on `PATH`, Julia's own `lld`.
    pub fn find(julia: &JuliaInstall) -> Result<Self, LinkError> {
        if let Some(variable) = std::env::var("JULIA_CC").ok().filter(|value| !value.trim().is_empty()) {
            let mut words = variable.split_whitespace();
            let named = words.next().unwrap_or_default();
            let program = if named.contains('/') {
                Some(PathBuf::from(named)).filter(|path| is_executable(path))
            } else {
                find_on_path(OsStr::new(named))
            };
            let program = program.ok_or_else(|| LinkError::NotACompiler(variable.clone()))?;
            return Ok(Self::Compiler { program, args: words.map(OsString::from).collect() });
        }
        let compiler = ["cc", "gcc", "clang"].iter().find_map(|name| find_on_path(OsStr::new(name)));
        match (compiler, &julia.facts.lld) {
            (Some(program), _) => Ok(Self::Compiler { program, args: Vec::new() }),
            (None, Some(lld)) => Ok(Self::Lld(lld.clone())),
            (None, None) => {
                Err(LinkError::NoLinker { looked_for_lld: julia.differences().has_package_images() })
            }
        }
    }

    /// Links `object`, an object file or an archive of them, into the image `image`.
    ///
    /// Julia's libraries are named by path: installations differ in whether they have the unversioned links that `-ljulia`
    /// needs, and the library's own soname is what the image will ask for.
    pub async fn link(
        &self,
        julia: &JuliaInstall,
        object: &Path,
        image: &Path,
        log: &Path,
    ) -> Result<Finished, LinkError> {
        // In a compiler's arguments the linker's own follow `-Wl,`.
        let (command, prefix) = match self {
            Self::Compiler { program, args } => (Command::new(program).args(args).arg("-shared"), "-Wl,"),
            Self::Lld(lld) => (Command::new(lld).args(lld_flavour()).arg("-shared"), ""),
        };
        let command = command.arg("-o").arg(image);
        // Nothing in the object is named by anything else, so all of it must be kept by request.
        let command = if cfg!(target_os = "macos") {
            command.arg(format!("{prefix}-all_load")).arg(object)
        } else {
            command
                .arg(format!("{prefix}--whole-archive"))
                .arg(object)
                .arg(format!("{prefix}--no-whole-archive"))
        };
        let command = command.args(julia.facts.libraries.iter().cloned());
        let finished = process::run(&command, Some(PATIENCE), log).await?;
        if !finished.ending.is_success() || !image.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            return Err(LinkError::Failed { finished, log: log.to_owned() });
        }
        Ok(finished)
    }
}

/// `lld` is one program for several platforms' linkers: `-flavor` says which (base/linking.jl in Julia).
fn lld_flavour() -> [&'static str; 2] {
    ["-flavor", if cfg!(target_os = "macos") { "darwin" } else { "gnu" }]
}
