//! Random command lines, plain and through `jlsys run`: what `scripts/differential` compares is the same.
//!
//! Once the image is a copy of the stock one, so that this is over soon: how Julia is started is what is compared. Once it is a real one, with packages of
//! which there are other versions around.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::process::Command;

use support::shim::Shim;
use support::{Project, Ran, julia, julia_is_since};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/differential");

/// Expects that none of thirty lines differs; a line that does is printed with a seed, by which the script runs it again.
fn expect_no_difference(command: &mut Command) {
    command.args(["--lines", "30", "--jlsys", env!("CARGO_BIN_EXE_jlsys")]);
    let ran = Ran(command.output().unwrap());
    println!("{}{}", ran.stdout(), ran.stderr());
    ran.expect_status(0).expect_stdout("30 command lines, 0 with differences");
}

#[test]
fn run_and_plain_julia_show_a_program_the_same() {
    let shim = Shim::new("");
    shim.build(&[], 0);
    let project = &shim.project;
    let other = Project::new().stdlib("Random").write();
    let mut command = project.command_for(SCRIPT, &["--packages", "Random,Sockets"]);
    command.arg("--julia").arg(project.outside("julia"));
    command.arg("--project").arg(project.path("")).arg("--other").arg(other.path(""));
    command.arg("--work").arg(project.outside("differential"));
    expect_no_difference(&mut command);
}

#[test]
#[ignore = "builds an image"]
fn nor_does_a_real_image_show() {
    let project = Project::new().write();
    let mut command = project.command_for(SCRIPT, &[]);
    command.arg("--julia").arg(julia()).arg("--work").arg(project.outside("differential"));
    expect_no_difference(&mut command);
}

#[test]
fn nor_does_a_startup_package_show() {
    if !julia_is_since(9) {
        println!("skipped: this Julia has no package images");
        return;
    }
    let project = Project::new().write();
    let mut command = project.command_for(SCRIPT, &["--startup"]);
    command.arg("--julia").arg(julia()).arg("--work").arg(project.outside("differential"));
    expect_no_difference(&mut command);
}
