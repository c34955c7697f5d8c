//! Workloads that go to another project than the one that is built for.

use std::path::Path;

use crate::environment::{Environment, EnvironmentError, Package, Search, Source};
use crate::prepare::Prepared;
use crate::workload::{Kind, Ran};

/// How many packages a sentence names.
const NAMED: usize = 3;

/// For each project that a script or notebook activated and that an image of this one does not serve, what to do; one sentence each.
pub(super) fn warnings(prepared: &Prepared, ran: &Ran) -> Vec<String> {
    if !matches!(ran.kind, Kind::Notebooks | Kind::Scripts) {
        return Vec::new();
    }
    let own = &prepared.environment.project_file;
    let own = own.canonicalize().unwrap_or_else(|_| own.clone());
    let others = ran.activated.iter().filter(|file| **file != own);
    others.filter_map(|file| Some(sentence(prepared, ran, file, &why_not_served(prepared, file)?))).collect()
}

fn sentence(prepared: &Prepared, ran: &Ran, file: &Path, why: &str) -> String {
    let own = prepared.environment.project_dir().display();
    let other = file.parent().unwrap_or(file).display();
    format!(
        "{} activates {}, which an image of {own} does not serve ({why}): `jlsys build --project {other}` builds one that does",
        ran.kind.of(&ran.name),
        file.display()
    )
}

/// Why sessions in another project do not have all that they load from an image of this one; `None` if they have, and where there is
/// no project but what the workload begins.
fn why_not_served(prepared: &Prepared, file: &Path) -> Option<String> {
    if !file.is_file() {
        return None;
    }
    let home = std::env::home_dir();
    let search = Search {
        project: Some(file.to_str()?),
        julia_project: None,
        load_path: None,
        cwd: Path::new("/"),
        home: home.as_deref(),
        depots: &prepared.depots,
        julia: &prepared.julia.facts.version,
    };
    let other = match search.run().and_then(|files| Environment::load(&files)) {
        Ok(other) => other,
        Err(EnvironmentError::NoManifest { .. }) => {
            return Some("it has no manifest yet: `Pkg.instantiate()` makes one".to_owned());
        }
        Err(error) => return Some(error.to_string()),
    };
    let ours = |package: &Package| prepared.environment.package(package.uuid);
    let of_another_version = other.closure().into_iter().filter_map(|package| {
        let ours = ours(package)?;
        (!is_same(package, ours))
            .then(|| format!("{package} instead of {}", ours.version.as_deref().unwrap_or("another")))
    });
    let of_another_version: Vec<String> = of_another_version.collect();
    if !of_another_version.is_empty() {
        return Some(format!("it has {}", list(&of_another_version)));
    }
    let direct = other.direct_dependencies().into_iter();
    let missing = direct.filter(|package| package.source != Source::Stdlib && ours(package).is_none());
    let missing: Vec<String> = missing.map(|package| package.name.clone()).collect();
    (!missing.is_empty()).then(|| format!("which is without {}", list(&missing)))
}

/// Whether one stands for the other in an image.
fn is_same(a: &Package, b: &Package) -> bool {
    match (&a.source, &b.source) {
        // Older manifests give none of these a version.
        (Source::Stdlib, Source::Stdlib) => true,
        (a, b) if a.tree().is_some() => a.tree() == b.tree(),
        (a, b) => a == b,
    }
}

fn list(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
