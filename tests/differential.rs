//! Random command lines, plain and through `jlsys run`: what `scripts/differential` compares is the same.
//!
//! The image here is a copy of the stock one, so that this is over soon: how Julia is started is what is compared. The script by
//! itself builds a real one, with packages of which there are other versions around.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use support::shim::Shim;
use support::{Project, Ran};

#[test]
fn run_and_plain_julia_show_a_program_the_same() {
    let shim = Shim::new("");
    shim.build(&[], 0);
    let project = &shim.project;
    let other = Project::new().stdlib("Random").write();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/differential");
    let mut command = project.command_for(script, &["--lines", "30", "--packages", "Random,Sockets"]);
    command.arg("--jlsys").arg(env!("CARGO_BIN_EXE_jlsys")).arg("--julia").arg(project.outside("julia"));
    command.arg("--project").arg(project.path("")).arg("--other").arg(other.path(""));
    command.arg("--work").arg(project.outside("differential"));
    let ran = Ran(command.output().unwrap());
    println!("{}{}", ran.stdout(), ran.stderr());
    // What differs is printed with a seed, by which the script runs it again.
    ran.expect_status(0).expect_stdout("30 command lines, 0 with differences");
}
