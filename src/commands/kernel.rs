//! `jlsys kernel`: Jupyter kernelspecs that start through jlsys.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{KernelCommand, KernelInstallArgs};
use crate::error::{Error, Exit};
use crate::kernel::{self, Found, InstallOptions, JupyterFolders, KernelError, Kernels, State};
use crate::output::tell;
use crate::report::SCHEMA;

pub(super) fn execute(command: &KernelCommand) -> Result<Exit, Error> {
    let folders = JupyterFolders::of_this_process();
    match command {
        KernelCommand::Install(args) => install(&folders, args),
        KernelCommand::List { json } => list(&folders, *json),
        KernelCommand::Remove { kernels } => remove(&folders, kernels),
    }
}

fn install(folders: &JupyterFolders, args: &KernelInstallArgs) -> Result<Exit, Error> {
    let project = args.project.as_deref().map(project_folder).transpose()?;
    let options =
        InstallOptions { kernels: args.kernels.clone(), replace: args.replace, project, jlsys: None };
    let tell = |refused: &KernelError| tell(format_args!("jlsys: {refused}"));
    for kernel in kernel::install(folders, &options, &super::is_julia, tell)? {
        let how = match kernel.replaced {
            true => "in the place of the kernelspec that was there".to_owned(),
            false => format!("beside {}", kernel.wraps),
        };
        super::print(&format!(
            "{} \"{}\" starts through jlsys, {how} ({})\n",
            kernel.name,
            kernel.display_name,
            kernel.folder.display()
        ))?;
    }
    Ok(Exit::Ok)
}

/// Jupyter starts kernels in other folders, so a relative path would mean another.
fn project_folder(project: &Path) -> Result<PathBuf, Error> {
    let folder = project.canonicalize().map_err(KernelError::file(project))?;
    Ok(folder)
}

fn remove(folders: &JupyterFolders, kernels: &[String]) -> Result<Exit, Error> {
    for kernel in kernel::remove(folders, kernels)? {
        let what = if kernel.restored { "is as it was before" } else { "is removed" };
        super::print(&format!("{} {what} ({})\n", kernel.name, kernel.folder.display()))?;
    }
    Ok(Exit::Ok)
}

/// The document that `kernel list --json` prints.
#[derive(Serialize)]
struct Document {
    schema: u32,
    kernels: Vec<Kernel>,
    folders: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Kernel {
    name: String,
    display_name: String,
    folder: PathBuf,
    julia: String,
    through_jlsys: bool,
    replaced: bool,
    hidden: bool,
    wraps: Option<String>,
    jlsys: Option<PathBuf>,
    project: Option<PathBuf>,
    problem: Option<String>,
}

impl From<&Found> for Kernel {
    fn from(found: &Found) -> Self {
        let mark = found.state.mark();
        Self {
            name: found.name.clone(),
            display_name: found.spec.display_name.clone(),
            folder: found.folder.clone(),
            julia: mark.map_or_else(|| found.spec.argv[0].clone(), |mark| mark.julia.clone()),
            through_jlsys: mark.is_some(),
            replaced: matches!(found.state, State::Replaced { .. }),
            hidden: found.hidden,
            wraps: mark.map(|mark| mark.wraps.clone()),
            jlsys: mark.map(|mark| mark.jlsys.clone()),
            project: mark.and_then(|mark| mark.project.clone()),
            problem: mark.filter(|mark| !mark.jlsys_is_there()).map(|mark| {
                format!(
                    "jlsys is not at {} any more, so it starts plain Julia; `jlsys kernel install` again",
                    mark.jlsys.display()
                )
            }),
        }
    }
}

fn list(folders: &JupyterFolders, json: bool) -> Result<Exit, Error> {
    let kernels = Kernels::find(folders);
    for problem in &kernels.problems {
        tell(format_args!("jlsys: {problem}"));
    }
    let document = Document {
        schema: SCHEMA,
        kernels: kernels.found.iter().map(Kernel::from).collect(),
        folders: folders.kernels(),
    };
    if json {
        super::print_json(&document)?;
        return Ok(Exit::Ok);
    }
    super::print(&table(&document))?;
    for kernel in &document.kernels {
        if let Some(problem) = &kernel.problem {
            tell(format_args!("jlsys: {}: {problem}", kernel.name));
        }
    }
    Ok(Exit::Ok)
}

fn table(document: &Document) -> String {
    if document.kernels.is_empty() {
        return "no Julia kernelspecs\n".to_owned();
    }
    let how = |kernel: &Kernel| match (kernel.hidden, kernel.through_jlsys, kernel.replaced) {
        (true, _, _) => "hidden",
        (_, true, true) => "jlsys, in place",
        (_, true, false) => "jlsys",
        (_, false, _) => "julia",
    };
    let width = |text: &dyn Fn(&Kernel) -> usize| document.kernels.iter().map(text).max().unwrap_or(0);
    let names = width(&|kernel| kernel.name.chars().count());
    let hows = width(&|kernel| how(kernel).len());
    let titles = width(&|kernel| kernel.display_name.chars().count());
    document.kernels.iter().fold(String::new(), |mut text, kernel| {
        // Writing into a string does not fail.
        let _ = writeln!(
            text,
            "{:names$}  {:hows$}  {:titles$}  {}",
            kernel.name,
            how(kernel),
            kernel.display_name,
            kernel.folder.display()
        );
        text
    })
}
