//! What a key is made of, as text.

use std::fmt::Write;

use crate::key::{KeyCode, KeyInputs};

/// A line for each input of a key.
pub(super) fn describe(inputs: &KeyInputs) -> String {
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
    for workload in &inputs.workloads {
        line("workload", workload.kind.of(&workload.name));
    }
    line("time limit", format!("{} s a workload", inputs.time_limit));
    line("drivers", format!("sha256 {:.16}", inputs.drivers));
    for (uuid, package) in &inputs.packages {
        let code = match &package.code {
            KeyCode::Julia => "comes with Julia".to_owned(),
            KeyCode::Tree(tree) => format!("tree {tree:.12}"),
            KeyCode::Files(digest) => format!("files sha256 {digest:.16}"),
        };
        let version = package.version.as_deref().unwrap_or("-");
        let preferences = if inputs.preferences.contains_key(uuid) { ", with preferences" } else { "" };
        line("package", format!("{} {version} ({uuid}, {code}{preferences})", package.name));
    }
    text
}
