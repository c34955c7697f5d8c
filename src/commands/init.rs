//! `jlsys init`: write what a repository needs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::InitArgs;
use crate::environment::{EnvironmentError, project_in};
use crate::error::{Error, Exit};
use crate::{binder, config};

const SETTINGS: &str = include_str!("../../templates/jlsys.toml");
const POST_BUILD: &str = include_str!("../../templates/postBuild");

/// What stands in the place of the argument to `pip install`.
const REQUIREMENT: &str = "@REQUIREMENT@";

pub(super) fn execute(args: &InitArgs) -> Result<Exit, Error> {
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let start = args.project.as_deref().map_or(directory.clone(), |project| directory.join(project));
    let folder = if args.binder { binder::folder(&start) } else { start };
    if project_in(&folder).is_none() {
        return Err(EnvironmentError::NoProject { place: folder }.into());
    }
    let mut files =
        vec![NewFile { path: folder.join(config::FILE_NAME), text: SETTINGS.to_owned(), mode: 0o644 }];
    if args.binder {
        let requirement = args.pip.clone().unwrap_or_else(|| format!("jlsys=={}", env!("CARGO_PKG_VERSION")));
        let text = POST_BUILD.replace(REQUIREMENT, &super::quoted(&requirement));
        files.push(NewFile { path: folder.join("postBuild"), text, mode: 0o755 });
    }
    let shown = |path: &Path| path.strip_prefix(&directory).unwrap_or(path).display().to_string();
    let mut written = Vec::new();
    for file in &files {
        if file.write(args.force).map_err(Error::file(&file.path))? {
            super::print(&format!("wrote {}\n", shown(&file.path)))?;
            written.push(shown(&file.path));
        } else {
            super::print(&format!("{} is there and stays; `--force` replaces it\n", shown(&file.path)))?;
            if file.path.ends_with("postBuild") {
                super::print("  what it has to run, once jlsys is installed: jlsys postbuild\n")?;
            }
        }
    }
    if !written.is_empty() {
        super::print(&format!("to commit: {}\n", written.join(" ")))?;
    }
    Ok(Exit::Ok)
}

struct NewFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl NewFile {
    /// Writes the file unless there is one; says whether it did.
    fn write(&self, force: bool) -> std::io::Result<bool> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).mode(self.mode);
        match force {
            true => options.create(true).truncate(true),
            // Also not through a link that leads nowhere.
            false => options.create_new(true),
        };
        match options.open(&self.path) {
            Ok(mut file) => file.write_all(self.text.as_bytes()).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }
}
