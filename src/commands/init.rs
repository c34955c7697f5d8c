//! `jlsys init`: write what a repository needs.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::InitArgs;
use crate::environment::{EnvironmentError, project_in};
use crate::error::{Error, Exit};
use crate::{binder, config};

mod package;

const SETTINGS: &str = include_str!("../../templates/jlsys.toml");
const POST_BUILD: &str = include_str!("../../templates/postBuild");

/// What stands in the place of the argument to `pip install`.
const REQUIREMENT: &str = "@REQUIREMENT@";

/// The ending of what a file was before it was replaced.
const BEFORE: &str = "before-jlsys";

pub(super) fn execute(args: &InitArgs) -> Result<Exit, Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let start = args.project.as_deref().map_or(directory.clone(), |project| directory.join(project));
    let folder = if args.binder { binder::folder(&start) } else { start.clone() };
    if project_in(&folder).is_none() {
        return Err(EnvironmentError::NoProject { place: folder }.into());
    }
    let settings = NewFile { path: folder.join(config::FILE_NAME), text: SETTINGS.to_owned(), mode: 0o644 };
    let shown = |path: &Path| path.strip_prefix(&directory).unwrap_or(path).display().to_string();
    let mut to_commit = Vec::new();
    if let (Some(name), Some(project)) = (&args.package, project_in(&folder)) {
        to_commit.extend(package::make(&project, Some(name), shown)?.iter().map(|path| shown(path)));
    }
    // Settings are the user's. What is written here has none.
    match settings.write().map_err(Error::file(&settings.path))? {
        true => {
            super::print(&format!("wrote {}\n", shown(&settings.path)))?;
            to_commit.push(shown(&settings.path));
        }
        false => super::print(&format!("{} is there and stays\n", shown(&settings.path)))?,
    }
    if args.binder {
        let wheel = binder::wheel(&start);
        let requirement = args.pip.clone().or_else(|| wheel.clone()).unwrap_or_else(binder::wheel_to_come);
        let text = POST_BUILD.replace(REQUIREMENT, &super::quoted(&requirement));
        let script = NewFile { path: folder.join("postBuild"), text, mode: 0o755 };
        let backup = if args.force { script.set_aside().map_err(Error::file(&script.path))? } else { None };
        if script.write().map_err(Error::file(&script.path))? {
            super::print(&format!("wrote {}\n", shown(&script.path)))?;
            if let Some(backup) = backup {
                super::print(&format!("  what it was before is in {}\n", shown(&backup)))?;
            }
            to_commit.push(shown(&script.path));
            if args.pip.is_none() && wheel.is_none() {
                super::print(&format!(
                    "  it installs {requirement}, which is not there yet: jlsys is on no package index so far. Make it in a clone of jlsys:\n  \
                     pip wheel --no-deps --wheel-dir {} .\n",
                    super::quoted(&start.display().to_string())
                ))?;
            }
        } else {
            super::print(&format!(
                "{} is there and stays; `--force` replaces it, and keeps what it was\n  \
                 what it has to run, once jlsys is installed: jlsys postbuild\n",
                shown(&script.path)
            ))?;
        }
    }
    if !to_commit.is_empty() {
        super::print(&format!("to commit: {}\n", to_commit.join(" ")))?;
    }
    Ok(Exit::Ok)
}

struct NewFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl NewFile {
    /// Writes the file unless there is one, also not through a link that leads nowhere; says whether it did.
    fn write(&self) -> std::io::Result<bool> {
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).mode(self.mode).create_new(true).open(&self.path) {
            Ok(mut file) => file.write_all(self.text.as_bytes()).map(|()| true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes place for it: what is there gets another name, which is told. What is the same goes.
    fn set_aside(&self) -> std::io::Result<Option<PathBuf>> {
        match std::fs::read(&self.path) {
            Ok(text) if text == self.text.as_bytes() => {
                return std::fs::remove_file(&self.path).map(|()| None);
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !self.path.is_symlink() => return Ok(None),
            _ => {}
        }
        let mut backup = self.path.with_added_extension(BEFORE);
        let mut number = 2;
        while backup.symlink_metadata().is_ok() {
            backup = self.path.with_added_extension(format!("{}-{number}", BEFORE));
            number += 1;
        }
        std::fs::rename(&self.path, &backup)?;
        Ok(Some(backup))
    }
}
