//! Asking a Julia what it is: one process, whose answer the cache keeps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Driver;
use super::install::{BaseModule, Facts, LINK_IMAGE, LINK_OBJECT};
use crate::file::Sha256Digest;
use crate::process::{self, Command, ProcessError};

/// How long a Julia may take to answer. A cold network filesystem is slow; past a minute nobody would use it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Julia that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// It could not be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It started and did not answer.
    #[error("'{julia}' does not answer as a Julia would: it {how}{said}", julia = .julia.display())]
    NoAnswer {
        /// What was started.
        julia: PathBuf,
        /// How it ended.
        how: String,
        /// The first line that it printed, as the end of a sentence; may be empty.
        said: String,
    },
    /// It answered something that is not understood.
    #[error("'{julia}' answers without {missing}, so jlsys cannot use it", julia = .julia.display())]
    Incomplete {
        /// What was started.
        julia: PathBuf,
        /// What is missing or wrong.
        missing: &'static str,
    },
    /// It is older than what jlsys can work with.
    #[error("'{julia}' is Julia {version}; jlsys works with Julia 1.5 and later", julia = .julia.display())]
    TooOld {
        /// What was started.
        julia: PathBuf,
        /// Its version.
        version: crate::version::Version,
    },
    /// A file that belongs to it cannot be read.
    #[error("cannot read '{file}' of '{julia}': {source}", file = .file.display(), julia = .julia.display())]
    Unreadable {
        /// What was started.
        julia: PathBuf,
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No temporary folder.
    #[error("cannot write a temporary file: {0}")]
    Temporary(std::io::Error),
}

/// Starts `julia` once and asks it what it is.
pub async fn probe(julia: &Path) -> Result<Facts, ProbeError> {
    let folder = tempfile::tempdir().map_err(ProbeError::Temporary)?;
    Driver::write_all(folder.path()).map_err(ProbeError::Temporary)?;
    let log = folder.path().join("answer");
    // JULIA_DEPOT_PATH would hide the bundled depots, JULIA_LOAD_PATH could hide the standard library.
    let command = Command::new(julia)
        .args(["--startup-file=no", "--history-file=no", "--color=no"])
        .arg(Driver::PROBE.path_in(folder.path()))
        .env_remove("JULIA_DEPOT_PATH")
        .env_remove("JULIA_LOAD_PATH")
        .env_remove("JULIA_PROJECT");
    let finished = process::run(&command, Some(PATIENCE), &log).await?;
    let answer = std::fs::read(&log).map_err(ProbeError::Temporary)?;
    let answer = String::from_utf8_lossy(&answer);
    if !finished.ending.is_success() {
        let first_line = answer.lines().map(str::trim).find(|line| !line.is_empty());
        let said = first_line.map(|line| format!(" and said \"{line:.200}\"")).unwrap_or_default();
        return Err(ProbeError::NoAnswer { julia: julia.to_owned(), how: finished.ending.to_string(), said });
    }
    understand(julia, &answer)
}

/// The command, if it names the files to link and a linker that is there: a distribution may have left it out.
fn link_command(words: Vec<&str>) -> Vec<String> {
    let is_complete = words.first().is_some_and(|linker| process::is_executable(Path::new(linker)))
        && [LINK_OBJECT, LINK_IMAGE].iter().all(|file| words.contains(file));
    if is_complete { words.into_iter().map(str::to_owned).collect() } else { Vec::new() }
}

fn understand(julia: &Path, answer: &str) -> Result<Facts, ProbeError> {
    let lines: Vec<(&str, &str)> = answer.lines().filter_map(|line| line.split_once('\t')).collect();
    let missing = |missing| ProbeError::Incomplete { julia: julia.to_owned(), missing };
    let all =
        |key: &str| lines.iter().filter(move |line| line.0 == key).map(|line| line.1).collect::<Vec<_>>();
    let one = |key: &'static str| all(key).first().copied().ok_or_else(|| missing(key));
    one("end").map_err(|_| missing("the end of the answer"))?;

    let version: crate::version::Version = one("version")?.parse().map_err(|_| missing("a version"))?;
    if !super::Differences::of(&version).is_supported() {
        return Err(ProbeError::TooOld { julia: julia.to_owned(), version });
    }
    let base_modules = all("base-module").into_iter().map(|module| {
        let (uuid, name) = module.split_once(' ')?;
        Some(BaseModule { uuid: uuid.parse().ok()?, name: name.to_owned() })
    });
    let base_image = PathBuf::from(one("base-image")?);
    let base_image_sha256 = Sha256Digest::of_file(&base_image).map_err(|source| ProbeError::Unreadable {
        julia: julia.to_owned(),
        file: base_image.clone(),
        source,
    })?;
    let libraries: Vec<PathBuf> = all("library").into_iter().map(PathBuf::from).collect();
    if libraries.is_empty() {
        return Err(missing("its library (libjulia)"));
    }
    Ok(Facts {
        version,
        commit: one("commit")?.to_owned(),
        executable: one("executable")?.into(),
        base_image,
        base_image_sha256,
        libraries,
        stdlib: one("stdlib")?.into(),
        link_command: link_command(all("link-command")),
        os: one("os")?.to_owned(),
        arch: one("arch")?.to_owned(),
        image_target: all("image-target").first().map(|&target| target.to_owned()),
        bundled_depots: all("bundled-depot").into_iter().map(PathBuf::from).collect(),
        base_modules: base_modules
            .collect::<Option<_>>()
            .ok_or_else(|| missing("a list of its own modules"))?,
    })
}
