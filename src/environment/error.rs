//! Everything that can be wrong with an environment, in the words a user sees.

use std::fmt;
use std::path::PathBuf;

/// Why an environment cannot be used.
///
/// Every message is one line that names the file, the package and the field it is about, and says what to do.
/// Text that comes out of files is shown with control characters escaped, so that no file can break the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// A name that no module can have.
    #[error(
        "'{name}' cannot be the name of a package (letters, digits and `_`, and no digit first): `--package NAME`"
    )]
    NoModuleName {
        /// The name.
        name: String,
    },
    /// The project has another name.
    #[error("{} names the project {there} already: `--package` alone goes on with that", .project.display())]
    OtherName {
        /// The project file.
        project: PathBuf,
        /// Its name.
        there: String,
    },
    /// The name that the project would have is that of a dependency.
    #[error("{} has a dependency of the name {name}, so the project needs another: `--package NAME`", .project.display())]
    NameTaken {
        /// The project file.
        project: PathBuf,
        /// The name.
        name: String,
    },
    /// The operating system did not let us read a file that is there.
    #[error("{}: cannot be read: {reason}", Path(file))]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The operating system's words.
        reason: String,
    },

    /// A file is not TOML.
    #[error("{}:{line}:{column}: {}: correct the file", Path(file), Text(problem))]
    Toml {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What the parser says.
        problem: String,
    },

    /// A value of a project, manifest or preferences file is not what Pkg or Julia accepts.
    #[error("{}: {}field `{}` {}: {}", Path(file), Owner(package.as_deref()), Text(field), Text(problem), remedy(file, package.is_some()))]
    Field {
        /// The file.
        file: PathBuf,
        /// The package whose entry the field is in; none for a field of the file itself.
        package: Option<String>,
        /// The field's key, with dots between the parts of a nested one.
        field: String,
        /// What is wrong with it, to be read after "field `x`".
        problem: String,
    },

    /// A manifest is of a major format that came after this program.
    #[error(
        "{}: field `manifest_format` is {}, and jlsys reads formats 1.0 to 2.x: use a newer jlsys, or resolve the project with a Julia that writes format 2",
        Path(file),
        Text(format)
    )]
    UnknownFormat {
        /// The manifest.
        file: PathBuf,
        /// What the file calls its format.
        format: String,
    },

    /// There is no project where one was asked for.
    #[error("{}: there is no Project.toml here: name a Julia project's folder with --project", Path(place))]
    NoProject {
        /// The folder or file that was asked for.
        place: PathBuf,
    },

    /// Nobody named a project, and there is none around the working folder.
    #[error(
        "{}: there is no Project.toml here or above: go to a project's folder, or name one with --project (`--project=@v{series}` is the default environment)",
        Path(place)
    )]
    NoProjectAround {
        /// The working folder.
        place: PathBuf,
        /// The first two numbers of Julia's version.
        series: String,
    },

    /// A file was given as the project that Julia would not read as one.
    #[error(
        "{}: Julia reads a project only from a file named Project.toml or JuliaProject.toml: give such a file, or its folder",
        Path(file)
    )]
    NotAProjectFile {
        /// The file.
        file: PathBuf,
    },

    /// An `@name` that stands for something only a running Julia knows.
    #[error(
        "`{}` is not an environment that jlsys can find: name a project's folder with --project",
        Text(name)
    )]
    UnknownEnvironment {
        /// The name as it was given.
        name: String,
    },

    /// The project was never resolved.
    #[error(
        "{}: the project has no manifest: run `{}`",
        Path(project_file),
        pkg(project_file, "instantiate")
    )]
    NoManifest {
        /// The project's file.
        project_file: PathBuf,
    },

    /// The project names dependencies that its manifest does not have.
    #[error(
        "{}: field `deps` names {}, which {} does not have: run `{}`",
        Path(project_file),
        Text(&names.join(", ")),
        Path(manifest_file),
        pkg(project_file, "resolve(); Pkg.instantiate")
    )]
    NotInManifest {
        /// The project's file.
        project_file: PathBuf,
        /// Its manifest.
        manifest_file: PathBuf,
        /// The dependencies' names.
        names: Vec<String>,
    },

    /// Packages of the manifest are not installed.
    #[error(
        "{}: not installed in any depot: {}: run `{}`",
        Path(project_file),
        Text(&packages.join(", ")),
        pkg(project_file, "instantiate")
    )]
    NotInstalled {
        /// The project's file.
        project_file: PathBuf,
        /// Each package's name and version.
        packages: Vec<String>,
    },
}

/// The command that makes Pkg do something to a project.
fn pkg(project_file: &std::path::Path, call: &str) -> String {
    let folder = project_file.parent().unwrap_or(project_file);
    let folder = Path(folder).to_string();
    // Quoted for a shell only where needed: most paths read better without.
    let plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    let folder =
        if folder.chars().all(plain) { folder } else { format!("'{}'", folder.replace('\'', r"'\''")) };
    format!("julia --project={folder} -e 'using Pkg; Pkg.{call}()'")
}

/// What to do about a bad field: a manifest is written by Pkg, all else by people. Only manifests have packages'
/// entries.
fn remedy(file: &std::path::Path, in_entry: bool) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if in_entry || name.contains("Manifest") {
        let make = pkg(file, "instantiate");
        format!("restore the manifest, or delete it and run `{make}`")
    } else {
        "correct the file".to_owned()
    }
}

/// A path on one line.
struct Path<'a>(&'a std::path::Path);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text(&self.0.to_string_lossy()).fmt(f)
    }
}

/// Text out of a file, on one line.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            // The two separators are line breaks too, though not control characters.
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// `package X: `, or nothing.
struct Owner<'a>(Option<&'a str>);

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, "package {}: ", Text(name)))
    }
}
