//! What changed between two keys, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::{KeyCode, KeyInputs, KeyPackage};

use crate::uuid::Uuid;

/// What changed from `old` to `new`, one line each, the most telling first. Empty when the keys are equal.
pub fn differences(old: &KeyInputs, new: &KeyInputs) -> Vec<String> {
    let mut changes = Vec::new();
    let (a, b) = (&old.julia, &new.julia);
    if a.version != b.version {
        changes.push(format!("Julia {} → {}", a.version, b.version));
    } else if a != b {
        changes.push(format!("Julia {}: another build of it", b.version));
    }
    packages(&old.packages, &new.packages, &mut changes);
    preferences(old, new, &mut changes);
    if old.cpu_target != new.cpu_target {
        changes.push(format!("CPU target {} → {}", old.cpu_target, new.cpu_target));
    }
    if let (Some(a), Some(b)) = (&old.host_cpu, &new.host_cpu)
        && a != b
    {
        changes.push(format!("CPU {a} → {b}"));
    }
    if old.julia_args != new.julia_args {
        changes.push(format!("julia-args [{}] → [{}]", old.julia_args.join(" "), new.julia_args.join(" ")));
    }
    workloads(old, new, &mut changes);
    if old.time_limit.to_bits() != new.time_limit.to_bits() {
        changes.push(format!("time limit of a workload {} s → {} s", old.time_limit, new.time_limit));
    }
    let jlsys = |inputs: &KeyInputs| (inputs.drivers, inputs.cache_format, inputs.statements_format);
    if jlsys(old) != jlsys(new) {
        changes.push("jlsys itself: another version".to_owned());
    }
    changes
}

fn packages(old: &BTreeMap<Uuid, KeyPackage>, new: &BTreeMap<Uuid, KeyPackage>, changes: &mut Vec<String>) {
    for (uuid, after) in new {
        match old.get(uuid) {
            None => changes.push(format!("{} is new", described(after))),
            Some(before) if before != after => changes.push(changed(before, after)),
            Some(_) => {}
        }
    }
    let gone = old.iter().filter(|(uuid, _)| !new.contains_key(uuid));
    changes.extend(gone.map(|(_, package)| format!("{} is gone", described(package))));
}

fn described(package: &KeyPackage) -> String {
    match &package.version {
        Some(version) => format!("{} {version}", package.name),
        None => package.name.clone(),
    }
}

fn changed(before: &KeyPackage, after: &KeyPackage) -> String {
    let name = &after.name;
    match (&before.version, &after.version) {
        (Some(old), Some(new)) if old != new => format!("{name} {old} → {new}"),
        _ => match (&before.code, &after.code) {
            (KeyCode::Files(_), KeyCode::Files(_)) => format!("{name}: its files changed"),
            (KeyCode::Tree(old), KeyCode::Tree(new)) if old != new => {
                format!("{name}: tree {:.8} → {:.8}", old, new)
            }
            (old, new) if old != new => format!("{name}: it comes from elsewhere"),
            _ => format!("{name}: whether the project names it"),
        },
    }
}

fn preferences(old: &KeyInputs, new: &KeyInputs, changes: &mut Vec<String>) {
    let uuids: BTreeSet<&Uuid> = old.preferences.keys().chain(new.preferences.keys()).collect();
    for uuid in uuids.into_iter().filter(|uuid| old.preferences.get(uuid) != new.preferences.get(uuid)) {
        // A package that came or went is said already.
        if let (Some(_), Some(package)) = (old.packages.get(uuid), new.packages.get(uuid)) {
            changes.push(format!("preferences of {}", package.name));
        }
    }
}

fn workloads(old: &KeyInputs, new: &KeyInputs, changes: &mut Vec<String>) {
    let by_name = |inputs: &KeyInputs| -> BTreeMap<_, _> {
        let workloads = inputs.workloads.iter();
        workloads.map(|workload| ((workload.kind, workload.name.clone()), workload.content)).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    for ((kind, name), content) in &after {
        let what = kind.of(name);
        match before.get(&(*kind, name.clone())) {
            None => changes.push(format!("workload {what} is new")),
            Some(old) if old != content => changes.push(format!("workload {what} changed")),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|workload| !after.contains_key(workload));
    changes.extend(gone.map(|(kind, name)| format!("workload {} is gone", kind.of(name))));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const OTHER: &str = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    const CSV: &str = "336ed68f-0bac-5ca0-87d4-7b16caf5d00b";
    const NEW: &str = "a93c6f00-e57d-5684-b7b6-d8193f3e46c0";

    fn inputs() -> Value {
        json!({
            "packages": { CSV: {
                "name": "CSV", "version": "0.10.0", "code": { "tree": DIGEST }, "needed": true
            } },
            "preferences": { CSV: { "threads": 2 } },
            "julia": {
                "version": "1.10.2", "commit": "bd47eca2c8a", "base_image": DIGEST, "os": "Linux", "arch": "x86_64"
            },
            "cpu_target": "native",
            "host_cpu": "one",
            "julia_args": ["-O2"],
            "workloads": [{ "kind": "scripts", "name": "precompile.jl", "content": DIGEST }],
            "time_limit": 600.0,
            "drivers": DIGEST,
            "cache_format": 3,
            "statements_format": 3
        })
    }

    /// What is said when this is written to this place of the inputs.
    fn after(place: &str, value: Value) -> Vec<String> {
        changed_by(|inputs| *inputs.pointer_mut(place).unwrap() = value)
    }

    fn changed_by(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut changed = inputs();
        change(&mut changed);
        let read = |value| serde_json::from_value::<KeyInputs>(value).unwrap();
        differences(&read(inputs()), &read(changed))
    }

    #[test]
    fn nothing_is_said_of_equal_inputs() {
        assert_eq!(changed_by(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn each_input_is_named() {
        assert_eq!(after("/julia/version", json!("1.12.5")), ["Julia 1.10.2 → 1.12.5"]);
        assert_eq!(after("/julia/base_image", json!(OTHER)), ["Julia 1.10.2: another build of it"]);
        assert_eq!(after("/cpu_target", json!("portable")), ["CPU target native → portable"]);
        assert_eq!(after("/host_cpu", json!("two")), ["CPU one → two"]);
        assert_eq!(after("/host_cpu", Value::Null), Vec::<String>::new());
        assert_eq!(after("/julia_args", json!([])), ["julia-args [-O2] → []"]);
        assert_eq!(after("/time_limit", json!(60.0)), ["time limit of a workload 600 s → 60 s"]);
        for place in ["/drivers", "/cache_format", "/statements_format"] {
            let value = if place == "/drivers" { json!(OTHER) } else { json!(4) };
            assert_eq!(after(place, value), ["jlsys itself: another version"], "{place}");
        }
    }

    #[test]
    fn a_package_is_said_to_have_come_gone_or_changed() {
        let place = |field: &str| format!("/packages/{CSV}/{field}");
        assert_eq!(after(&place("version"), json!("0.11.0")), ["CSV 0.10.0 → 0.11.0"]);
        assert_eq!(after(&place("version"), Value::Null), ["CSV: whether the project names it"]);
        assert_eq!(after(&place("needed"), json!(false)), ["CSV: whether the project names it"]);
        assert_eq!(after(&place("code"), json!({ "tree": OTHER })), ["CSV: tree 00112233 → ff112233"]);
        assert_eq!(after(&place("code"), json!({ "files": DIGEST })), ["CSV: it comes from elsewhere"]);
        let package = |version: Value, code: Value| json!({ "name": "Own", "version": version, "code": code, "needed": true });
        let with = |package: Value| {
            changed_by(|inputs| {
                drop(inputs["packages"].as_object_mut().unwrap().insert(NEW.to_owned(), package))
            })
        };
        assert_eq!(with(package(json!("1.0.0"), json!("julia"))), ["Own 1.0.0 is new"]);
        assert_eq!(with(package(Value::Null, json!("julia"))), ["Own is new"]);
        let gone = changed_by(|inputs| {
            inputs["packages"] = json!({});
            inputs["preferences"] = json!({});
        });
        assert_eq!(gone, ["CSV 0.10.0 is gone"]);
    }

    #[test]
    fn files_of_a_folder_are_said_to_have_changed() {
        let read = |digest: &str| {
            let mut inputs = inputs();
            inputs["packages"][CSV]["code"] = json!({ "files": digest });
            serde_json::from_value::<KeyInputs>(inputs).unwrap()
        };
        assert_eq!(differences(&read(DIGEST), &read(OTHER)), ["CSV: its files changed"]);
    }

    #[test]
    fn preferences_are_said_of_packages_that_stayed() {
        assert_eq!(after(&format!("/preferences/{CSV}"), json!({ "threads": 4 })), ["preferences of CSV"]);
        assert_eq!(after("/preferences", json!({})), ["preferences of CSV"]);
        let of_another = json!({ CSV: { "threads": 2 }, NEW: { "threads": 2 } });
        assert_eq!(after("/preferences", of_another), Vec::<String>::new());
    }

    #[test]
    fn workloads_are_said_to_have_come_gone_or_changed() {
        assert_eq!(after("/workloads/0/content", json!(OTHER)), ["workload precompile.jl changed"]);
        assert_eq!(after("/workloads", json!([])), ["workload precompile.jl is gone"]);
        let more = changed_by(|inputs| {
            let tests = json!({ "kind": "tests", "name": "CSV", "content": null });
            inputs["workloads"].as_array_mut().unwrap().push(tests);
        });
        assert_eq!(more, ["workload tests of CSV is new"]);
    }
}
