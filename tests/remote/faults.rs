//! Whatever is wrong with a remote: one clear line, no wrong image, and the build goes on locally.

#![allow(
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a helper that cannot do its work fails the test"
)]

use std::time::{Duration, Instant};

use crate::machine::{Machine, image};
use crate::server::{Fault, Server};
use crate::support::Ran;

/// A machine whose remote has the image and a fault.
fn behind(fault: Fault) -> (Machine, Server) {
    let server = Server::web(&image().remote);
    server.set(fault);
    (Machine::with_remote(&server.url), server)
}

/// A pull is refused with these words, and a build says them, once on the way and once in its report, and goes on.
#[track_caller]
fn expect_built_here(machine: &Machine, words: &[&str]) {
    machine.expect_pull_refused(&[], words);
    let ran = machine.jlsys(&["build", "--cpu-target", "native", "--json"]).expect_status(0);
    let report = ran.json();
    assert_eq!((report["outcome"].as_str(), machine.built()), (Some("built"), 1), "{report:#}");
    let warnings = report["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let warning = warnings[0].as_str().unwrap();
    assert!(!warning.contains('\n') && words.iter().all(|word| warning.contains(word)), "{warning}");
    let line = ran.stderr().lines().filter(|line| line.contains("goes on without the remote")).count();
    assert_eq!(line, 1, "{}", ran.stderr());
    // What was received of the image stays for an hour, in case somebody tries again; all else is gone.
    let download = machine.shim.project.cache().join("tmp").join(format!("pull-{}", image().key));
    let _ = std::fs::remove_dir_all(download);
    machine.expect_works();
}

#[test]
fn the_server_is_gone() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/images");
    let started = Instant::now();
    expect_built_here(&Machine::with_remote(&url), &[&url, "cannot read 'entries/", "refused"]);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_server_answers_with_errors() {
    let (machine, server) = behind(Fault::Broken);
    expect_built_here(&machine, &[&server.url, "cannot read 'entries/", "500"]);
}

#[test]
fn the_server_cuts_its_answers() {
    let (machine, server) = behind(Fault::Truncating);
    expect_built_here(&machine, &[&server.url, "cannot read 'blobs/"]);
}

#[test]
fn the_server_gives_other_bytes() {
    let (machine, server) = behind(Fault::WrongBytes);
    expect_built_here(&machine, &[&server.url, "other bytes than were signed for 'blobs/"]);
}

#[test]
fn the_server_dies_in_the_middle() {
    let (machine, server) = behind(Fault::GoneAfter(1));
    expect_built_here(&machine, &[&server.url, "cannot read '"]);
}

#[test]
fn the_server_is_slow() {
    let (machine, _server) = behind(Fault::Slow(500_000));
    assert_eq!(machine.build()["outcome"], "hit");
    assert_eq!(machine.built(), 0);
}

#[test]
fn the_server_never_answers() {
    let (machine, server) = behind(Fault::Silent);
    let started = Instant::now();
    machine.expect_pull_refused(&[], &[&server.url, "cannot read 'entries/"]);
    assert!(started.elapsed() < Duration::from_secs(90), "{:?}", started.elapsed());
}

#[test]
fn the_remote_is_lost_while_the_image_is_built() {
    let server = Server::s3();
    let machine = Machine::with_remote(&server.url).envs(&server.variables()).signing();
    // The lease is taken; one blob gets through.
    server.set(Fault::GoneAfter(1));
    let report = machine.build();
    assert_eq!(report["outcome"], "built");
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("blobs/"), "{warnings}");
    // A half push is no entry.
    assert_eq!(server.writes("/entries/"), 0);
}

#[test]
fn an_interrupted_pull_leaves_no_half_entry() {
    let (machine, server) = behind(Fault::Slow(100_000));
    let mut child = machine.shim.project.command(&["cache", "pull", "--quiet"]);
    let child = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
    while !server.requests().iter().any(|line| line.contains("/blobs/")) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    Ran(child.wait_with_output().unwrap()).expect_status(130);
    machine.expect_no_image();
}

#[test]
fn a_remote_that_makes_no_sense_is_bad_input() {
    let machine = Machine::new();
    let pull = |url: &str| machine.jlsys(&["cache", "pull", url]);
    pull("ftp://host/x").expect_refusal(&["ftp://host/x", "none of s3"]);
    pull("https://me:secret@host/x").expect_refusal(&["environment"]);
    machine.jlsys(&["cache", "pull"]).expect_refusal(&["no remote is named", "JLSYS_REMOTE_URL"]);
    machine.jlsys(&["cache", "push"]).expect_refusal(&["no key to sign with", "keygen"]);
    machine.shim.project.edit("jlsys.toml", |text| text + "\n[remote]\nurl = \"gopher://x/y\"\n");
    machine.jlsys(&["build"]).expect_refusal(&["jlsys.toml:", "gopher"]);
    machine
        .shim
        .project
        .edit("jlsys.toml", |text| text.replace("url = \"gopher://x/y\"", "keys = [\"abc\"]"));
    machine.jlsys(&["build"]).expect_refusal(&["jlsys.toml:", "jlsys-public-ed25519"]);
}

#[test]
fn there_is_nothing_to_pull_or_push() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::with_remote(folder.path().to_str().unwrap());
    machine.expect_pull_refused(&[], &["has no image", "as it is now"]);
    let signing_key = image().secret_file.to_str().unwrap();
    machine.jlsys(&["cache", "push", "--signing-key", signing_key]).expect_refusal(&["there is no image"]);
}
