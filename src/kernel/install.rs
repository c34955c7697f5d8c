//! Making kernelspecs start through jlsys.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::list::KEPT;
use super::mark::wrap;
use super::spec::FILE_NAME;
use super::{Found, JupyterFolders, KernelError, KernelSpec, Kernels, State};

/// What is added to the name of a kernelspec that stands beside the one it wraps.
const SUFFIX: &str = "-jlsys";

/// How kernelspecs are to be installed.
#[derive(Debug, Clone, Default)]
pub struct InstallOptions {
    /// The names of those to wrap; every Julia kernelspec when empty.
    pub kernels: Vec<String>,
    /// Whether to take the place of the one that is wrapped, instead of standing beside it.
    pub replace: bool,
    /// The project that the kernel always starts; when absent, the one that plain Julia would start in its place.
    pub project: Option<PathBuf>,
    /// The jlsys to start through; when absent, the one that is running.
    pub jlsys: Option<PathBuf>,
}

/// A kernelspec that starts through jlsys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// Its name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The name that people see.
    pub display_name: String,
    /// The name of the one that it wraps.
    pub wraps: String,
    /// Whether it stands in that one's place.
    pub replaced: bool,
    /// The Julia that it starts, as the original names it: images for it are what `jlsys build --julia` makes.
    pub julia: String,
}

/// Asks the Julia that a command starts whether it is one; why not, otherwise.
pub type Ask<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// Installs kernelspecs, after `ask` was asked of each one's Julia.
///
/// Where none is named, those that cannot be wrapped (their Julia is gone, they start something else) are passed over, and
/// `tell` hears of each, as long as there is one that can.
///
/// # Errors
///
/// There is none to wrap, one that is named cannot be wrapped, or a file cannot be written. Those before it are installed
/// then.
pub fn install(
    folders: &JupyterFolders,
    options: &InstallOptions,
    ask: Ask<'_>,
    tell: impl Fn(&KernelError),
) -> Result<Vec<Wrapped>, KernelError> {
    let kernels = Kernels::find(folders);
    let jlsys = match &options.jlsys {
        Some(jlsys) => jlsys.clone(),
        None => own_path()?,
    };
    if kernels.originals().next().is_none() {
        return Err(KernelError::None { folders: folders.kernels() });
    }
    let named = !options.kernels.is_empty();
    let chosen: Vec<&Found> = if named {
        options
            .kernels
            .iter()
            .map(|name| kernels.named(name, kernels.originals()))
            .collect::<Result<_, _>>()?
    } else {
        kernels.originals().collect()
    };
    let mut wrapped = Vec::new();
    let mut refused = Vec::new();
    for kernel in chosen {
        match install_one(folders, kernel, options, &jlsys, ask) {
            Ok(kernel) => wrapped.push(kernel),
            Err(error @ (KernelError::NotJulia { .. } | KernelError::BadName { .. })) if !named => {
                refused.push(error)
            }
            Err(error) => return Err(error),
        }
    }
    if wrapped.is_empty() && !refused.is_empty() {
        return Err(refused.swap_remove(0));
    }
    refused.iter().for_each(tell);
    Ok(wrapped)
}

fn install_one(
    folders: &JupyterFolders,
    kernel: &Found,
    options: &InstallOptions,
    jlsys: &Path,
    ask: Ask<'_>,
) -> Result<Wrapped, KernelError> {
    let original = match &kernel.state {
        State::Plain | State::Ours(_) => &kernel.spec,
        State::Replaced { original, .. } => original,
    };
    if !is_valid_name(&kernel.name) {
        return Err(KernelError::BadName { folder: kernel.folder.clone() });
    }
    let mut base = original.clone();
    fill_in_folder(&mut base, &kernel.folder)?;
    check_julia(&base, &kernel.folder.join(FILE_NAME), ask)?;
    let mut spec = wrap(&base, &kernel.name, jlsys, options.project.as_deref())?;
    keep_cache(&mut spec)?;

    let folder = if options.replace {
        let is_replaced = matches!(kernel.state, State::Replaced { .. });
        replace(folders, kernel, &spec, is_replaced)?
    } else {
        spec.display_name = format!("{} (jlsys)", original.display_name);
        put_beside(folders, kernel, &spec)?
    };
    Ok(Wrapped {
        name: folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase(),
        folder,
        display_name: spec.display_name,
        wraps: kernel.name.clone(),
        replaced: options.replace,
        julia: base.argv[0].clone(),
    })
}

/// Takes the place of `kernel`: in its folder, or, where that belongs to somebody else, in one that Jupyter searches before.
fn replace(
    folders: &JupyterFolders,
    kernel: &Found,
    spec: &KernelSpec,
    is_replaced: bool,
) -> Result<PathBuf, KernelError> {
    let file = kernel.folder.join(FILE_NAME);
    if is_writable(&kernel.folder) {
        if !is_replaced {
            let kept = kernel.folder.join(KEPT);
            std::fs::copy(&file, &kept).map_err(KernelError::file(&kept))?;
        }
        spec.write(&file)?;
        return Ok(kernel.folder.clone());
    }
    let own = kernel.folder.parent().unwrap_or(Path::new("/"));
    let all = folders.kernels();
    let before = all.iter().take_while(|folder| *folder != own);
    let parent =
        first_writable(folders, before).ok_or_else(|| KernelError::NotWritable { folder: own.to_owned() })?;
    let folder = parent.join(&kernel.name);
    write_folder(&kernel.folder, &folder, spec)?;
    Ok(folder)
}

/// Beside `kernel`, or, where that belongs to somebody else, wherever Jupyter looks.
fn put_beside(folders: &JupyterFolders, kernel: &Found, spec: &KernelSpec) -> Result<PathBuf, KernelError> {
    let own = kernel.folder.parent().unwrap_or(Path::new("/")).to_owned();
    let parent =
        if is_writable(&own) { Some(own.clone()) } else { first_writable(folders, folders.kernels().iter()) };
    let parent = parent.ok_or(KernelError::NotWritable { folder: own })?;
    let folder = parent.join(format!("{}{SUFFIX}", kernel.name));
    let file = folder.join(FILE_NAME);
    if file.exists() && super::Mark::of(&KernelSpec::read(&file)?).is_none() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(KernelError::NotOurs { name, folder });
    }
    write_folder(&kernel.folder, &folder, spec)?;
    Ok(folder)
}

/// A folder like `like`, with its logos, but with this `kernel.json`. That file comes last: it makes the folder a kernelspec.
fn write_folder(like: &Path, folder: &Path, spec: &KernelSpec) -> Result<(), KernelError> {
    std::fs::create_dir_all(folder).map_err(KernelError::file(folder))?;
    let entries = std::fs::read_dir(like).map_err(KernelError::file(like))?;
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        let name = entry.file_name();
        if name != FILE_NAME && name != KEPT {
            let copy = folder.join(&name);
            std::fs::copy(entry.path(), &copy).map_err(KernelError::file(copy))?;
        }
    }
    spec.write(&folder.join(FILE_NAME))
}

/// The user's folder if it is among these, else the first that can be written to.
fn first_writable<'a>(folders: &JupyterFolders, among: impl Iterator<Item = &'a PathBuf>) -> Option<PathBuf> {
    let mut writable: Vec<&PathBuf> = among.filter(|folder| is_writable(folder)).collect();
    writable.sort_by_key(|folder| **folder != folders.user_kernels());
    writable.first().map(|folder| (*folder).clone())
}

/// Whether files can be made in a folder, or in the nearest one above it that is there.
fn is_writable(folder: &Path) -> bool {
    let there = folder.ancestors().find(|folder| folder.exists());
    there.is_some_and(|folder| {
        folder.is_dir() && access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
    })
}

/// Jupyter fills in the folder that a kernelspec is in: that stays the original's.
fn fill_in_folder(spec: &mut KernelSpec, folder: &Path) -> Result<(), KernelError> {
    let text = folder.to_str().ok_or_else(|| KernelError::NotUnicode(folder.to_owned()))?;
    for argument in &mut spec.argv {
        *argument = argument.replace("{resource_dir}", text);
    }
    Ok(())
}

/// A kernel that starts something else first (a container, another machine) is not one to put an image into.
fn check_julia(spec: &KernelSpec, file: &Path, ask: Ask<'_>) -> Result<(), KernelError> {
    let julia = match spec.argv.get(1) {
        Some(channel) if channel.starts_with('+') => channel,
        _ => &spec.argv[0],
    };
    ask(julia).map_err(|problem| KernelError::NotJulia { file: file.to_owned(), problem })
}

/// The cache that is in use now is the one to find images in, also when Jupyter is started elsewhere.
fn keep_cache(spec: &mut KernelSpec) -> Result<(), KernelError> {
    const VARIABLE: &str = "JLSYS_CACHE_DIR";
    if let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) {
        let folder = std::path::absolute(PathBuf::from(folder)).map_err(KernelError::file(VARIABLE))?;
        let text = folder.to_str().ok_or_else(|| KernelError::NotUnicode(folder.clone()))?;
        spec.env.entry(VARIABLE).or_insert_with(|| text.into());
    }
    Ok(())
}

/// `_kernel_name_pat` in `jupyter_client/kernelspec.py`.
fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// This program's path. As it stands on `PATH`, if it does, since a link there follows upgrades.
fn own_path() -> Result<PathBuf, KernelError> {
    let own = std::env::current_exe().map_err(KernelError::file("jlsys"))?;
    let on_path = crate::process::find_on_path(std::ffi::OsStr::new("jlsys"));
    let is_own = |path: &PathBuf| path.is_absolute() && path.canonicalize().ok() == own.canonicalize().ok();
    Ok(on_path.filter(is_own).unwrap_or(own))
}
