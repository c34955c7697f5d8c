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
