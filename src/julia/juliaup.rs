//! Which Julia juliaup's launcher would start.
//!
//! The launcher reads `juliaup.json`; its fields are those of `JuliaupConfig` in juliaup's `src/config_file.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::discover_error::DiscoverError;
use crate::process::is_executable;

/// The channel to use.
pub enum Channel {
    /// `+NAME`.
    Named(String),
    /// What the launcher takes when nobody says: `JULIAUP_CHANNEL`, an override for the folder, the default.
    Default {
        /// The folder that overrides are looked up for.
        directory: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    default: Option<String>,
    #[serde(default)]
    installed_versions: BTreeMap<String, InstalledVersion>,
    #[serde(default)]
    installed_channels: BTreeMap<String, InstalledChannel>,
    #[serde(default)]
    overrides: Vec<Override>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InstalledVersion {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum InstalledChannel {
    System {
        #[serde(rename = "Version")]
        version: String,
    },
    Linked {
        #[serde(rename = "Command")]
        command: PathBuf,
        #[serde(rename = "Args", default)]
        args: Option<Vec<String>>,
    },
    Downloaded {
        #[serde(rename = "Path")]
        path: PathBuf,
    },
    Alias {
        #[serde(rename = "Target")]
        target: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Override {
    path: PathBuf,
    channel: String,
}

/// Whether a command is juliaup's launcher: `julia` is then a link to `julialauncher`.
pub fn is_launcher(command: &Path) -> bool {
    command.canonicalize().is_ok_and(|file| file.file_name().is_some_and(|name| name == "julialauncher"))
}

/// The executable that juliaup has for a channel.
pub fn executable(channel: &Channel) -> Result<PathBuf, DiscoverError> {
    let folder = folder();
    let name_for_errors = match channel {
        Channel::Named(name) => name.clone(),
        Channel::Default { .. } => "default".to_owned(),
    };
    let fail = |channel: &str, reason: String| DiscoverError::Channel { channel: channel.to_owned(), reason };

    let file = folder.join("juliaup.json");
    let text = std::fs::read(&file)
        .map_err(|error| fail(&name_for_errors, format!("cannot read {}: {error}", file.display())))?;
    let config: Config = serde_json::from_slice(&text)
        .map_err(|error| fail(&name_for_errors, format!("{} is not understood: {error}", file.display())))?;
    let mut name = match channel {
        Channel::Named(name) => name.clone(),
        Channel::Default { directory } => config
            .chosen_for(directory)
            .ok_or_else(|| fail(&name_for_errors, format!("{} names no default", file.display())))?,
    };
    // An alias of an alias is as far as any sensible setup goes; a loop must end all the same.
    for _ in 0..8 {
        let executable = match config.installed_channels.get(&name) {
            None => return Err(fail(&name, format!("run `juliaup add {name}`"))),
            Some(InstalledChannel::Alias { target }) => {
                name.clone_from(target);
                continue;
            }
            Some(InstalledChannel::Linked { args: Some(args), .. }) if !args.is_empty() => {
                return Err(fail(
                    &name,
                    "it passes arguments of its own, which jlsys cannot keep apart".to_owned(),
                ));
            }
            Some(InstalledChannel::Linked { command, .. }) => command.clone(),
            Some(InstalledChannel::Downloaded { path }) => folder.join(path).join("bin/julia"),
            Some(InstalledChannel::System { version }) => match config.installed_versions.get(version) {
                Some(installed) => folder.join(&installed.path).join("bin/julia"),
                None => return Err(fail(&name, format!("run `juliaup update {name}`"))),
            },
        };
        if !is_executable(&executable) {
            return Err(fail(&name, format!("{} is not an executable file", executable.display())));
        }
        return Ok(executable);
    }
    Err(fail(&name_for_errors, "its aliases form a loop".to_owned()))
}

impl Config {
    /// The launcher's own order: `get_julia_channel` in juliaup's `src/bin/julialauncher.rs`.
    fn chosen_for(&self, directory: &Path) -> Option<String> {
        if let Ok(channel) = std::env::var("JULIAUP_CHANNEL") {
            return Some(channel);
        }
        let overridden = self
            .overrides
            .iter()
            .filter(|entry| directory.starts_with(&entry.path))
            .max_by_key(|entry| entry.path.components().count());
        overridden.map(|entry| entry.channel.clone()).or_else(|| self.default.clone())
    }
}

fn folder() -> PathBuf {
    let depot = std::env::var_os("JULIAUP_DEPOT_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    let depot = depot.or_else(|| std::env::home_dir().map(|home| home.join(".julia")));
    depot.unwrap_or_default().join("juliaup")
}
