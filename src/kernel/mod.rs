//! Jupyter kernelspecs: folders with a `kernel.json` that says how a kernel is started.
//!
//! jlsys wraps the Julia kernelspec that is there, mostly IJulia's, so that the kernel starts through `jlsys run`: with the
//! project's image while it is current, and as it always did otherwise. What Jupyter does is written in its
//! `jupyter_core/paths.py` and `jupyter_client/kernelspec.py`.

mod error;
mod folders;
mod install;
mod list;
mod mark;
mod remove;
mod spec;

pub use error::KernelError;
pub use folders::JupyterFolders;
pub use install::{InstallOptions, Wrapped, install};
pub use list::{Found, Kernels, State};
pub use mark::Mark;
pub use remove::{Removed, remove};
pub use spec::KernelSpec;
