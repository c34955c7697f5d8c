//! Walking the packages along their dependencies.

use std::collections::{BTreeMap, BTreeSet};

use super::Package;

use crate::uuid::Uuid;

/// Everything reachable from the roots, each package after what it depends on. `package` finds one.
pub(super) fn closure<'a>(
    package: impl Fn(Uuid) -> Option<&'a Package>,
    roots: impl Iterator<Item = Uuid>,
) -> Vec<&'a Package> {
    let mut order = Vec::new();
    let mut reached = BTreeSet::new();
    // A stack of its own instead of recursion: a manifest decides how deep this goes.
    let mut path: Vec<(&'a Package, std::slice::Iter<'a, Uuid>)> = Vec::new();
    for root in roots {
        let mut next = Some(root);
        loop {
            match next.and_then(&package) {
                Some(package) if reached.insert(package.uuid) => {
                    path.push((package, package.deps.iter()));
                }
                _ => {}
            }
            let Some((package, deps)) = path.last_mut() else {
                break;
            };
            next = deps.next().copied();
            if next.is_none() {
                order.push(*package);
                path.pop();
            }
        }
    }
    order
}

/// Everything from which `uuid` can be reached, without itself.
pub(super) fn dependents<'a>(packages: impl Iterator<Item = &'a Package>, uuid: Uuid) -> Vec<&'a Package> {
    let mut by_uuid = BTreeMap::new();
    let mut users: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for package in packages {
        by_uuid.insert(package.uuid, package);
        for dependency in &package.deps {
            users.entry(*dependency).or_default().push(package.uuid);
        }
    }
    let mut found = BTreeSet::new();
    let mut waiting = vec![uuid];
    while let Some(uuid) = waiting.pop() {
        for user in users.get(&uuid).into_iter().flatten() {
            if found.insert(*user) {
                waiting.push(*user);
            }
        }
    }
    found.remove(&uuid);
    found.iter().filter_map(|uuid| by_uuid.get(uuid).copied()).collect()
}
