//! Which statements of a startup package belong together: those that are of use in the same sessions.
//!
//! A session is to pay for what it uses. A statement is of use when all packages that it names are loaded, so it goes into a group that
//! waits for these. Some of them load others, and need not be waited for: what is left are the group's packages.
//!
//! A statement about Julia itself alone, or about packages in its image, is of use wherever its call came from. A trace has the calls in their
//! order, so it is taken for one of the last packages that were named before it. Where no statement names a package, there is one group, which
//! comes with the first of the project's packages that is loaded; where Julia's image has them all, every session pays for it.
//!
//! There would be hundreds of groups, each with a price of its own: a process that builds it, and some milliseconds
//! in each session that loads it. So small ones are joined to one whose packages load theirs: what is in there is then there for sessions that
//! load the larger one alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::environment::{Environment, IJULIA};
use crate::file::Sha256Digest;
use crate::julia::JuliaInstall;
use crate::plan::{Plan, PlannedExtension};
use crate::trace::{LoadedModule, Modules, Statement};
use crate::uuid::Uuid;

/// A group with fewer statements is joined to one whose packages load its own and are no more than these, if there is one. What the code of two
/// groups calls in turn is looked at twice: 56 statements of Colors and ColorTypes cost a session 25 ms in two groups and 18 ms in one on
/// 1.10.2, and 37 of them 9 and 6 ms on 1.12.5.
const FEW: usize = 48;

/// The most groups that there are. With as many as this a session that loads everything pays some 50 ms for their being several.
const MOST: usize = 24;

/// Statements that are of use when the same packages are loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The packages that it waits for, each with its name; none of them loads another. None at all: it comes with the first of the plan's.
    pub packages: BTreeMap<Uuid, String>,
    /// One a line.
    pub statements: Vec<String>,
    /// How many of them are in other groups, too.
    pub again: usize,
    /// Whether it is about packages of the project's own: that these change is no fault.
    pub is_own: bool,
}

/// What loading a package brings along.
#[derive(Debug, Clone, Default)]
pub struct Loading {
    /// The packages that are loaded with each one, without itself.
    with: BTreeMap<Uuid, BTreeSet<Uuid>>,
    /// What must be loaded for each extension, which has an identity of its own here.
    extensions: BTreeMap<Uuid, Vec<Uuid>>,
    /// What every session has loaded from the beginning.
    always: BTreeSet<Uuid>,
    names: BTreeMap<Uuid, String>,
    modules: Modules,
}

impl Loading {
    /// What is known of the packages of `plan`, and of those that a kernel loads beside them.
    pub fn of(plan: &Plan, environment: &Environment, julia: &JuliaInstall) -> Self {
        let planned = plan.packages.iter().map(|package| (package.uuid, package.name.clone()));
        let of_kernel = environment.loaded_in_session([IJULIA]).into_iter();
        let of_kernel = of_kernel.map(|package| (package.uuid, package.name.clone()));
        let names: BTreeMap<Uuid, String> = planned.chain(of_kernel).collect();
        let with = names.keys().map(|package| {
            let loaded = environment.loaded_in_session([*package]);
            let others = loaded.into_iter().map(|other| other.uuid).filter(|uuid| uuid != package);
            (*package, others.collect())
        });
        let extensions = plan.extensions.iter().map(|extension| {
            let needs = std::iter::once(extension.package).chain(extension.triggers.iter().copied());
            (identity_of(extension), needs.collect())
        });
        let modules = plan.packages.iter().flat_map(|package| {
            let extensions = plan.extensions.iter().filter(|extension| extension.package == package.uuid);
            let extensions = extensions.map(|extension| (extension.name.clone(), identity_of(extension)));
            std::iter::once((package.name.clone(), package.uuid)).chain(extensions)
        });
        let modules = modules.map(|(name, package)| LoadedModule { name, package });
        let base = julia.facts.base_modules.iter().map(|module| module.name.clone());
        Self {
            with: with.collect(),
            names,
            extensions: extensions.collect(),
            always: julia.facts.base_modules.iter().map(|module| module.uuid).collect(),
            modules: Modules::new(modules, base),
        }
    }

    /// The packages that must be waited for until all of these are loaded.
    fn awaited(&self, named: &[Uuid]) -> BTreeSet<Uuid> {
        let packages: BTreeSet<Uuid> = named
            .iter()
            .flat_map(|uuid| self.extensions.get(uuid).map_or(std::slice::from_ref(uuid), Vec::as_slice))
            .copied()
            .filter(|uuid| !self.always.contains(uuid))
            .collect();
        // Of two that load each other, the first is taken.
        let is_loaded_with = |uuid: Uuid, other: Uuid| {
            other != uuid && self.loads(other, uuid) && (!self.loads(uuid, other) || other < uuid)
        };
        let needed =
            packages.iter().filter(|uuid| !packages.iter().any(|other| is_loaded_with(**uuid, *other)));
        needed.copied().collect()
    }

    fn loads(&self, package: Uuid, other: Uuid) -> bool {
        self.with.get(&package).is_some_and(|with| with.contains(&other))
    }

    fn named(&self, packages: BTreeSet<Uuid>) -> BTreeMap<Uuid, String> {
        let name = |uuid| (uuid, self.names.get(&uuid).cloned().unwrap_or_default());
        packages.into_iter().map(name).collect()
    }

    /// All packages that are loaded when these are.
    fn loaded_with(&self, packages: &BTreeSet<Uuid>) -> BTreeSet<Uuid> {
        let with = packages.iter().flat_map(|package| self.with.get(package).into_iter().flatten());
        packages.iter().chain(with).copied().collect()
    }
}

/// An extension is a module of its own, which its package's UUID and its name tell from others.
fn identity_of(extension: &PlannedExtension) -> Uuid {
    let digest = Sha256Digest::of(format!("{}/{}", extension.package, extension.name));
    Uuid::from_u128(digest.to_u128())
}

/// The packages of a group, and the statements with their places.
type Sets = BTreeMap<BTreeSet<Uuid>, Vec<(usize, String)>>;

/// The statements of `groups` that are of use when all these packages are loaded, and are in groups that wait for fewer, so that they can be
/// invalid there; as a group that waits for all of them.
pub fn together<'g>(
    packages: &BTreeSet<Uuid>,
    groups: impl Iterator<Item = &'g Group>,
    loading: &Loading,
) -> Option<Group> {
    // A workload may have loaded what is not the project's.
    let all: Vec<Uuid> = packages.iter().filter(|uuid| loading.names.contains_key(uuid)).copied().collect();
    let awaited = loading.awaited(&all);
    let loaded = loading.loaded_with(&awaited);
    let waits_for_fewer = |group: &&Group| {
        let packages: BTreeSet<_> = group.packages.keys().copied().collect();
        packages != awaited && packages.is_subset(&loaded)
    };
    let mut known = BTreeSet::new();
    let statements = groups.filter(waits_for_fewer).flat_map(|group| &group.statements);
    let statements: Vec<_> = statements.filter(|statement| known.insert(*statement)).cloned().collect();
    let again = statements.len();
    (again > 0).then(|| Group { packages: loading.named(awaited), statements, again, is_own: false })
}

/// Adds what a kernel compiles to a group that waits for IJulia. It is a group of its own, whatever of it is in others as well: a kernel needs
/// it before it loads anything else, and what is no kernel needs the others.
pub fn add_kernel(groups: &mut Vec<Group>, statements: &[String]) {
    if statements.is_empty() {
        return;
    }
    let packages = BTreeMap::from([(IJULIA, "IJulia".to_owned())]);
    let mut group = match groups.iter().position(|group| group.packages == packages) {
        Some(place) => groups.remove(place),
        None => Group { packages, statements: Vec::new(), again: 0, is_own: false },
    };
    let elsewhere: BTreeSet<&String> = groups.iter().flat_map(|group| &group.statements).collect();
    let known: BTreeSet<String> = group.statements.iter().cloned().collect();
    for statement in statements.iter().filter(|statement| !known.contains(*statement)) {
        group.again += usize::from(elsewhere.contains(statement));
        group.statements.push(statement.clone());
    }
    groups.push(group);
}

/// Divides statements about packages of the project's own into groups, as [`divide`] does. No group has any other statement, so that an edit of one of
/// these packages makes nothing else invalid.
pub fn divide_own(statements: &[String], loading: &Loading) -> Vec<Group> {
    let own = statements.iter().map(|statement| Ok(statement.clone()));
    let groups = divide(own, loading).unwrap_or_default();
    groups.into_iter().map(|group| Group { is_own: true, ..group }).collect()
}

/// Divides statements into groups, those with fewer packages first.
///
/// # Errors
///
/// When a statement cannot be read.
pub fn divide(
    statements: impl Iterator<Item = io::Result<String>>,
    loading: &Loading,
) -> io::Result<Vec<Group>> {
    let mut sets = collect(statements, loading)?;
    join(&mut sets, loading);
    let mut groups: Vec<_> = sets.into_iter().collect();
    groups.sort_by_key(|(packages, _)| (loading.loaded_with(packages).len(), packages.clone()));
    let groups = groups.into_iter().map(|(packages, mut statements)| {
        statements.sort_by_key(|(place, _)| *place);
        Group {
            packages: loading.named(packages),
            statements: statements.into_iter().map(|(_, statement)| statement).collect(),
            again: 0,
            is_own: false,
        }
    });
    Ok(groups.collect())
}

fn collect(statements: impl Iterator<Item = io::Result<String>>, loading: &Loading) -> io::Result<Sets> {
    let mut sets = Sets::new();
    let mut last: Option<BTreeSet<Uuid>> = None;
    let mut before_all = Vec::new();
    for (place, statement) in statements.enumerate() {
        let statement = statement?;
        // What the collector wrote can be read.
        let Ok(parsed) = Statement::parse(&statement, &loading.modules) else { continue };
        let awaited = loading.awaited(parsed.mentioned());
        if !awaited.is_empty() {
            if last.as_ref() != Some(&awaited) {
                last = Some(awaited);
            }
        } else if last.is_none() {
            before_all.push((place, statement));
            continue;
        }
        if let Some(packages) = &last {
            match sets.get_mut(packages) {
                Some(set) => set.push((place, statement)),
                None => drop(sets.insert(packages.clone(), vec![(place, statement)])),
            }
        }
    }
    // What was compiled before anything of a package was is of use to the first that came. Where there is none, nothing can be waited for.
    let first = sets.iter().min_by_key(|(_, set)| set.first().map(|(place, _)| *place));
    let packages = first.map(|(packages, _)| packages.clone()).unwrap_or_default();
    if !before_all.is_empty() {
        sets.entry(packages).or_default().extend(before_all);
    }
    Ok(sets)
}

/// Joins small groups to larger ones, and as many as it takes for there to be no more than [`MOST`].
fn join(sets: &mut Sets, loading: &Loading) {
    let mut alone: BTreeSet<BTreeSet<Uuid>> = BTreeSet::new();
    loop {
        let too_many = sets.len() > MOST;
        let smallest = sets
            .iter()
            .filter(|(packages, set)| too_many || set.len() < FEW && !alone.contains(*packages))
            .min_by_key(|(packages, set)| (set.len(), loading.loaded_with(packages).len(), *packages));
        let Some(small) = smallest.map(|(packages, _)| packages.clone()) else { return };
        let others = sets.iter().filter(|(packages, _)| **packages != small);
        let above = others
            .clone()
            .filter(|(packages, _)| too_many || packages.len() <= small.len())
            .filter(|(packages, _)| small.is_subset(&loading.loaded_with(packages)))
            .min_by_key(|(packages, set)| {
                (loading.loaded_with(packages).len(), std::cmp::Reverse(set.len()), *packages)
            })
            .map(|(packages, _)| packages.clone());
        let target = match above {
            Some(above) => above,
            None if !too_many => {
                alone.insert(small);
                continue;
            }
            None => {
                // Nothing loads its packages: it is joined to the one with which the fewest are to be waited for.
                let both = |packages: &BTreeSet<Uuid>| {
                    let all: Vec<Uuid> = packages.union(&small).copied().collect();
                    loading.awaited(&all)
                };
                let partner = others
                    .min_by_key(|(packages, _)| (loading.loaded_with(&both(packages)).len(), *packages));
                let Some((partner, _)) = partner else { return };
                let (partner, both) = (partner.clone(), both(partner));
                let set = sets.remove(&partner).unwrap_or_default();
                sets.entry(both.clone()).or_default().extend(set);
                both
            }
        };
        let set = sets.remove(&small).unwrap_or_default();
        sets.entry(target).or_default().extend(set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(digit: u128) -> Uuid {
        Uuid::from_u128(digit)
    }

    /// Base and four packages: Plots loads Colors, Frames loads nothing, both have an extension for each other; Stock is in Julia's image.
    const COLORS: u128 = 1;
    const PLOTS: u128 = 2;
    const FRAMES: u128 = 3;
    const STOCK: u128 = 4;
    const EXTENSION: u128 = 5;

    fn loading() -> Loading {
        let names = [("Colors", COLORS), ("Plots", PLOTS), ("Frames", FRAMES), ("Stock", STOCK)];
        let modules = names.into_iter().chain([("FramesPlotsExt", EXTENSION)]);
        let modules =
            modules.map(|(name, digit)| LoadedModule { name: name.to_owned(), package: uuid(digit) });
        Loading {
            with: [(uuid(PLOTS), [uuid(COLORS), uuid(STOCK)].into())].into(),
            extensions: [(uuid(EXTENSION), vec![uuid(FRAMES), uuid(PLOTS)])].into(),
            always: [uuid(STOCK)].into(),
            names: names.map(|(name, digit)| (uuid(digit), name.to_owned())).into(),
            modules: Modules::new(modules, []),
        }
    }

    fn about(argument: &str, number: usize) -> Vec<String> {
        (0..number).map(|n| format!("precompile(Tuple{{typeof({argument}), Base.Val{{{n}}}}})")).collect()
    }

    fn divided(statements: &[Vec<String>]) -> Vec<(String, usize)> {
        divided_with(statements, &loading())
    }

    fn divided_with(statements: &[Vec<String>], loading: &Loading) -> Vec<(String, usize)> {
        let groups = divide(statements.concat().into_iter().map(Ok), loading).unwrap();
        let describe = |group: Group| {
            let names: Vec<String> = group.packages.into_values().collect();
            (names.join("+"), group.statements.len())
        };
        groups.into_iter().map(describe).collect()
    }

    #[test]
    fn what_a_package_loads_is_not_waited_for() {
        let statements = [
            about("Colors.f", FEW),
            about("Frames.f", FEW),
            vec!["precompile(Tuple{typeof(Plots.draw), Colors.RGB, Stock.Table})".to_owned(); FEW],
            vec!["precompile(Tuple{typeof(Plots.draw), Frames.Frame, Colors.RGB})".to_owned(); FEW],
        ];
        let expected = [("Colors", FEW), ("Frames", FEW), ("Plots", FEW), ("Plots+Frames", FEW)];
        assert_eq!(divided(&statements), expected.map(|(name, number)| (name.to_owned(), number)));
    }

    #[test]
    fn an_extension_waits_for_its_package_and_what_triggers_it() {
        assert_eq!(divided(&[about("FramesPlotsExt.f", 3)]), [("Plots+Frames".to_owned(), 3)]);
    }

    #[test]
    fn what_is_about_julia_goes_with_the_package_before_it() {
        let statements = [
            about("Base.first", 1),
            about("Colors.f", FEW),
            about("Base.sum", 2),
            about("Stock.f", 3),
            about("Frames.f", FEW),
            about("Base.print", 4),
        ];
        let expected = [("Colors", FEW + 6), ("Frames", FEW + 4)];
        assert_eq!(divided(&statements), expected.map(|(name, number)| (name.to_owned(), number)));
        assert_eq!(divided(&[about("Base.first", 9), about("Stock.f", 1)]), [(String::new(), 10)]);
        assert_eq!(divided(&[]), []);
    }

    #[test]
    fn few_statements_wait_for_more_packages_where_those_load_theirs() {
        let both = vec!["precompile(Tuple{typeof(Plots.draw), Frames.Frame})".to_owned(); 2];
        let statements = [about("Colors.f", FEW - 1), about("Plots.f", 1), about("Frames.f", 1), both];
        // Nothing loads Frames alone, however few they are.
        let expected = [("Frames", 1), ("Plots", FEW), ("Plots+Frames", 2)];
        assert_eq!(divided(&statements), expected.map(|(name, number)| (name.to_owned(), number)));
    }

    #[test]
    fn what_is_used_together_waits_for_all_of_it() {
        let statements = [about("Colors.f", 2), about("Frames.f", 3)];
        let groups = divide(statements.concat().into_iter().map(Ok), &loading()).unwrap();
        let together = |packages: &[u128]| {
            let packages = packages.iter().map(|digit| uuid(*digit)).collect();
            let group = super::together(&packages, groups.iter(), &loading())?;
            Some((group.packages.into_values().collect::<Vec<_>>().join("+"), group.statements.len()))
        };
        // What Plots loads need not be waited for, and what is about it is of use there.
        assert_eq!(together(&[COLORS, PLOTS, FRAMES, STOCK]), Some(("Plots+Frames".to_owned(), 5)));
        assert_eq!(together(&[COLORS, FRAMES]), Some(("Colors+Frames".to_owned(), 5)));
        assert_eq!(together(&[COLORS, PLOTS]), Some(("Plots".to_owned(), 2)));
        // They are built where nothing else is loaded.
        assert_eq!(together(&[COLORS]), None);
    }

    #[test]
    fn a_kernel_has_a_group_of_its_own() {
        let mut groups = divide(about("Colors.f", 2).into_iter().map(Ok), &loading()).unwrap();
        let statement = |name: &str| format!("precompile(Tuple{{typeof({name})}})");
        let common = groups[0].statements[0].clone();
        add_kernel(&mut groups, &[]);
        assert_eq!(groups.len(), 1);
        add_kernel(&mut groups, &[common.clone(), statement("IJulia.g")]);
        add_kernel(&mut groups, &[statement("IJulia.g"), statement("IJulia.h")]);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[1].packages.keys().collect::<Vec<_>>(), [&IJULIA]);
        assert_eq!(groups[1].statements, [common, statement("IJulia.g"), statement("IJulia.h")]);
        assert_eq!(groups[1].again, 1);
    }

    #[test]
    fn there_are_never_more_than_a_few_groups() {
        let digits = 10..10 + 3 * MOST as u128;
        let name = |digit: u128| format!("Package{digit}");
        let modules = digits.clone().map(|digit| LoadedModule { name: name(digit), package: uuid(digit) });
        let loading = Loading {
            names: digits.clone().map(|digit| (uuid(digit), name(digit))).collect(),
            modules: Modules::new(modules, []),
            ..Loading::default()
        };
        let statements: Vec<_> =
            digits.map(|digit| about(&format!("{}.f", name(digit)), digit as usize)).collect();
        let groups = divided_with(&statements, &loading);
        assert_eq!(groups.len(), MOST);
        let all: usize = groups.iter().map(|(_, number)| number).sum();
        assert_eq!(all, statements.concat().len());
    }

    #[test]
    fn packages_that_load_each_other_are_waited_for_by_the_first() {
        let mut loading = loading();
        loading.with.insert(uuid(COLORS), [uuid(PLOTS)].into());
        let statements = [vec!["precompile(Tuple{typeof(Plots.draw), Colors.RGB})".to_owned(); 3]];
        assert_eq!(divided_with(&statements, &loading), [("Colors".to_owned(), 3)]);
    }
}
