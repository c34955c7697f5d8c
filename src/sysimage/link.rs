//! Linking an object into an image that Julia can load.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::julia::{JuliaInstall, LINK_IMAGE, LINK_OBJECT};
use crate::problem::Problem;
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
    /// What Julia 1.9 and later links package images with: [`Facts::link_command`](crate::julia::Facts::link_command).
    Julia(Vec<String>),
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
    #[error("the linker {}", .finished.ending)]
    Failed {
        /// How it went.
        finished: Finished,
        /// Its output.
        log: PathBuf,
    },
}

impl LinkError {
    /// What is told of it.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.to_string());
        match self {
            Self::Failed { log, .. } => problem.with_log(log),
            _ => problem,
        }
    }
}

impl Linker {
    /// Finds something to link with: `JULIA_CC` as PackageCompiler takes it, Julia's own linker, a C compiler on `PATH`.
    ///
    /// Julia's own comes first where there is one: package images are linked with it on every machine, while a compiler may
    /// be too old, wrapped, or for another platform.
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
        if !julia.facts.link_command.is_empty() {
            return Ok(Self::Julia(julia.facts.link_command.clone()));
        }
        match ["cc", "gcc", "clang"].iter().find_map(|name| find_on_path(OsStr::new(name))) {
            Some(program) => Ok(Self::Compiler { program, args: Vec::new() }),
            None => Err(LinkError::NoLinker { looked_for_lld: julia.differences().has_package_images() }),
        }
    }

    /// Links `object`, an object file or an archive of them, into the image `image`.
    pub async fn link(
        &self,
        julia: &JuliaInstall,
        object: &Path,
        image: &Path,
        log: &Path,
    ) -> Result<Finished, LinkError> {
        let command = match self {
            Self::Compiler { program, args } => {
                compiler_command(program, args, object, image).args(julia.facts.libraries.iter().cloned())
            }
            Self::Julia(words) => julia_command(words, object, image, &julia.facts.libraries),
        };
        let finished = process::run(&command, Some(PATIENCE), log).await?;
        if !finished.ending.is_success() || !image.metadata().is_ok_and(|metadata| metadata.len() > 0) {
            return Err(LinkError::Failed { finished, log: log.to_owned() });
        }
        Ok(finished)
    }
}

/// Julia's libraries, which come next, are named by path: installations differ in whether they have the unversioned links
/// that `-ljulia` needs, and the library's own soname is what the image will ask for.
fn compiler_command(program: &Path, args: &[OsString], object: &Path, image: &Path) -> Command {
    let command = Command::new(program).args(args.iter().cloned()).arg("-shared").arg("-o").arg(image);
    // Nothing in the object is named by anything else, so all of it must be kept by request.
    if cfg!(target_os = "macos") {
        command.arg("-Wl,-all_load").arg(object)
    } else {
        command.arg("-Wl,--whole-archive").arg(object).arg("-Wl,--no-whole-archive")
    }
}

/// The linker may itself need the libraries that lie beside Julia's, LLVM's above all (`LIBPATH` in base/linking.jl).
fn julia_command(words: &[String], object: &Path, image: &Path, libraries: &[PathBuf]) -> Command {
    let mut words = words.iter().map(|word| match word.as_str() {
        LINK_OBJECT => object.as_os_str().to_owned(),
        LINK_IMAGE => image.as_os_str().to_owned(),
        word => OsString::from(word),
    });
    let command = Command::new(words.next().unwrap_or_default()).args(words);
    let variable = if cfg!(target_os = "macos") { "DYLD_FALLBACK_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };
    let theirs = std::env::var_os(variable).unwrap_or_default();
    let folders = libraries.iter().filter_map(|library| library.parent()).map(Path::to_owned);
    let folders = folders.chain(std::env::split_paths(&theirs).filter(|path| !path.as_os_str().is_empty()));
    match std::env::join_paths(folders) {
        Ok(path) => command.env(variable, path),
        // A folder with a colon in its name cannot be in such a list.
        Err(_) => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn julias_own_command_gets_the_files_and_the_libraries_folders() {
        let words = ["/j/lld", "-flavor", "gnu", "-o", LINK_IMAGE, "--whole-archive", LINK_OBJECT, "-ljulia"];
        let words: Vec<String> = words.map(str::to_owned).into();
        let libraries =
            ["/j/lib/libjulia.so.1.10", "/j/lib/julia/libjulia-internal.so.1.10"].map(PathBuf::from);
        let command = julia_command(&words, Path::new("/tmp/a b.o"), Path::new("/tmp/sys.so"), &libraries);
        assert_eq!(command.program, Path::new("/j/lld"));
        let args = ["-flavor", "gnu", "-o", "/tmp/sys.so", "--whole-archive", "/tmp/a b.o", "-ljulia"];
        assert_eq!(command.args, args);
        let value = command.env[0].1.clone().unwrap().into_string().unwrap();
        assert!(value.starts_with("/j/lib:/j/lib/julia"), "{value}");
    }
}
