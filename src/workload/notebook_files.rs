//! Which notebooks a project has.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use walkdir::{DirEntry, WalkDir};

use super::select_error::SelectError;

/// How many files and folders are looked at. A home folder that is a project has more; then notebooks must be named.
const ENTRY_LIMIT: usize = 10_000;

/// The notebooks that were found.
#[derive(Debug, Default)]
pub(super) struct NotebookFiles {
    /// The notebooks, in the order of their names.
    pub found: Vec<NotebookFile>,
    /// Why there may be others.
    pub warning: Option<String>,
}

/// A notebook that was found.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NotebookFile {
    /// The file relative to the project's folder.
    pub name: PathBuf,
    /// Whether the settings name this very file.
    pub named: bool,
}

/// Finds the project's notebooks: what the settings say, or every `.ipynb` in the project's folder and those below it, but for
/// hidden folders (Jupyter's `.ipynb_checkpoints` among them), links, and folders with a project of their own.
pub(super) fn find(folder: &Path, settings: Option<&[String]>) -> Result<NotebookFiles, SelectError> {
    let Some(settings) = settings else {
        let (all, complete) = walk(folder, true);
        let found = all.into_iter().map(|name| NotebookFile { name, named: false });
        let warning = (!complete).then(|| {
            format!(
                "no notebooks are run: {} has more than {ENTRY_LIMIT} files; name notebooks in `workloads.notebooks`",
                folder.display()
            )
        });
        return Ok(NotebookFiles { found: if complete { found.collect() } else { Vec::new() }, warning });
    };
    chosen(folder, settings)
}

fn chosen(folder: &Path, settings: &[String]) -> Result<NotebookFiles, SelectError> {
    let mut found: BTreeSet<NotebookFile> = BTreeSet::new();
    let mut left_out: Vec<Pattern> = Vec::new();
    let mut globs: Vec<(&String, Pattern)> = Vec::new();
    for pattern in settings {
        check(pattern)?;
        match pattern.strip_prefix('!') {
            Some(without) => left_out.push(glob(pattern, without)?),
            None if pattern.contains(['*', '?', '[']) => globs.push((pattern, glob(pattern, pattern)?)),
            None if folder.join(pattern).is_file() => {
                found.insert(NotebookFile { name: pattern.into(), named: true });
            }
            None => {
                let problem = format!("which is not a file in {}", folder.display());
                return Err(SelectError::Notebooks { pattern: pattern.clone(), problem });
            }
        }
    }
    let only_exclusions = !settings.is_empty() && left_out.len() == settings.len();
    if !globs.is_empty() || only_exclusions {
        let (all, complete) = walk(folder, only_exclusions);
        if !complete {
            let problem = format!(
                "but {} has more than {ENTRY_LIMIT} files: name notebooks without globs",
                folder.display()
            );
            return Err(SelectError::Notebooks { pattern: settings[0].clone(), problem });
        }
        for (pattern, glob) in &globs {
            if !all.iter().any(|name| matches(glob, name)) {
                let problem = format!("which no notebook in {} matches", folder.display());
                return Err(SelectError::Notebooks { pattern: (*pattern).clone(), problem });
            }
        }
        let is_chosen = |name: &PathBuf| only_exclusions || globs.iter().any(|(_, glob)| matches(glob, name));
        found.extend(all.into_iter().filter(is_chosen).map(|name| NotebookFile { name, named: false }));
    }
    let mut found: Vec<NotebookFile> =
        found.into_iter().filter(|file| !left_out.iter().any(|glob| matches(glob, &file.name))).collect();
    // One that is named and matched as well is there twice, and the name counts.
    found.sort_by(|a, b| (&a.name, !a.named).cmp(&(&b.name, !b.named)));
    found.dedup_by(|b, a| a.name == b.name);
    Ok(NotebookFiles { found, warning: None })
}

/// Notebooks of the project are in its folder.
fn check(pattern: &str) -> Result<(), SelectError> {
    let path = Path::new(pattern.strip_prefix('!').unwrap_or(pattern));
    let inside = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if inside && !pattern.is_empty() {
        return Ok(());
    }
    let problem = "which is not a path within the project's folder".to_owned();
    Err(SelectError::Notebooks { pattern: pattern.to_owned(), problem })
}

fn glob(pattern: &str, text: &str) -> Result<Pattern, SelectError> {
    Pattern::new(text).map_err(|error| SelectError::Notebooks {
        pattern: pattern.to_owned(),
        problem: format!("which is not a glob: {}", error.msg),
    })
}

/// Whether a glob names this file; only `**` goes into folders.
fn matches(glob: &Pattern, name: &Path) -> bool {
    glob.matches_path_with(name, MatchOptions { require_literal_separator: true, ..MatchOptions::new() })
}

/// All notebooks in a folder and below, in the order of their names, and whether that is all.
fn walk(folder: &Path, only_this_project: bool) -> (Vec<PathBuf>, bool) {
    let is_passed_over = move |entry: &DirEntry| {
        entry.file_name().as_encoded_bytes().starts_with(b".")
            || entry.file_type().is_dir() && only_this_project && is_project(entry.path())
    };
    let takes_part = move |entry: &DirEntry| entry.depth() == 0 || !is_passed_over(entry);
    let mut found = Vec::new();
    // Sorting each folder would read all of it before the first entry: 200,000 files cost a second.
    let walk = WalkDir::new(folder).into_iter().filter_entry(takes_part);
    for (count, entry) in walk.flatten().enumerate() {
        if count > ENTRY_LIMIT {
            return (found, false);
        }
        let is_notebook =
            entry.file_type().is_file() && entry.path().extension().is_some_and(|e| e == "ipynb");
        if is_notebook && let Ok(name) = entry.path().strip_prefix(folder) {
            found.push(name.to_owned());
        }
    }
    found.sort();
    (found, true)
}

/// Whether a notebook in this folder is another project's.
fn is_project(folder: &Path) -> bool {
    ["Project.toml", "JuliaProject.toml"].iter().any(|name| folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "a.ipynb",
            "b.ipynb",
            "text.txt",
            ".ipynb_checkpoints/a-checkpoint.ipynb",
            "deep/er/c.ipynb",
            "deep/.ipynb_checkpoints/c.ipynb",
            "other/Project.toml",
            "other/d.ipynb",
        ] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(settings: Option<&[&str]>) -> Result<Vec<String>, String> {
        let folder = folder();
        let settings: Option<Vec<String>> =
            settings.map(|list| list.iter().map(|s| (*s).to_owned()).collect());
        let files = find(folder.path(), settings.as_deref()).map_err(|error| error.to_string())?;
        Ok(files.found.into_iter().map(|file| file.name.display().to_string()).collect())
    }

    #[test]
    fn all_of_the_projects() {
        assert_eq!(names(None).unwrap(), ["a.ipynb", "b.ipynb", "deep/er/c.ipynb"]);
    }

    #[test]
    fn those_that_settings_choose() {
        assert_eq!(names(Some(&[])).unwrap(), Vec::<String>::new());
        assert_eq!(names(Some(&["b.ipynb"])).unwrap(), ["b.ipynb"]);
        assert_eq!(names(Some(&["*.ipynb", "b.ipynb"])).unwrap(), ["a.ipynb", "b.ipynb"]);
        assert_eq!(
            names(Some(&["**/*.ipynb", "!deep/**"])).unwrap(),
            ["a.ipynb", "b.ipynb", "other/d.ipynb"]
        );
        assert_eq!(names(Some(&["!a.ipynb"])).unwrap(), ["b.ipynb", "deep/er/c.ipynb"]);
        assert_eq!(names(Some(&["other/d.ipynb"])).unwrap(), ["other/d.ipynb"]);
    }

    #[test]
    fn what_settings_get_wrong() {
        for (pattern, words) in [
            ("c.ipynb", "not a file in"),
            ("x*.ipynb", "no notebook in"),
            ("../a.ipynb", "not a path within"),
            ("/etc/*.ipynb", "not a path within"),
            ("!../x", "not a path within"),
            ("", "not a path within"),
            ("a[", "not a glob"),
        ] {
            let error = names(Some(&[pattern])).unwrap_err();
            assert!(error.contains(words) && error.contains(pattern), "{error}");
        }
    }

    #[test]
    fn a_home_folder_is_not_searched_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        for i in 0..=ENTRY_LIMIT {
            std::fs::File::create(folder.path().join(format!("{i}.ipynb"))).unwrap();
        }
        let files = find(folder.path(), None).unwrap();
        assert!(files.found.is_empty() && files.warning.unwrap().contains("name notebooks"));
        let named = find(folder.path(), Some(&["7.ipynb".to_owned()])).unwrap();
        assert_eq!(named.found.len(), 1);
    }
}
