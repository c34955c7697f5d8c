//! What a key is made of, as text.

use std::fmt::Write;
use std::time::Duration;

use crate::duration::limit;
use crate::key::{KeyCode, KeyInputs, KeyPackage};
use crate::words::count;
use crate::workload::Kind;

/// The inputs of a key, one a line. There may be hundreds of packages and of their test suites: each is named only `with_packages`.
pub(super) fn describe(inputs: &KeyInputs, with_packages: bool) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    let julia = &inputs.julia;
    line("julia", format!("{} on {} {}", julia.version, julia.os, julia.arch));
    line("base image", format!("sha256 {:.16}", julia.base_image));
    line("cpu target", inputs.cpu_target.to_string());
    if let Some(cpu) = &inputs.host_cpu {
        line("built on", cpu.to_string());
    }
    if !inputs.julia_args.is_empty() {
        line("julia-args", inputs.julia_args.join(" "));
    }
    line("workloads", workloads(inputs, with_packages));
    line("time limit", format!("{} a workload", limit(Duration::from_secs_f64(inputs.time_limit))));
    line("drivers", format!("sha256 {:.16}", inputs.drivers));
    if !with_packages {
        line("packages", format!("{} (--packages lists them)", inputs.packages.len()));
        return text;
    }
    for (uuid, package) in &inputs.packages {
        let preferences = if inputs.preferences.contains_key(uuid) { ", with preferences" } else { "" };
        let version = package.version.as_deref().unwrap_or("-");
        line("package", format!("{} {version} ({uuid}, {}{preferences})", package.name, code(package)));
    }
    text
}

fn workloads(inputs: &KeyInputs, each: bool) -> String {
    let is_suite = |kind: Kind| kind == Kind::Tests && !each;
    let suites = inputs.workloads.iter().filter(|workload| is_suite(workload.kind)).count();
    let named = inputs.workloads.iter().filter(|workload| !is_suite(workload.kind));
    let suites = (suites > 0).then(|| format!("tests of {}", count(suites, "package")));
    let all: Vec<String> = named.map(|workload| workload.kind.of(&workload.name)).chain(suites).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn code(package: &KeyPackage) -> String {
    match &package.code {
        KeyCode::Julia => "comes with Julia".to_owned(),
        KeyCode::Tree(tree) => format!("tree {tree:.12}"),
        KeyCode::Files(digest) => format!("files sha256 {digest:.16}"),
    }
}
