//! The folders that Jupyter keeps kernelspecs in.
//!
//! After `jupyter_path` and `jupyter_data_dir` in `jupyter_core/paths.py` (5.9). One thing can only be guessed without starting
//! Python: which `sys.prefix` Jupyter runs in. It is taken from repo2docker's `NB_PYTHON_PREFIX`, an active virtual or Conda
//! environment, and the `jupyter` or `python3` on `PATH`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where programs that are not a distribution's put things, then where the distribution does.
const SYSTEM: [&str; 2] = ["/usr/local/share/jupyter", "/usr/share/jupyter"];

/// Jupyter's data folders, in the order in which it searches them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JupyterFolders {
    data: Vec<PathBuf>,
    user: PathBuf,
}

impl JupyterFolders {
    /// The folders that a Jupyter started in this environment would search.
    pub fn of_this_process() -> Self {
        Self::find(|name| env::var_os(name), env::home_dir().as_deref())
    }

    /// The same for other variables and another home.
    pub fn find(variable: impl Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = home.unwrap_or(Path::new("/"));
        let user = user_folder(&set, home);
        let prefix = python_prefix(&set);
        let is_virtual = prefix.as_deref().is_some_and(|prefix| prefix.join("pyvenv.cfg").is_file());

        let mut users = vec![user.clone()];
        // Python leaves the user's own packages out of a virtual environment (`site.ENABLE_USER_SITE`).
        if !is_virtual {
            let base = set("PYTHONUSERBASE").map_or_else(|| home.join(".local"), PathBuf::from);
            users.push(base.join("share/jupyter"));
        }
        let environment = prefix.iter().map(|prefix| prefix.join("share/jupyter"));
        let environment =
            environment.filter(|folder| !SYSTEM.iter().any(|system| folder == Path::new(system)));
        let preferred = match variable("JUPYTER_PREFER_ENV_PATH") {
            Some(value) => is_yes(&value),
            None => prefix
                .as_deref()
                .is_some_and(|prefix| (is_virtual || is_conda(&set, prefix)) && is_mine(prefix)),
        };

        let mut data: Vec<PathBuf> =
            set("JUPYTER_PATH").iter().flat_map(env::split_paths).filter(|path| path.is_absolute()).collect();
        if preferred {
            data.extend(environment.chain(users));
        } else {
            data.extend(users.into_iter().chain(environment));
        }
        data.extend(system_folders(&set));
        let mut seen = std::collections::BTreeSet::new();
        data.retain(|folder| seen.insert(folder.clone()));
        Self { data, user }
    }

    /// The folders that kernelspecs are in, each a folder of its own.
    pub fn kernels(&self) -> Vec<PathBuf> {
        self.data.iter().map(|folder| folder.join("kernels")).collect()
    }

    /// Where the user's own kernelspecs are.
    pub fn user_kernels(&self) -> PathBuf {
        self.user.join("kernels")
    }
}

/// `jupyter_data_dir`.
fn user_folder(set: &impl Fn(&str) -> Option<OsString>, home: &Path) -> PathBuf {
    if let Some(folder) = set("JUPYTER_DATA_DIR") {
        return folder.into();
    }
    if cfg!(target_os = "macos") {
        let platform = set("JUPYTER_PLATFORM_DIRS").is_some_and(|value| is_yes(&value));
        return home.join(if platform { "Library/Application Support/Jupyter" } else { "Library/Jupyter" });
    }
    let data = set("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    data.join("jupyter")
}

/// `SYSTEM_JUPYTER_PATH`.
fn system_folders(set: &impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let platform = set("JUPYTER_PLATFORM_DIRS").is_some_and(|value| is_yes(&value));
    match set("XDG_DATA_DIRS") {
        Some(folders) if platform => env::split_paths(&folders)
            .filter(|path| path.is_absolute())
            .map(|path| path.join("jupyter"))
            .collect(),
        _ => SYSTEM.map(PathBuf::from).into(),
    }
}

/// Where the Python is installed that Jupyter most likely runs in.
fn python_prefix(set: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let named =
        ["NB_PYTHON_PREFIX", "VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().find_map(set).map(PathBuf::from);
    let on_path = || {
        let path = set("PATH")?;
        // A virtual environment's `python3` is a link to another's: what counts is the folder that the link is in.
        let folders = env::split_paths(&path).filter(|folder| folder.file_name() == Some(OsStr::new("bin")));
        let folders: Vec<PathBuf> = folders.collect();
        let has = |name: &str| folders.iter().find(|folder| folder.join(name).is_file());
        has("jupyter").or_else(|| has("python3"))?.parent().map(Path::to_owned)
    };
    named.or_else(on_path).filter(|prefix| prefix.is_absolute())
}

/// Whether this is the active Conda environment, and not the root one.
fn is_conda(set: &impl Fn(&str) -> Option<OsString>, prefix: &Path) -> bool {
    let name = set("CONDA_DEFAULT_ENV");
    set("CONDA_PREFIX").is_some_and(|conda| prefix.starts_with(conda))
        && name.is_some_and(|name| name != OsStr::new("base"))
}

fn is_mine(folder: &Path) -> bool {
    folder.metadata().is_ok_and(|metadata| metadata.uid() == nix::unistd::geteuid().as_raw())
}

/// `envset`: any value but one that says no.
fn is_yes(value: &OsStr) -> bool {
    let value = value.to_string_lossy().to_lowercase();
    !["no", "n", "false", "off", "0", "0.0"].contains(&value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernels(variables: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let folders = JupyterFolders::find(variable, Some(Path::new("/home/u")));
        folders.data.iter().map(|folder| folder.display().to_string()).collect()
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_users_then_the_systems() {
        assert_eq!(
            kernels(&[]),
            ["/home/u/.local/share/jupyter", "/usr/local/share/jupyter", "/usr/share/jupyter"]
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn variables_say_where() {
        assert_eq!(
            kernels(&[("JUPYTER_PATH", "/a:/b"), ("XDG_DATA_HOME", "/x"), ("NB_PYTHON_PREFIX", "/srv/nb")]),
            [
                "/a",
                "/b",
                "/x/jupyter",
                "/home/u/.local/share/jupyter",
                "/srv/nb/share/jupyter",
                "/usr/local/share/jupyter",
                "/usr/share/jupyter"
            ]
        );
        assert_eq!(kernels(&[("JUPYTER_DATA_DIR", "/d"), ("XDG_DATA_HOME", "/x")])[0], "/d");
    }

    #[test]
    fn an_environment_may_come_first() {
        let with = |prefer| {
            kernels(&[("VIRTUAL_ENV", "/v"), ("JUPYTER_DATA_DIR", "/d"), ("JUPYTER_PREFER_ENV_PATH", prefer)])
        };
        assert_eq!(with("1")[0], "/v/share/jupyter");
        assert_eq!(with("off")[0], "/d");
    }

    #[test]
    fn a_virtual_environment_of_ones_own_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pyvenv.cfg"), "").unwrap();
        let prefix = folder.path().to_str().unwrap();
        let found = kernels(&[("VIRTUAL_ENV", prefix)]);
        assert_eq!(found[0], format!("{prefix}/share/jupyter"));
        assert!(!found[2..].contains(&"/home/u/.local/share/jupyter".to_owned()), "{found:?}");
    }

    #[test]
    fn the_jupyter_on_path_tells_its_prefix() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(folder.path().join("bin/jupyter"), "").unwrap();
        let prefix = folder.path().to_str().unwrap();
        let found = kernels(&[("PATH", &format!("/nowhere:{prefix}/bin"))]);
        assert!(found.contains(&format!("{prefix}/share/jupyter")), "{found:?}");
    }
}
