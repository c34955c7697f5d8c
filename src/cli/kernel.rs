//! The command line of `jlsys kernel`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::examples;

/// `jlsys kernel`.
#[derive(Debug, Subcommand)]
pub enum KernelCommand {
    /// Install kernelspecs that start through `jlsys run`
    Install(KernelInstallArgs),
    /// List Julia's kernelspecs
    #[command(after_help = examples::KERNEL_LIST)]
    List {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove kernelspecs that jlsys installed; what they replaced comes back
    #[command(after_help = examples::KERNEL_REMOVE)]
    Remove {
        /// Their names (by default all that jlsys installed)
        #[arg(value_name = "KERNEL")]
        kernels: Vec<String>,
    },
}

/// `jlsys kernel install`.
#[derive(Debug, Args)]
#[command(after_help = examples::KERNEL_INSTALL)]
pub struct KernelInstallArgs {
    /// The names of the kernelspecs to wrap (by default every Julia kernelspec)
    #[arg(value_name = "KERNEL")]
    pub kernels: Vec<String>,
    /// Take the place of the kernelspec, under its name, instead of standing beside it
    #[arg(long)]
    pub replace: bool,
    /// Always start this project, a folder (by default what the kernelspec, JULIA_PROJECT or the default environment says)
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<PathBuf>,
}
