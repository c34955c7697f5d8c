//! What jlsys writes into a kernelspec: how to start through jlsys, and a mark to know its own by.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{KernelError, KernelSpec};

/// The field of `metadata` that is ours.
const FIELD: &str = "jlsys";

/// The version of [`Mark`].
const FORMAT: u32 = 1;

/// Starts Julia through jlsys, and directly when jlsys is gone: `$0` is jlsys, then come Julia and its arguments. A kernelspec that
/// starts a program that was uninstalled would otherwise be a kernel that never starts.
const START: &str = r#"[ -x "$0" ] || exec "$@"; julia=$1; shift; exec "$0" run --default-project @v#.# --julia "$julia" -- "$@""#;

/// The mark of a kernelspec that jlsys wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    format: u32,
    /// The jlsys that it starts.
    pub jlsys: PathBuf,
    /// The name of the kernelspec that it was made from.
    pub wraps: String,
    /// What that one started, without its arguments.
    pub julia: String,
    /// The project that it always starts, if it has one of its own.
    pub project: Option<PathBuf>,
}

impl Mark {
    /// The mark of a kernelspec, if jlsys wrote it.
    pub fn of(spec: &KernelSpec) -> Option<Self> {
        let mark: Self = serde_json::from_value(spec.metadata.get(FIELD)?.clone()).ok()?;
        (mark.format == FORMAT).then_some(mark)
    }

    /// Whether jlsys is still where the kernelspec expects it.
    pub fn jlsys_is_there(&self) -> bool {
        crate::process::is_executable(&self.jlsys)
    }
}

/// `spec`, started through `jlsys`; for `project`, if one is named.
pub(super) fn wrap(
    spec: &KernelSpec,
    name: &str,
    jlsys: &Path,
    project: Option<&Path>,
) -> Result<KernelSpec, KernelError> {
    let mut wrapped = spec.clone();
    let (julia, arguments) =
        spec.argv.split_first().map_or((String::new(), &[][..]), |(j, a)| (j.clone(), a));
    let arguments = match project {
        None => arguments.to_vec(),
        Some(project) => with_project(arguments, unicode(project)?),
    };
    wrapped.argv = ["/bin/sh", "-c", START, unicode(jlsys)?, &julia].map(str::to_owned).into();
    wrapped.argv.extend(arguments);
    let mark = Mark {
        format: FORMAT,
        jlsys: jlsys.to_owned(),
        wraps: name.to_owned(),
        julia,
        project: project.map(Path::to_owned),
    };
    // Paths were seen to be Unicode, so this is always a JSON value.
    wrapped.metadata.insert(FIELD.to_owned(), serde_json::to_value(mark).unwrap_or(Value::Null));
    Ok(wrapped)
}

/// Julia's arguments with this project instead of the one that they name. Only options are looked at: what stands behind
/// `-e` or the script's name is not Julia's.
fn with_project(arguments: &[String], project: &str) -> Vec<String> {
    let own =
        arguments.iter().take_while(|argument| argument.starts_with(['-', '+']) && *argument != "-e").count();
    let (options, rest) = arguments.split_at(own);
    let is_project = |argument: &&String| *argument == "--project" || argument.starts_with("--project=");
    let mut all: Vec<String> = options.iter().filter(|argument| !is_project(argument)).cloned().collect();
    all.push(format!("--project={project}"));
    all.extend_from_slice(rest);
    all
}

fn unicode(path: &Path) -> Result<&str, KernelError> {
    path.to_str().ok_or_else(|| KernelError::NotUnicode(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_replaces_the_one_that_was_named() {
        let of = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            with_project(&arguments, "/p").join(" ")
        };
        assert_eq!(of(&["-i", "--project=@.", "-e", "run()", "{c}"]), "-i --project=/p -e run() {c}");
        assert_eq!(
            of(&["+1.10", "-i", "kernel.jl", "--project=x"]),
            "+1.10 -i --project=/p kernel.jl --project=x"
        );
    }
}
