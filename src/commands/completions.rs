//! `jlsys completions`: a script that a shell reads.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::{Error, Exit};

pub(super) fn execute(shell: clap_complete::Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "jlsys", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
