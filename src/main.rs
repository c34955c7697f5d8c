//! The `jlsys` command: arguments become a command, the command runs, its end becomes an exit status.

use std::process::ExitCode;

use clap::Parser;
use jlsys::cli::Cli;
use jlsys::error::Exit;
use jlsys::process::supervisor;

fn main() -> ExitCode {
    // Not a command of the user's, and started hundreds of times: before anything else is set up.
    if std::env::args_os().nth(1).is_some_and(|command| command == supervisor::COMMAND) {
        return supervisor::main().map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and versions are printed the same way, and are no errors. Status 2 has another meaning here than with clap.
        Err(usage) => {
            let _ = usage.print();
            return if usage.use_stderr() { Exit::Refused.into() } else { Exit::Ok.into() };
        }
    };
    match jlsys::commands::execute(&cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            jlsys::output::tell(format_args!("jlsys: {error}"));
            error.exit().into()
        }
    }
}
