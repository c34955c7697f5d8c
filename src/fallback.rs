//! The ladder: what to try next when an image cannot be built or does not work.
//!
//! Plain data in, plain data out: [`Ladder::next`] says what to attempt, [`Ladder::failed`] and [`Ladder::worked`] are
//! told how it went. One attempt costs minutes, so their number is bounded by [`IMAGE_LIMIT`]:
//!
//! 1. everything (`full`);
//! 2. a culprit that is known by name (a package that does not work from the image, a statement whose compilation ends
//!    the process) is left out, and the rest tried again;
//! 3. when Julia does not start with the image, a package is to blame; see below;
//! 4. when nobody is named: the packages without statements (`load`). If that works, a statement is to blame, and a binary
//!    search over the list of owners finds whose. If it does not, a package is to blame, and a binary search over the
//!    list of packages, dependencies first, finds which. Then the rest is tried again.
//!
//! A binary search among 2^n takes n attempts: with three beside it and eight in all, one culprit among 32 owners is
//! found. Every attempt that works has more in it than the one before, so when attempts run out the last image that worked
//! is the best; when none did, stock Julia stays.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::LeftOutReason;
use crate::uuid::Uuid;

/// How many images are written for one build at most.
pub const IMAGE_LIMIT: u32 = 8;

/// How many attempts may end before an image is written: these cost the seconds that loading and compiling take.
pub const EARLY_LIMIT: u32 = 24;

/// How many single statements of one owner are left out before all of its statements are.
const STATEMENTS_PER_OWNER: usize = 4;

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt<Owner> {
    /// Packages to leave out of the plan, each with the reason.
    pub packages_out: BTreeMap<Uuid, LeftOutReason>,
    /// The owners whose statements are compiled.
    pub owners: BTreeSet<Owner>,
    /// Statements that stay out, whoever owns them.
    pub statements_out: BTreeSet<String>,
}

/// Why an attempt failed, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<Owner> {
    /// These packages are to blame, each with the reason.
    Packages(BTreeMap<Uuid, String>),
    /// Compiling this statement ended the process.
    Statement {
        /// The statement.
        text: String,
        /// Its owner.
        owner: Owner,
    },
    /// Nobody is named; what happened, as a sentence.
    Unknown(String),
    /// Julia does not start with the image, as when a package's `__init__` throws there: before Julia can say whose. Some
    /// package is to blame, and no statement.
    StartUp(String),
    /// There was not enough memory or time, so that only less work can help.
    TooMuch(String),
    /// No image that can be built from this plan would do.
    Hopeless(String),
}

/// The state of the climb down.
#[derive(Debug)]
pub struct Ladder<Owner> {
    owners: Vec<Owner>,
    statements_out: BTreeSet<String>,
    /// How many statements of each owner ended the process that compiled them.
    crashes: BTreeMap<Owner, usize>,
    packages: Vec<Uuid>,
    packages_out: BTreeMap<Uuid, LeftOutReason>,
    search: Search,
    load_works: bool,
    last_failure: String,
    images: u32,
    early: u32,
}

#[derive(Debug, Clone, Copy)]
enum Search {
    /// Everything that is not left out.
    All,
    /// All packages and no statements.
    Load,
    /// The statements of the first `works` owners work, those of the first `fails` do not.
    Owners(Bounds),
    /// The first `works` packages work, without statements; the first `fails` do not.
    Packages(Bounds),
    /// Nothing is left to try.
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    works: usize,
    fails: usize,
}

impl Bounds {
    fn middle(self) -> usize {
        usize::midpoint(self.works, self.fails)
    }

    /// The one that is to blame, once there is only one left.
    fn culprit(self) -> Option<usize> {
        (self.fails - self.works == 1).then_some(self.works)
    }
}

impl<Owner: Ord + Clone> Ladder<Owner> {
    /// A climb that starts at the top: all `packages`, dependencies first, and the statements of all `owners`.
    pub fn new(packages: Vec<Uuid>, owners: Vec<Owner>) -> Self {
        Self {
            owners,
            statements_out: BTreeSet::new(),
            crashes: BTreeMap::new(),
            packages,
            packages_out: BTreeMap::new(),
            search: Search::All,
            load_works: false,
            last_failure: String::new(),
            images: 0,
            early: 0,
        }
    }

    /// What to try next; nothing when the search is over.
    pub fn next(&self) -> Option<Attempt<Owner>> {
        if self.images >= IMAGE_LIMIT || self.early >= EARLY_LIMIT {
            return None;
        }
        let (owners, packages) = match self.search {
            Search::All => (self.owners.len(), self.packages.len()),
            Search::Load => (0, self.packages.len()),
            Search::Owners(bounds) => (bounds.middle(), self.packages.len()),
            Search::Packages(bounds) => (0, bounds.middle()),
            Search::Over => return None,
        };
        let untried = self.packages[packages..].iter().map(|&uuid| (uuid, self.blame()));
        Some(Attempt {
            packages_out: self.packages_out.clone().into_iter().chain(untried).collect(),
            owners: self.owners[..owners].iter().cloned().collect(),
            statements_out: self.statements_out.clone(),
        })
    }

    /// The last attempt failed. `wrote_image` tells whether it came so far as to write an image, which is what costs;
    /// `dependents` gives the packages that depend on one, each with that one's name.
    pub fn failed(
        &mut self,
        failure: Failure<Owner>,
        wrote_image: bool,
        dependents: impl Fn(Uuid) -> Vec<(Uuid, String)>,
    ) {
        if wrote_image {
            self.images += 1;
        } else {
            self.early += 1;
        }
        let is_start_up = matches!(failure, Failure::StartUp(_));
        match failure {
            Failure::Packages(named) => {
                let before = self.packages.len();
                for (uuid, reason) in named {
                    self.leave_out(uuid, LeftOutReason::Breaks(reason), &dependents);
                }
                // A package that is blamed twice would be blamed for ever.
                self.search = if self.packages.len() < before { Search::All } else { Search::Over };
            }
            Failure::Statement { text, owner } => {
                let of_owner = self.owners.iter().position(|other| *other == owner);
                let is_new = self.statements_out.insert(text);
                let count = self.crashes.entry(owner).or_default();
                *count += 1;
                // Each costs another start, and where there are several there are more.
                if *count >= STATEMENTS_PER_OWNER || !is_new {
                    of_owner.map(|index| self.owners.remove(index));
                }
                self.search = Search::All;
            }
            Failure::Unknown(what) | Failure::StartUp(what) => {
                self.last_failure = what;
                self.search = match self.search {
                    Search::All if is_start_up || self.owners.is_empty() => self.search_packages(),
                    Search::All if self.load_works => self.search_owners(),
                    Search::All => Search::Load,
                    Search::Load => self.search_packages(),
                    Search::Owners(bounds) => Search::Owners(Bounds { fails: bounds.middle(), ..bounds }),
                    Search::Packages(bounds) => Search::Packages(Bounds { fails: bounds.middle(), ..bounds }),
                    Search::Over => Search::Over,
                };
                self.settle(&dependents);
            }
            Failure::Hopeless(what) => {
                self.last_failure = what;
                self.search = Search::Over;
            }
            Failure::TooMuch(what) => {
                self.last_failure = what;
                self.search = match self.search {
                    Search::All if !self.owners.is_empty() && !self.load_works => Search::Load,
                    _ => Search::Over,
                };
                // Were `load` to work, more than it would still be too much.
                self.owners.clear();
            }
        }
    }

    /// The last attempt worked.
    pub fn worked(&mut self) {
        self.images += 1;
        self.search = match self.search {
            Search::Load => {
                self.load_works = true;
                self.search_owners()
            }
            Search::Owners(bounds) => Search::Owners(Bounds { works: bounds.middle(), ..bounds }),
            Search::Packages(bounds) => Search::Packages(Bounds { works: bounds.middle(), ..bounds }),
            Search::All | Search::Over => Search::Over,
        };
        self.settle(|_| Vec::new());
    }

    /// What went wrong last, as a sentence.
    pub fn last_failure(&self) -> &str {
        &self.last_failure
    }

    fn blame(&self) -> LeftOutReason {
        LeftOutReason::Breaks(format!("an image with it does not work ({})", self.last_failure))
    }

    fn search_owners(&self) -> Search {
        if self.owners.is_empty() {
            return Search::Over;
        }
        Search::Owners(Bounds { works: 0, fails: self.owners.len() })
    }

    fn search_packages(&self) -> Search {
        if self.packages.is_empty() {
            return Search::Over;
        }
        // No package at all is what stock Julia is, so that works.
        Search::Packages(Bounds { works: 0, fails: self.packages.len() })
    }

    /// Leaves a culprit out that a search has found, and goes on with all the others.
    fn settle(&mut self, dependents: impl Fn(Uuid) -> Vec<(Uuid, String)>) {
        match self.search {
            Search::Owners(bounds) => {
                if let Some(culprit) = bounds.culprit() {
                    self.owners.remove(culprit);
                    // What is left was the last attempt that worked, when nobody comes behind the culprit.
                    let all_tried = bounds.works == self.owners.len();
                    self.search = if all_tried { Search::Over } else { Search::All };
                }
            }
            Search::Packages(bounds) => {
                if let Some(&culprit) = bounds.culprit().and_then(|index| self.packages.get(index)) {
                    let reason = self.blame();
                    self.leave_out(culprit, reason, dependents);
                    self.search = if self.packages.is_empty() { Search::Over } else { Search::All };
                }
            }
            Search::All | Search::Load | Search::Over => {}
        }
    }

    fn leave_out(
        &mut self,
        uuid: Uuid,
        reason: LeftOutReason,
        dependents: impl Fn(Uuid) -> Vec<(Uuid, String)>,
    ) {
        for (dependent, name) in dependents(uuid) {
            self.packages_out.entry(dependent).or_insert(LeftOutReason::DependsOnBroken(name));
        }
        self.packages_out.insert(uuid, reason);
        self.packages.retain(|package| !self.packages_out.contains_key(package));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(number: u8) -> Uuid {
        format!("00000000-0000-0000-0000-0000000000{number:02x}").parse().unwrap()
    }

    /// Climbs until the search is over; `works` is the world. Returns the last attempt that worked and the count.
    fn climb(
        mut ladder: Ladder<char>,
        works: impl Fn(&Attempt<char>) -> Result<(), Failure<char>>,
    ) -> (Option<Attempt<char>>, usize) {
        let (mut best, mut attempts) = (None, 0);
        while let Some(attempt) = ladder.next() {
            attempts += 1;
            match works(&attempt) {
                Ok(()) => {
                    ladder.worked();
                    best = Some(attempt);
                }
                Err(failure) => {
                    let early = matches!(failure, Failure::Statement { .. });
                    ladder.failed(failure, !early, |_| Vec::new());
                }
            }
            assert!(attempts <= (IMAGE_LIMIT + EARLY_LIMIT) as usize);
        }
        (best, attempts)
    }

    fn unknown() -> Failure<char> {
        Failure::Unknown("it crashed".to_owned())
    }

    #[test]
    fn nothing_wrong_is_one_attempt() {
        let (best, attempts) = climb(Ladder::new(vec![package(1)], vec!['a', 'b']), |_| Ok(()));
        assert_eq!(attempts, 1);
        assert_eq!(best.unwrap().owners, BTreeSet::from(['a', 'b']));
    }

    #[test]
    fn every_guilty_owner_is_found() {
        let owners: Vec<char> = ('a'..='t').collect();
        for guilty in &owners {
            let ladder = Ladder::new(vec![package(1)], owners.clone());
            let (best, attempts) =
                climb(
                    ladder,
                    |attempt| if attempt.owners.contains(guilty) { Err(unknown()) } else { Ok(()) },
                );
            let best = best.unwrap();
            assert_eq!(best.owners.len(), owners.len() - 1, "{guilty} in {attempts} attempts");
            assert!(best.packages_out.is_empty());
        }
    }

    #[test]
    fn a_single_owner_leaves_the_packages() {
        let ladder = Ladder::new(vec![package(1)], vec!['a']);
        let (best, attempts) =
            climb(ladder, |attempt| if attempt.owners.is_empty() { Ok(()) } else { Err(unknown()) });
        assert_eq!(best.unwrap().owners, BTreeSet::new());
        assert_eq!(attempts, 2);
    }

    #[test]
    fn every_guilty_package_is_found_and_the_statements_come_back() {
        let packages: Vec<Uuid> = (1..=8).map(package).collect();
        for guilty in &packages {
            let ladder = Ladder::new(packages.clone(), vec!['a', 'b']);
            let (best, _) = climb(ladder, |attempt| {
                if attempt.packages_out.contains_key(guilty) { Ok(()) } else { Err(unknown()) }
            });
            let best = best.unwrap();
            assert_eq!(best.packages_out.keys().collect::<Vec<_>>(), [guilty]);
            assert_eq!(best.owners.len(), 2);
        }
    }

    #[test]
    fn a_package_that_keeps_julia_from_starting_costs_no_attempt_without_statements() {
        let packages: Vec<Uuid> = (1..=4).map(package).collect();
        let (best, attempts) = climb(Ladder::new(packages.clone(), vec!['a', 'b']), |attempt| {
            let guilty = packages[2];
            let failure = Failure::StartUp("it did not start".to_owned());
            if attempt.packages_out.contains_key(&guilty) { Ok(()) } else { Err(failure) }
        });
        assert_eq!(best.unwrap().packages_out.keys().collect::<Vec<_>>(), [&packages[2]]);
        assert_eq!(attempts, 4);
    }

    #[test]
    fn a_named_statement_is_left_out_and_nothing_else() {
        let ladder = Ladder::new(vec![package(1)], vec!['a', 'b']);
        let (best, attempts) = climb(ladder, |attempt| {
            if attempt.statements_out.contains("bad") {
                return Ok(());
            }
            Err(Failure::Statement { text: "bad".to_owned(), owner: 'a' })
        });
        let best = best.unwrap();
        assert_eq!((attempts, best.owners.len(), best.statements_out.len()), (2, 2, 1));
    }

    #[test]
    fn an_owner_with_many_bad_statements_is_left_out_whole() {
        let ladder = Ladder::new(vec![package(1)], vec!['a', 'b']);
        let number = std::cell::Cell::new(0);
        let (best, attempts) = climb(ladder, |attempt| {
            if !attempt.owners.contains(&'a') {
                return Ok(());
            }
            number.set(number.get() + 1);
            Err(Failure::Statement { text: number.get().to_string(), owner: 'a' })
        });
        assert_eq!(best.unwrap().owners, BTreeSet::from(['b']));
        assert_eq!(attempts, STATEMENTS_PER_OWNER + 1);
    }

    #[test]
    fn too_little_memory_leads_to_less_work_at_once() {
        let ladder = Ladder::new(vec![package(1)], vec!['a', 'b']);
        let (best, attempts) = climb(ladder, |attempt| {
            if attempt.owners.is_empty() { Ok(()) } else { Err(Failure::TooMuch("memory".to_owned())) }
        });
        assert!(best.unwrap().owners.is_empty());
        assert_eq!(attempts, 2);
    }

    #[test]
    fn when_nothing_works_the_search_ends() {
        let packages: Vec<Uuid> = (1..=30).map(package).collect();
        let ladder = Ladder::new(packages, ('a'..='z').collect());
        let (best, attempts) = climb(ladder, |_| Err(unknown()));
        assert_eq!(best, None);
        assert!(attempts <= IMAGE_LIMIT as usize);
    }

    #[test]
    fn a_package_that_is_blamed_although_it_is_gone_ends_the_search() {
        let ladder = Ladder::new(vec![package(1)], vec!['a']);
        let named = BTreeMap::from([(package(9), "stays".to_owned())]);
        let (best, attempts) = climb(ladder, |_| Err(Failure::Packages(named.clone())));
        assert_eq!((best, attempts), (None, 1));
    }

    #[test]
    fn a_named_package_takes_its_dependents_with_it_and_the_rest_is_tried_again() {
        let mut ladder = Ladder::new((1..=3).map(package).collect(), vec!['a']);
        let named = BTreeMap::from([(package(1), "it throws".to_owned())]);
        let dependents = |uuid| {
            if uuid == package(1) { vec![(package(3), "One".to_owned())] } else { Vec::new() }
        };
        ladder.failed(Failure::Packages(named), true, dependents);
        let next = ladder.next().unwrap();
        let reasons = [
            (package(1), LeftOutReason::Breaks("it throws".to_owned())),
            (package(3), LeftOutReason::DependsOnBroken("One".to_owned())),
        ];
        assert_eq!(next.packages_out, BTreeMap::from(reasons));
        assert_eq!(next.owners, BTreeSet::from(['a']));
    }

    #[test]
    fn without_statements_the_same_is_not_tried_twice() {
        let packages: Vec<Uuid> = (1..=2).map(package).collect();
        let (best, attempts) = climb(Ladder::new(packages.clone(), Vec::new()), |attempt| {
            if attempt.packages_out.contains_key(&packages[1]) { Ok(()) } else { Err(unknown()) }
        });
        assert_eq!(best.unwrap().packages_out.keys().collect::<Vec<_>>(), [&packages[1]]);
        // Both, and one of them, which works, is what is left.
        assert_eq!(attempts, 3);
    }

    #[test]
    fn too_much_ends_the_search_when_there_is_no_less_to_do() {
        let too_much = || Failure::TooMuch("memory".to_owned());
        let mut without_statements = Ladder::new(vec![package(1)], Vec::<char>::new());
        without_statements.failed(too_much(), true, |_| Vec::new());
        assert_eq!(without_statements.next(), None);

        // The packages alone work, and so much is known.
        let mut ladder = Ladder::new(vec![package(1)], vec!['a', 'b', 'c']);
        ladder.failed(unknown(), true, |_| Vec::new());
        ladder.worked();
        ladder.failed(Failure::Statement { text: "bad".to_owned(), owner: 'a' }, false, |_| Vec::new());
        ladder.failed(too_much(), true, |_| Vec::new());
        assert_eq!(ladder.next(), None);
    }

    #[test]
    fn what_is_hopeless_ends_the_search_and_is_kept_as_the_reason() {
        let mut ladder = Ladder::new(vec![package(1)], vec!['a']);
        assert_eq!(ladder.last_failure(), "");
        ladder.failed(Failure::Hopeless("no linker".to_owned()), false, |_| Vec::new());
        assert_eq!((ladder.next(), ladder.last_failure()), (None, "no linker"));
    }

    #[test]
    fn what_a_search_leaves_out_is_said_with_what_went_wrong() {
        let mut ladder = Ladder::new(vec![package(1), package(2)], vec!['a']);
        ladder.failed(Failure::StartUp("it did not start".to_owned()), true, |_| Vec::new());
        let untried = ladder.next().unwrap().packages_out;
        let reason = "an image with it does not work (it did not start)".to_owned();
        assert_eq!(untried, BTreeMap::from([(package(2), LeftOutReason::Breaks(reason))]));
    }

    #[test]
    fn attempts_that_write_no_image_are_bounded_apart_from_those_that_do() {
        let owners: Vec<char> = ('a'..='z').collect();
        let number = std::cell::Cell::new(0_usize);
        let (best, attempts) = climb(Ladder::new(vec![package(1)], owners.clone()), |_| {
            number.set(number.get() + 1);
            Err(Failure::Statement { text: number.get().to_string(), owner: owners[number.get() % 26] })
        });
        assert_eq!((best, attempts), (None, EARLY_LIMIT as usize));

        // An image that works counts like one that does not.
        let mut ladder = Ladder::new(vec![package(1)], owners);
        for _ in 0..IMAGE_LIMIT - 2 {
            let named = BTreeMap::from([(package(1), "it throws".to_owned())]);
            ladder.packages = vec![package(1)];
            ladder.packages_out.clear();
            ladder.failed(Failure::Packages(named), true, |_| Vec::new());
        }
        ladder.failed(unknown(), true, |_| Vec::new());
        assert!(ladder.next().is_some());
        ladder.worked();
        assert_eq!(ladder.next(), None);
    }

    #[test]
    fn a_statement_that_is_blamed_although_it_is_out_takes_its_owner_along() {
        let mut ladder = Ladder::new(vec![package(1)], vec!['a', 'b']);
        for _ in 0..2 {
            ladder.failed(Failure::Statement { text: "bad".to_owned(), owner: 'a' }, false, |_| Vec::new());
        }
        assert_eq!(ladder.next().unwrap().owners, BTreeSet::from(['b']));
    }
}
