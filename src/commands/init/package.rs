//! `jlsys init --package`: makes a package of a project, for what its scripts define.
//!
//! What a script defines is compiled in every session, since `Main` is another in each. What a package of the project's defines is kept.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::NewFile;
use crate::commands::print;
use crate::environment::{EnvironmentError, Project, is_identifier};
use crate::error::Error;
use crate::julia::{Driver, JuliaInstall};
use crate::prepare::{find_julia, locate_cache};
use crate::process;
use crate::uuid::Uuid;
use crate::words::count;

/// The version of a package that is new.
const VERSION: &str = "0.1.0";

/// Parsing scripts takes no longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most definitions of one script that are named.
const MOST_NAMED: usize = 12;

/// Gives the project of `project_file` what it lacks to be a package; says what that was, which files are new or changed, and what could be moved
/// into it.
pub(super) fn make(
    project_file: &Path,
    wanted: Option<&str>,
    shown: impl Fn(&Path) -> String,
) -> Result<Vec<PathBuf>, Error> {
    let project = Project::read(project_file)?;
    let folder = project_file.parent().unwrap_or(Path::new("."));
    let name = name_for(&project, project_file, wanted)?;
    let mut changed = Vec::new();
    let lacking = lacking(&project, &name).map_err(Error::file(project_file))?;
    if lacking.is_empty() {
        print(&format!("{} has a name, a UUID and a version, and stays\n", shown(project_file)))?;
    } else {
        prepend(project_file, &lacking.concat()).map_err(Error::file(project_file))?;
        print(&format!("wrote into {}:\n  {}", shown(project_file), lacking.join("  ")))?;
        changed.push(project_file.to_owned());
    }
    let entry =
        project.entry_file.clone().unwrap_or_else(|| Path::new("src").join(&name).with_extension("jl"));
    let module = folder.join(entry);
    let text = format!("module {name}\n\nend\n");
    if let Some(folder) = module.parent() {
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    }
    let file = NewFile { path: module.clone(), text, mode: 0o644 };
    match file.write().map_err(Error::file(&module))? {
        true => {
            print(&format!("wrote {}\n", shown(&module)))?;
            changed.push(module.clone());
        }
        false => print(&format!("{} is there and stays\n", shown(&module)))?,
    }
    say_what_to_move(folder, &name, &shown(&module))?;
    Ok(changed)
}

fn name_for(
    project: &Project,
    project_file: &Path,
    wanted: Option<&str>,
) -> Result<String, EnvironmentError> {
    let name = match (&project.name, wanted.filter(|name| !name.is_empty())) {
        (Some(there), Some(wanted)) if there != wanted => {
            return Err(EnvironmentError::OtherName {
                project: project_file.to_owned(),
                there: there.clone(),
            });
        }
        (Some(there), _) => there.clone(),
        (None, Some(wanted)) => wanted.to_owned(),
        (None, None) => camel_case(&folder_name(project_file)),
    };
    if !is_identifier(&name) {
        return Err(EnvironmentError::NoModuleName { name });
    }
    if project.deps.contains_key(&name) {
        return Err(EnvironmentError::NameTaken { project: project_file.to_owned(), name });
    }
    Ok(name)
}

fn folder_name(project_file: &Path) -> String {
    let file = project_file.canonicalize().unwrap_or_else(|_| project_file.to_owned());
    let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

/// `apple-trees 2` as packages are called: `AppleTrees2`.
fn camel_case(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let word = |word: &str| {
        let mut rest = word.chars();
        rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
    };
    words.map(word).collect()
}

/// The lines that the project file lacks.
fn lacking(project: &Project, name: &str) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    if project.name.is_none() {
        lines.push(format!("name = \"{name}\"\n"));
    }
    if project.uuid.is_none() {
        lines.push(format!("uuid = \"{}\"\n", Uuid::random()?));
    }
    if project.version.is_none() {
        lines.push(format!("version = \"{VERSION}\"\n"));
    }
    Ok(lines)
}

/// Writes lines before everything else in a file: behind the first table of a project file they would be that table's.
fn prepend(file: &Path, lines: &str) -> io::Result<()> {
    // Not a link to it, and whole at any time.
    let file = file.canonicalize()?;
    let text = std::fs::read_to_string(&file)?;
    let mut new = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
    write!(new, "{lines}{text}")?;
    new.as_file().set_permissions(file.metadata()?.permissions())?;
    new.persist(&file)?;
    Ok(())
}

/// Names what the scripts in the project's folder define. Nothing is moved: what belongs together only their author knows.
fn say_what_to_move(folder: &Path, name: &str, module: &str) -> Result<(), Error> {
    let scripts = scripts_in(folder);
    if scripts.is_empty() {
        return Ok(());
    }
    let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
    let found = locate_cache().and_then(|cache| find_julia(None, &directory, &cache));
    let Some(definitions) = found.ok().and_then(|julia| definitions(&julia, &scripts)) else {
        return Ok(print("what scripts define is not known: there is no Julia to read them\n")?);
    };
    if definitions.is_empty() {
        return Ok(());
    }
    let mut text =
        format!("to move into {module}, so that it is compiled once (nothing is moved by itself):\n");
    for script in &scripts {
        let own: Vec<_> = definitions.iter().filter(|definition| definition.file == *script).collect();
        if own.is_empty() {
            continue;
        }
        let named =
            own.iter().take(MOST_NAMED).map(|it| format!("{} {} (line {})", it.what, it.name, it.line));
        let mut named: Vec<String> = named.collect();
        if own.len() > MOST_NAMED {
            named.push(format!("{} more", count(own.len() - MOST_NAMED, "definition")));
        }
        let script = script.strip_prefix(folder).unwrap_or(script);
        text.push_str(&format!("  {}: {}\n", script.display(), named.join(", ")));
    }
    text.push_str(&format!(
        "then `using {name}` in the script, with the packages that they need in the module\n"
    ));
    Ok(print(&text)?)
}

/// The Julia files directly in a folder, by name.
fn scripts_in(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_script = |file: &PathBuf| file.extension().is_some_and(|it| it == "jl") && file.is_file();
    let mut scripts: Vec<PathBuf> = files.filter(is_script).collect();
    scripts.sort();
    scripts
}

/// Something that a script defines.
struct Definition {
    file: PathBuf,
    line: String,
    what: String,
    name: String,
}

/// What scripts define, as Julia's parser reads them; `None` when it does not come to that.
fn definitions(julia: &JuliaInstall, scripts: &[PathBuf]) -> Option<Vec<Definition>> {
    let work = tempfile::tempdir().ok()?;
    Driver::write_all(work.path()).ok()?;
    let log = work.path().join("definitions");
    let driver = Driver::DEFINITIONS.path_in(work.path());
    let command = julia.command(work.path()).arg(driver).args(scripts);
    let finished = process::block_on(process::run(&command, Some(PATIENCE), &log)).ok()?.ok()?;
    let text = std::fs::read_to_string(&log).ok().filter(|_| finished.ending.is_success())?;
    let definition = |line: &str| match line.split('\t').collect::<Vec<_>>()[..] {
        ["definition", file, line, what, name] => Some(Definition {
            file: file.into(),
            line: line.to_owned(),
            what: what.to_owned(),
            name: name.to_owned(),
        }),
        _ => None,
    };
    Some(text.lines().filter_map(definition).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_a_package() {
        for (folder, name) in
            [("apple-trees 2", "AppleTrees2"), ("model", "Model"), ("été_sec", "ÉtéSec"), ("--", "")]
        {
            assert_eq!(camel_case(folder), name);
        }
    }
}
