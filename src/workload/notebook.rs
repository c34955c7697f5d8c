//! The code in a notebook.
//!
//! The format is that of <https://nbformat.readthedocs.io/en/latest/format_description.html>, version 4 of any minor number, or 3,
//! which Jupyter takes too (`nbformat/v4/convert.py`). Outputs, which can be megabytes, are passed over while reading.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::notebook_json;
use crate::file::Sha256Digest;

/// Reading takes time at each start of Julia, since the code is part of the key. Larger ones hold data rather than code.
const SIZE_LIMIT: u64 = 64 << 20;

/// A notebook with Julia code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notebook {
    /// The file relative to the project's folder.
    pub name: PathBuf,
    /// The file.
    pub path: PathBuf,
    /// What its code cells say, without what is not run.
    pub cells: Vec<String>,
    /// How many of them have shell, help or package commands or magics, which are not run.
    pub with_commands: usize,
    /// What the cells say; outputs, text and metadata take no part.
    pub sha256: Sha256Digest,
}

/// A notebook that cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotebookError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is very large.
    #[error("it has more than {} MiB", SIZE_LIMIT >> 20)]
    TooLarge,
    /// It is not JSON, or not a notebook.
    #[error("it is not a notebook: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It has another format than 3 or 4.
    #[error(
        "its format is {0}, and 3 and 4 are read: `jupyter nbconvert --to notebook` makes a newer one of an older"
    )]
    Format(u64),
    /// It is for another language.
    #[error("its language is {0}")]
    Language(String),
}

impl NotebookError {
    /// Whether the notebook is fine, but not Julia's.
    pub fn is_other_language(&self) -> bool {
        matches!(self, Self::Language(_))
    }
}

#[derive(Deserialize)]
struct File {
    nbformat: u64,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    cells: Vec<Cell>,
    /// What format 3 has the cells in.
    #[serde(default)]
    worksheets: Vec<Worksheet>,
}

#[derive(Deserialize)]
struct Worksheet {
    #[serde(default)]
    cells: Vec<Cell>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    kernelspec: Option<KernelInfo>,
    language_info: Option<LanguageInfo>,
    /// Where IJulia put it in format 3.
    language: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KernelInfo {
    name: Option<String>,
    language: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LanguageInfo {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Cell {
    cell_type: String,
    /// In format 3 code is `input`.
    #[serde(default, alias = "input")]
    source: Source,
    /// In format 3 each cell has one.
    #[serde(default)]
    language: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Text(String),
    Lines(Vec<String>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Lines(Vec::new())
    }
}

impl Notebook {
    /// Reads the notebook `name` in the project's folder.
    pub fn read(folder: &Path, name: &Path) -> Result<Self, NotebookError> {
        let path = folder.join(name);
        if path.metadata()?.len() > SIZE_LIMIT {
            return Err(NotebookError::TooLarge);
        }
        Self::parse(name, path.clone(), &std::fs::read(&path)?)
    }

    fn parse(name: &Path, path: PathBuf, text: &[u8]) -> Result<Self, NotebookError> {
        let file: File = notebook_json::read(text)?;
        if !(3..=4).contains(&file.nbformat) {
            return Err(NotebookError::Format(file.nbformat));
        }
        let all = file.worksheets.into_iter().flat_map(|sheet| sheet.cells).chain(file.cells);
        let code: Vec<Cell> = all.filter(|cell| cell.cell_type == "code").collect();
        let of_cells = || code.first().and_then(|cell| cell.language.clone());
        // Jupyter asks which kernel to take where a notebook does not say; in a project of Julia's that is Julia's.
        if let Some(language) = file.metadata.language().or_else(of_cells)
            && !language.eq_ignore_ascii_case("julia")
        {
            return Err(NotebookError::Language(language));
        }
        let mut with_commands = 0;
        let mut cells = Vec::new();
        for cell in code {
            let source = match cell.source {
                Source::Text(text) => text,
                Source::Lines(lines) => lines.concat(),
            };
            let (code, has_commands) = without_commands(&source);
            with_commands += usize::from(has_commands);
            cells.push(code);
        }
        // Strings always have a JSON form, and no two lists of them the same.
        let sha256 = Sha256Digest::of(serde_json::to_vec(&cells).unwrap_or_default());
        Ok(Self { name: name.to_owned(), path, cells, with_commands, sha256 })
    }

    /// The cells as `julia/notebook.jl` reads them: behind a line that is in none of them.
    pub fn cells_file(&self) -> String {
        let mut separator = "# %%".to_owned();
        while self.cells.iter().any(|cell| cell.lines().any(|line| line == separator)) {
            separator.push('%');
        }
        self.cells.iter().map(|cell| format!("{separator}\n{cell}\n")).collect()
    }

    /// What is to be known about a run of it.
    pub(super) fn note(&self) -> Option<String> {
        let cells = match self.with_commands {
            0 => return None,
            1 => "1 cell".to_owned(),
            more => format!("{more} cells"),
        };
        Some(format!("shell, help and package commands in {cells} are not run"))
    }
}

impl Metadata {
    /// The language by what the last kernel said of itself, else by what was chosen.
    fn language(self) -> Option<String> {
        let kernel = self.kernelspec.unwrap_or_default();
        let by_name = kernel.name.map(|name| {
            if name.starts_with("julia") { "julia".to_owned() } else { format!("that of the kernel {name}") }
        });
        let info = self.language_info.and_then(|info| info.name);
        info.or(kernel.language).or(by_name).or(self.language)
    }
}

/// A cell without what Jupyter's Julia kernel takes for something else than Julia (`special_mode_strip`, `execute_request` and
/// `magics_regex` in IJulia): lines that begin with `;` (shell), `]` (Pkg) or `?` (help), and cells that begin with `%`. Only
/// what comes before all code counts; further down these are Julia. A workload must not install or remove anything.
fn without_commands(source: &str) -> (String, bool) {
    let mut code = Vec::new();
    let mut lines = source.lines();
    let mut has_commands = false;
    for line in lines.by_ref() {
        match line.trim_start().chars().next() {
            Some('%') => return ("# jlsys does not run magics.".to_owned(), true),
            Some(';' | ']' | '?') => {
                has_commands = true;
                code.push("# jlsys does not run this line.");
            }
            None | Some('#') => code.push(line),
            Some(_) => {
                code.push(line);
                break;
            }
        }
    }
    code.extend(lines);
    (code.join("\n"), has_commands)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(notebook: &Value) -> Result<Notebook, String> {
        parse(&notebook.to_string())
    }

    fn parse(text: &str) -> Result<Notebook, String> {
        Notebook::parse(Path::new("n.ipynb"), PathBuf::from("/p/n.ipynb"), text.as_bytes())
            .map_err(|error| error.to_string())
    }

    fn notebook(cells: &Value) -> Value {
        json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "julia"}}, "cells": cells})
    }

    fn code(source: &Value) -> Value {
        json!({"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": null})
    }

    #[test]
    fn only_code_counts() {
        let first = read(&notebook(
            &json!([code(&json!(["a = 1\n", "b = 2"])), {"cell_type": "markdown", "source": "x"}]),
        ));
        let first = first.unwrap();
        assert_eq!(first.cells, ["a = 1\nb = 2"]);
        let mut other = code(&json!("a = 1\nb = 2"));
        other["outputs"] = json!([{"output_type": "stream", "text": ["3"]}]);
        other["metadata"] = json!({"tags": ["x"]});
        other["execution_count"] = json!(7);
        let mut second = notebook(&json!([{"cell_type": "raw", "source": ["y"]}, other]));
        second["metadata"]["kernelspec"] = json!({"name": "julia-1.5", "language": "julia"});
        assert_eq!(read(&second).unwrap().sha256, first.sha256);
        let split = notebook(&json!([code(&json!("a = 1")), code(&json!("b = 2"))]));
        assert_ne!(read(&split).unwrap().sha256, first.sha256, "where a cell ends is part of it");
    }

    #[test]
    fn the_language_is_said_in_several_places() {
        let with = |metadata: Value| {
            read(&json!({"nbformat": 4, "metadata": metadata, "cells": [code(&json!("1"))]}))
                .map(|n| n.cells.len())
        };
        assert_eq!(with(json!({"kernelspec": {"name": "julia-1.5-jlsys"}})), Ok(1));
        assert_eq!(
            with(json!({"kernelspec": {"name": "x", "language": "Julia"}, "language_info": null})),
            Ok(1)
        );
        assert_eq!(
            with(json!({"kernelspec": {"name": "python3"}})),
            Err("its language is that of the kernel python3".into())
        );
        assert_eq!(with(json!({"language": "python"})), Err("its language is python".into()));
        for unsaid in [json!({}), json!({"kernelspec": {}}), json!({"kernelspec": null, "language_info": {}})]
        {
            assert_eq!(with(unsaid), Ok(1));
        }
    }

    #[test]
    fn what_jupyter_opens_is_read() {
        // The format of IPython 1, in which IJulia's first notebooks are.
        let old = json!({"nbformat": 3, "nbformat_minor": 0, "metadata": {"language": "Julia", "name": ""}, "worksheets": [
            {"metadata": {}, "cells": [
                {"cell_type": "heading", "level": 1, "source": ["x"]},
                {"cell_type": "code", "collapsed": false, "input": ["a = 1\n", "a"], "language": "python", "outputs": []},
            ]}, {"cells": [{"cell_type": "code", "input": "b = 2"}]}]});
        assert_eq!(read(&old).unwrap().cells, ["a = 1\na", "b = 2"]);
        let python = json!({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "1", "language": "python"}]}]});
        assert_eq!(read(&python).unwrap_err(), "its language is python");
        let numbers = "\u{feff}{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": \"1 + 1\", \
             \"outputs\": [{\"data\": {\"x\": [NaN, -Infinity], \"y\": \"\\ud83d\"}}]}]}";
        assert_eq!(parse(numbers).unwrap().cells, ["1 + 1"]);
        let half = "{\"nbformat\": 4, \"cells\": [{\"cell_type\": \"code\", \"source\": [\"\\ud83d = 1\"]}]}";
        assert_eq!(parse(half).unwrap().cells, ["\u{fffd} = 1"]);
    }

    #[test]
    fn what_is_not_a_notebook_is_said_in_one_line() {
        for text in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            "{\"nbformat\": \"4\"}",
            "{\"nbformat\": 4, \"cells\": [{}]}",
            "\u{feff}{}",
            "{\"nbformat\": NaN}",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("it is not a notebook: ") && !error.contains('\n'), "{error}");
        }
        assert!(parse("{\"nbformat\": 2, \"worksheets\": []}").unwrap_err().starts_with("its format is 2"));
        assert!(Notebook::parse(Path::new("n"), PathBuf::from("/n"), &[0xff, 0xfe]).is_err());
    }

    #[test]
    fn commands_are_left_out() {
        let strip = |source: &str| without_commands(source);
        for command in ["; ls", "  ;rm -rf x", "]add Example", "?sin", "# a comment\n\n] status"] {
            let (code, has_commands) = strip(command);
            assert!(
                has_commands && code.lines().all(|line| line.is_empty() || line.starts_with('#')),
                "{code}"
            );
        }
        assert_eq!(strip("%%bash\nls"), ("# jlsys does not run magics.".to_owned(), true));
        assert_eq!(strip("; ls\nx = 1").0, "# jlsys does not run this line.\nx = 1");
        for julia in ["x = [1\n]", "a ?\n  b : c", "f(a\n; b = 1)", "begin\n; end", "", "# only\n"] {
            assert_eq!(strip(julia), (julia.trim_end_matches('\n').to_owned(), false));
        }
    }

    #[test]
    fn the_separator_is_in_no_cell() {
        let cells = json!([code(&json!("# %%\n1")), code(&json!("# %%%\n2"))]);
        let file = read(&notebook(&cells)).unwrap().cells_file();
        assert_eq!(file, "# %%%%\n# %%\n1\n# %%%%\n# %%%\n2\n");
    }
}
