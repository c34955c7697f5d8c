//! The startup package, which is built first and committed at once, and what a build comes to without an image.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use indicatif::HumanBytes;
use tokio::sync::{Semaphore, watch};

use super::Build;
use super::cleaning::Selection;
use crate::cache::{Entry, Foundation, RestsOn, keep_rests_on};
use crate::environment::IJULIA;
use crate::error::Error;
use crate::file::copy_file;
use crate::plan::Plan;
use crate::prepare::Prepared;
use crate::report::{BuildOutcome, GroupReport, PhaseReport, Report, Tier};
use crate::startup::{self, Before, Group, Loading, Precompiled, StartupError, StartupInputs, TriedGroup};
use crate::sysimage::Replay;
use crate::uuid::Uuid;
use crate::words::count;

/// How long Julia may take to precompile one package of the startup package. A minute is normal for a large one.
const PRECOMPILING_LIMIT: Duration = Duration::from_secs(1800);

/// The largest group that every session loads when it starts, in bytes: the smallest have 1.1 MB and take some 20 ms (1.10.2).
const LARGEST_AT_START: u64 = 2 << 20;

/// A startup package that works.
pub(super) struct MadeStartup {
    plan: Plan,
    groups: Vec<GroupReport>,
    /// How many statements the startup package alone is about.
    beside: u64,
    /// What it is to hold when no image follows.
    lasting: Option<Selection>,
}

/// What trying to make a startup package came to.
pub(super) struct TriedStartup {
    /// Why there is none, if there is none.
    made: Result<MadeStartup, String>,
    phase: PhaseReport,
    peak_memory_bytes: u64,
}

/// The most sets of packages that statements are compiled for once more, those with the most statements.
const MOST_TOGETHER: usize = 4;

/// The groups of a startup package while it is built.
#[derive(Default)]
struct Groups {
    kept: Vec<Candidate>,
    left_out: Vec<GroupReport>,
}

/// A group, and what became of it so far.
struct Candidate {
    group: Group,
    /// The groups that it rests on.
    before: Vec<Before>,
    cache: PathBuf,
    report: GroupReport,
}

/// What is to be compiled into a startup package.
pub(super) struct Wanted<'w> {
    pub groups: Vec<Group>,
    /// How many statements these have.
    pub number: u64,
    /// What is looked at once more when they are there.
    pub together: Option<Together<'w>>,
    /// The image that sessions start with, where they do.
    pub image: Option<&'w Path>,
    /// The entries that groups can be taken from.
    pub earlier: Vec<Entry>,
}

/// The packages that were used together.
pub(super) struct Together<'w> {
    sets: &'w BTreeSet<BTreeSet<Uuid>>,
    loading: &'w Loading,
}

impl Together<'_> {
    /// First what notebooks use as a script would, which is as much use without a kernel, and then what is left in a kernel.
    fn in_turn(&self) -> [BTreeSet<BTreeSet<Uuid>>; 2] {
        let without =
            |set: &BTreeSet<Uuid>| set.iter().copied().filter(|package| *package != IJULIA).collect();
        let with = self.sets.iter().filter(|set| set.contains(&IJULIA)).cloned();
        [self.sets.iter().map(without).collect(), with.collect()]
    }
}

/// An entry of which groups can be taken over.
struct Earlier {
    entry: Entry,
    /// Their caches, within the startup package's folder.
    groups: BTreeMap<Uuid, PathBuf>,
}

impl Build<'_> {
    /// Builds the startup package and tries it. Each of its processes takes a turn.
    pub(super) async fn build_startup(
        &self,
        plan: &Plan,
        selection: &Selection,
        turns: &Semaphore,
    ) -> TriedStartup {
        let number = selection.total();
        let title =
            format!("compiling {}{} into a startup package", count(number, "statement"), selection.of);
        let phase = self.progress.phase(title);
        let started = Instant::now();
        let mut peak_memory_bytes = 0;
        let made = match self.try_startup(plan, selection, turns, &mut peak_memory_bytes).await {
            Ok(groups) => {
                phase.done(&describe(&groups));
                Ok(MadeStartup { plan: plan.clone(), groups, beside: selection.beside(), lasting: None })
            }
            Err(problem) => {
                drop(phase);
                self.progress.say(&format!("  no startup package: {problem}"));
                self.drop_startup();
                Err(problem)
            }
        };
        TriedStartup { made, phase: self.ended("startup", started.elapsed()), peak_memory_bytes }
    }

    /// Notes what came of it; `lasting` is what it is to hold when no image follows, if that is more.
    pub(super) fn note_startup(&mut self, tried: TriedStartup, lasting: Option<Selection>) {
        let TriedStartup { made, phase, peak_memory_bytes } = tried;
        self.report.saw_phase(phase, peak_memory_bytes);
        match made {
            Ok(made) => {
                warnings(&made.groups).for_each(|warning| self.report.warn_once(warning));
                self.startup = Some(MadeStartup { lasting, ..made });
            }
            Err(problem) => {
                self.report.warnings.push(problem.clone());
                self.startup_problem = Some(problem);
            }
        }
    }

    /// Commits a startup package that works while the build goes on: from here on it serves, whatever becomes of the image.
    /// `so_far` is the build's report up to now.
    pub(super) fn commit_startup(&self, tried: &TriedStartup, so_far: Report) -> Result<(), Error> {
        let Ok(made) = &tried.made else { return Ok(()) };
        // It would take the place of an image that is right, and that another may or may not follow.
        if let Some(image) = self.before.as_ref().and_then(|before| before.image()) {
            if !self.options.quick {
                self.progress
                    .say(&format!("`jlsys run` uses {} until the new image is there", image.display()));
            }
            return Ok(());
        }
        let mut report = made.describe(so_far);
        report.saw_phase(tried.phase.clone(), tried.peak_memory_bytes);
        warnings(&made.groups).for_each(|warning| report.warn_once(warning));
        report.image_pending = !self.is_settled;
        let Prepared { cache, inputs, environment, key, overrides, .. } = self.prepared;
        let entry = self.staging.commit_copy(cache, inputs, &mut report, None)?;
        cache.keep_project(&environment.project_file, *key, overrides)?;
        if !self.stops_at_startup() {
            let folder = entry.folder().display();
            self.progress.say(&format!("`jlsys run` uses {folder} until the image is there"));
        }
        Ok(())
    }

    async fn try_startup(
        &self,
        plan: &Plan,
        selection: &Selection,
        turns: &Semaphore,
        peak_memory_bytes: &mut u64,
    ) -> Result<Vec<GroupReport>, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        if let Some(reason) = self.nothing_loads(plan) {
            return Err(reason);
        }
        let Prepared { environment, julia, .. } = self.prepared;
        let file = File::open(&selection.path).map_err(|error| said(&error))?;
        let loading = Loading::of(plan, environment, julia);
        let mut groups =
            startup::groups::divide(BufReader::new(file).lines(), &loading).map_err(|error| said(&error))?;
        startup::groups::add_kernel(&mut groups, &selection.kernel.statements);
        groups.extend(self.own_groups(plan, &selection.own));
        let together = Together { sets: &selection.together, loading: &loading };
        let (image, earlier) = (None, self.earlier_entries());
        let wanted = Wanted { groups, number: selection.total(), together: Some(together), image, earlier };
        self.compile_groups(plan, wanted, turns, peak_memory_bytes).await
    }

    /// The groups for statements about the project's own packages.
    pub(super) fn own_groups(&self, plan: &Plan, statements: &[String]) -> Vec<Group> {
        if statements.is_empty() {
            return Vec::new();
        }
        let Prepared { environment, julia, .. } = self.prepared;
        startup::groups::divide_own(statements, &Loading::of(&plan.with_own(), environment, julia))
    }

    /// Compiles groups into a startup package, and tries them.
    pub(super) async fn compile_groups(
        &self,
        plan: &Plan,
        wanted: Wanted<'_>,
        turns: &Semaphore,
        peak_memory_bytes: &mut u64,
    ) -> Result<Vec<GroupReport>, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let Wanted { groups, number, together, image, earlier } = wanted;
        if groups.is_empty() {
            return Err("there are no statements, so that a startup package would save nothing".to_owned());
        }
        let Prepared { cache, settings, .. } = self.prepared;
        let sources = cache.startup_sources().map_err(|error| said(&error))?;
        let (folder, work, logs) = (self.staging.startup(), self.staging.work(), self.staging.logs());
        let inputs = StartupInputs {
            drivers: self.drivers(),
            sources: &sources,
            plan,
            image,
            folder: &folder,
            work: &work,
            logs: &logs,
            number,
            capacity: self.options.capacity(),
            time_limit: self.budget.left().map_or(PRECOMPILING_LIMIT, |left| left.min(PRECOMPILING_LIMIT)),
            statement_limit: settings.workloads.time_limit,
        };
        let here = self.prepared.here();
        let with_groups = |entry: Entry| Earlier { groups: entry.fresh_groups(&here), entry };
        let earlier: Vec<Earlier> = earlier.into_iter().map(with_groups).collect();
        startup::write_loaders(&folder).map_err(|error| said(&error))?;
        let first = async {
            let _turn = turns.acquire().await;
            startup::build_first(&inputs).await
        };
        let mut made = Groups::default();
        let (first, built) = join(first, self.make_groups(&inputs, groups, &made, &earlier, turns)).await;
        *peak_memory_bytes = first.map_err(|error| error.problem().to_string())?.peak_memory_bytes;
        made.add(built, &folder, peak_memory_bytes);
        let mut rests_on = self.settle(&inputs, &mut made, &earlier, turns, peak_memory_bytes).await?;

        for (sets, loading) in together.iter().flat_map(|it| it.in_turn().map(|sets| (sets, it.loading))) {
            let left = self.left_together(&inputs, &sets, loading, &made, turns).await;
            if !left.is_empty() {
                let built = self.make_groups(&inputs, left, &made, &earlier, turns).await;
                made.add(built, &folder, peak_memory_bytes);
                rests_on = self.settle(&inputs, &mut made, &earlier, turns, peak_memory_bytes).await?;
            }
        }
        keep_rests_on(&folder, &rests_on).map_err(|error| said(&error))?;
        Ok(made.kept.into_iter().map(|candidate| candidate.report).chain(made.left_out).collect())
    }

    /// Builds groups, several at once. Each rests on those before it that a session has when it loads this one, also of those that are
    /// there already: what is in these is neither compiled nor loaded a second time.
    async fn make_groups(
        &self,
        inputs: &StartupInputs<'_>,
        groups: Vec<Group>,
        there: &Groups,
        earlier: &[Earlier],
        turns: &Semaphore,
    ) -> Vec<(Candidate, Result<u64, StartupError>)> {
        let environment = &self.prepared.environment;
        // What is made in the place of a group that is there counts, and not that.
        let there_still =
            there.kept.iter().filter(|kept| groups.iter().all(|group| group.packages != kept.group.packages));
        let there_still: Vec<&Candidate> = there_still.collect();
        // What became of each: nothing yet, no group, or one.
        let ends: Vec<watch::Sender<Option<Option<Before>>>> =
            groups.iter().map(|_| watch::Sender::new(None)).collect();
        let building = groups.iter().enumerate().map(|(number, group)| {
            let loaded = environment.loaded_in_session(group.packages.keys().copied());
            let loaded: BTreeSet<Uuid> = loaded.into_iter().map(|package| package.uuid).collect();
            let is_there = move |other: &Group| other.packages.keys().all(|package| loaded.contains(package));
            let mut before: Vec<Before> = there_still
                .iter()
                .filter(|kept| is_there(&kept.group))
                .map(|kept| kept.as_before())
                .collect();
            let others = groups[..number].iter().zip(&ends).filter(|(other, _)| is_there(other));
            let others: Vec<_> = others.map(|(_, end)| end.subscribe()).collect();
            let end = &ends[number];
            let number = there.number() + number;
            async move {
                for mut other in others {
                    let other = other.wait_for(Option::is_some).await;
                    before.extend(other.ok().and_then(|other| other.clone().flatten()));
                }
                let (candidate, outcome) =
                    self.make_group(inputs, group.clone(), before, number, earlier, turns).await;
                end.send_replace(Some(outcome.is_ok().then(|| candidate.as_before())));
                (candidate, outcome)
            }
        });
        join_all(building).await
    }

    /// Tries what was made, and makes again what rests on a group that is not there any more.
    async fn settle(
        &self,
        inputs: &StartupInputs<'_>,
        made: &mut Groups,
        earlier: &[Earlier],
        turns: &Semaphore,
        peak_memory_bytes: &mut u64,
    ) -> Result<Foundation, String> {
        let mut tried = None;
        loop {
            let orphans = made.take_orphans(inputs.folder);
            if !orphans.is_empty() {
                tried = None;
                let built = self.make_groups(inputs, orphans, made, earlier, turns).await;
                made.add(built, inputs.folder, peak_memory_bytes);
                continue;
            }
            match tried {
                Some(rests_on) => return Ok(rests_on),
                None => tried = Some(self.try_made(inputs, made, turns).await?),
            }
        }
    }

    /// Tries all groups in a fresh process, and leaves out what does not work or is not worth having; what the others rest on.
    async fn try_made(
        &self,
        inputs: &StartupInputs<'_>,
        made: &mut Groups,
        turns: &Semaphore,
    ) -> Result<Foundation, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let list = |candidates: &[Candidate]| {
            let groups = candidates.iter().map(|it| (it.report.uuid, it.cache.as_path(), &it.group));
            startup::write_groups(inputs, groups).map_err(|error| said(&error))
        };
        if made.kept.is_empty() {
            let problem = made.left_out.pop().and_then(|report| report.left_out);
            return Err(problem.unwrap_or_default());
        }
        list(&made.kept)?;
        let tried = {
            let _turn = turns.acquire().await;
            startup::try_groups(inputs).await.map_err(|error| error.problem().to_string())?
        };
        let at_start = inputs.plan.outside_of_base(inputs.drivers.julia).next().is_none();
        let mut rests_on = Foundation::default();
        let here = self.prepared.here();
        let is_own = |uuid| self.prepared.plan.own.has(uuid);
        let files = tried.files.into_iter();
        rests_on.files = files.map(|(cache, read)| (cache, read.beyond_the_key(&here, is_own))).collect();
        for (mut candidate, mut tried) in std::mem::take(&mut made.kept).into_iter().zip(tried.groups) {
            candidate.report.take_trial(&tried, at_start);
            if candidate.report.left_out.is_some() {
                remove_cache(inputs.folder, &candidate.cache);
                made.left_out.push(candidate.report);
                continue;
            }
            // What comes from an image is judged with it.
            let own = &inputs.plan.own;
            let names = own.packages.iter().map(|package| &package.name);
            let names: Vec<_> = names.chain(own.extensions.iter().map(|extension| &extension.name)).collect();
            let is_beside = |cache: &PathBuf| names.contains(&&startup::package_of(cache));
            tried.rests_on.retain(|cache| inputs.image.is_none() || is_beside(cache));
            let (uuid, packages) = (candidate.report.uuid, candidate.report.packages.clone());
            rests_on.groups.push(RestsOn {
                uuid,
                packages,
                cache: candidate.cache.clone(),
                caches: tried.rests_on,
            });
            made.kept.push(candidate);
        }
        if made.kept.is_empty() {
            let mut reasons = made.left_out.iter().filter_map(|report| report.left_out.as_deref());
            let reason = reasons.next_back().unwrap_or_default();
            return Err(format!("the startup package is not used: {reason}"));
        }
        list(&made.kept)?;
        Ok(rests_on)
    }

    /// What a session that loads all packages of one of these sets would still compile of the groups' statements: as a group for each set, with
    /// what the group has that waits for just these, if there is one.
    async fn left_together(
        &self,
        inputs: &StartupInputs<'_>,
        sets: &BTreeSet<BTreeSet<Uuid>>,
        loading: &Loading,
        made: &Groups,
        turns: &Semaphore,
    ) -> Vec<Group> {
        let groups = made.kept.iter().map(|candidate| &candidate.group);
        let mut wanted: Vec<Group> = Vec::new();
        for group in sets.iter().filter_map(|set| startup::groups::together(set, groups.clone(), loading)) {
            if wanted.iter().all(|other| other.packages != group.packages) {
                wanted.push(group);
            }
        }
        wanted.sort_by_key(|group| std::cmp::Reverse(group.statements.len()));
        wanted.truncate(MOST_TOGETHER);
        let looking = wanted.into_iter().enumerate().map(|(number, group)| async move {
            let _turn = turns.acquire().await;
            // Without it the session compiles them, as it would anyway.
            let left = startup::left_of(inputs, &group, number).await.unwrap_or_default();
            let same = made.kept.iter().find(|candidate| candidate.group.packages == group.packages);
            let statements = same.into_iter().flat_map(|same| same.group.statements.iter().cloned());
            let again = left.len();
            let statements = statements.chain(left).collect();
            (again > 0).then_some(Group { packages: group.packages, statements, again, is_own: false })
        });
        join_all(looking).await.into_iter().flatten().collect()
    }

    /// Builds a group, or takes it from an earlier entry; with the peak memory of what was run for it.
    async fn make_group(
        &self,
        inputs: &StartupInputs<'_>,
        group: Group,
        before: Vec<Before>,
        number: usize,
        earlier: &[Earlier],
        turns: &Semaphore,
    ) -> (Candidate, Result<u64, StartupError>) {
        let Prepared { environment, inputs: key, .. } = self.prepared;
        let uuid = key.group_uuid(&group, &before, environment);
        let mut report = GroupReport::new(uuid, &group);
        // One that rests on what was made anew would not be loaded, though it is the same.
        if before.iter().all(|before| before.is_reused)
            && let Some((cache, last)) =
                earlier.iter().find_map(|earlier| take_over(earlier, uuid, inputs.folder))
        {
            report = GroupReport { reused: true, ..last };
            return (Candidate { group, before, cache, report }, Ok(0));
        }
        let _turn = turns.acquire().await;
        let built = startup::build_group(inputs, &group, &before, uuid, number).await;
        let (cache, outcome) = match built {
            Ok((Precompiled { cache, peak_memory_bytes, .. }, Replay { compiled, rejected }, seconds)) => {
                (report.compiled, report.rejected, report.inferring_seconds) = (compiled, rejected, seconds);
                report.bytes = files_of(&inputs.folder.join(&cache)).map(|file| size_of(&file)).sum();
                (cache, Ok(peak_memory_bytes))
            }
            Err(error) => (PathBuf::new(), Err(error)),
        };
        (Candidate { group, before, cache, report }, outcome)
    }

    /// The entries that groups can be taken from: what there is for this key, and what the project used last.
    fn earlier_entries(&self) -> Vec<Entry> {
        if self.options.force {
            return Vec::new();
        }
        let Prepared { cache, key, last_built, .. } = self.prepared;
        let last = last_built.as_ref().map(|record| record.key).filter(|last| last != key);
        std::iter::once(*key).chain(last).filter_map(|key| cache.entry(&key).ok()).collect()
    }

    /// Ends a build that was to stop at the startup package.
    pub(super) fn stop_at_startup(mut self) -> Result<Report, Error> {
        if self.startup.is_some() {
            let entry = self.prepared.cache.entry(&self.prepared.key).ok();
            let mut report = entry.and_then(|entry| entry.report().ok()).unwrap_or(self.report);
            if self.before.is_some() {
                report.outcome = BuildOutcome::Hit;
            }
            return Ok(report);
        }
        // It is not remembered as a failure: an image was not tried.
        let reason = self.startup_problem.take();
        let reason = reason.unwrap_or_else(|| "there was nothing to put into a startup package".to_owned());
        self.report.came_to_nothing(reason);
        Ok(self.report)
    }

    /// Ends a build that has a startup package and no image to use instead, for this reason.
    pub(super) async fn settle_for_startup(mut self, reason: String) -> Result<Report, Error> {
        if self.before.is_some() {
            return self.give_up(reason);
        }
        let _ = std::fs::remove_file(self.staging.image());
        if let Some(made) = &mut self.startup
            && let Some(lasting) = made.lasting.take()
        {
            let plan = made.plan.clone();
            self.staging.set_startup_aside()?;
            let tried = self.build_startup(&plan, &lasting, &Semaphore::new(self.jobs())).await;
            if tried.made.is_err() {
                self.staging.take_startup_back()?;
            }
            self.note_startup(tried, None);
        }
        let mut report = match &self.startup {
            Some(made) => made.describe(self.report),
            None => self.report,
        };
        self.staging.commit(&self.prepared.cache, &self.prepared.inputs, &mut report, None)?;
        Ok(report)
    }

    /// Takes the startup package out of the entry that is being built: an image has all that is in it.
    pub(super) fn drop_startup(&self) {
        let _ = std::fs::remove_dir_all(self.staging.startup());
    }
}

impl Groups {
    /// Takes in what was built, in the place of a group that waits for the same packages, and notes the peak memory of it.
    fn add(
        &mut self,
        built: Vec<(Candidate, Result<u64, StartupError>)>,
        folder: &Path,
        peak_memory_bytes: &mut u64,
    ) {
        for (candidate, outcome) in built {
            match outcome {
                Ok(peak) => {
                    *peak_memory_bytes = peak.max(*peak_memory_bytes);
                    let is_same = |kept: &mut Candidate| kept.group.packages == candidate.group.packages;
                    self.kept.extract_if(.., is_same).for_each(|kept| remove_cache(folder, &kept.cache));
                    self.kept.push(candidate);
                }
                Err(error) => self
                    .left_out
                    .push(GroupReport { left_out: Some(error.problem().to_string()), ..candidate.report }),
            }
        }
    }

    fn number(&self) -> usize {
        self.kept.len() + self.left_out.len()
    }

    /// Takes out the groups that rest on one that is not among these, or on one that does.
    fn take_orphans(&mut self, folder: &Path) -> Vec<Group> {
        let mut there: BTreeSet<Uuid> = BTreeSet::new();
        let mut orphans = Vec::new();
        self.kept.retain(|kept| {
            let is_complete = kept.before.iter().all(|before| there.contains(&before.uuid));
            if is_complete {
                there.insert(kept.report.uuid);
            } else {
                remove_cache(folder, &kept.cache);
                orphans.push(kept.group.clone());
            }
            is_complete
        });
        orphans
    }
}

impl Candidate {
    fn as_before(&self) -> Before {
        Before { uuid: self.report.uuid, cache: self.cache.clone(), is_reused: self.report.reused }
    }
}

/// Copies a group out of an entry, if it is there and Julia would load it: its cache, and what was reported of it.
fn take_over(earlier: &Earlier, uuid: Uuid, folder: &Path) -> Option<(PathBuf, GroupReport)> {
    let Earlier { entry, groups } = earlier;
    let cache = groups.get(&uuid)?.clone();
    let report = entry.report().ok()?.groups.into_iter().find(|group| group.uuid == uuid)?;
    let (from, to) = (entry.startup()?.join(&cache), folder.join(&cache));
    std::fs::create_dir_all(to.parent()?).ok()?;
    for (from, to) in files_of(&from).zip(files_of(&to)) {
        copy_file(&from, &to).ok()?;
    }
    Some((cache, report))
}

/// A cache, and the package image that goes with it.
pub(super) fn files_of(cache: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    [cache.to_owned(), cache.with_extension(std::env::consts::DLL_EXTENSION)].into_iter()
}

fn size_of(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

fn remove_cache(folder: &Path, cache: &Path) {
    for file in files_of(&folder.join(cache)) {
        let _ = std::fs::remove_file(file);
    }
}

/// What came of the groups in a few words.
pub(super) fn describe(groups: &[GroupReport]) -> String {
    let used = || groups.iter().filter(|group| group.left_out.is_none());
    let sum = |number: fn(&GroupReport) -> u64| used().map(number).sum::<u64>();
    let reused = used().filter(|group| group.reused).count();
    let reused = if reused == 0 { String::new() } else { format!(" ({reused} reused)") };
    let replayed =
        Replay { compiled: sum(GroupReport::compiled_first), rejected: sum(|group| group.rejected) };
    format!("{replayed}, in {}{reused}", count(used().count(), "group"))
}

impl GroupReport {
    /// Of a group that is still to be built.
    fn new(uuid: Uuid, group: &Group) -> Self {
        Self {
            uuid,
            packages: group.packages.values().cloned().collect(),
            statements: group.statements.len() as u64,
            again: group.again as u64,
            compiled: 0,
            rejected: 0,
            inferring_seconds: 0.0,
            bytes: 0,
            loading_seconds: 0.0,
            memory_bytes: 0,
            reused: false,
            left_out: None,
        }
    }

    /// How many statements are compiled that are in no other group.
    fn compiled_first(&self) -> u64 {
        self.compiled.saturating_sub(self.again)
    }

    /// Notes what came of trying it, and whether it is worth having: one that takes longer to load than its statements took to infer costs
    /// a session more than it saves, even if that needs them all. Where there is nothing to wait for (`at_start`), one that waits for nothing
    /// costs those that use nothing of it, too.
    fn take_trial(&mut self, tried: &TriedGroup, at_start: bool) {
        (self.loading_seconds, self.memory_bytes) = (tried.seconds, tried.memory_bytes);
        if let Some(problem) = &tried.problem {
            self.left_out = Some(problem.clone());
        } else if self.compiled == 0 {
            self.left_out = Some("Julia refused every statement".to_owned());
        } else if at_start && self.packages.is_empty() && self.bytes > LARGEST_AT_START {
            self.left_out = Some(format!(
                "all are about what is in Julia's own image, so that every session would load {}, whatever it uses",
                HumanBytes(self.bytes)
            ));
        } else if tried.seconds > self.inferring_seconds {
            self.left_out = Some(format!(
                "it takes {:.0} ms to load, and its {} no more than {:.0} ms to compile",
                tried.seconds * 1e3,
                count(self.compiled, "statement"),
                self.inferring_seconds * 1e3
            ));
        }
    }
}

impl MadeStartup {
    /// A build's report, at the tier of the startup package.
    fn describe(&self, mut report: Report) -> Report {
        report.tier = Tier::Startup;
        report.set_plan(&self.plan.with_own());
        report.statements.kept += self.beside;
        let used = || self.groups.iter().filter(|group| group.left_out.is_none());
        report.statements.compiled = used().map(GroupReport::compiled_first).sum();
        report.statements.rejected = used().map(|group| group.rejected).sum();
        // A statement may be in several groups.
        let tried = report.statements.compiled + report.statements.rejected;
        report.statements.left_out = report.statements.kept.saturating_sub(tried);
        report.groups = self.groups.clone();
        report
    }
}

/// Which groups do not work, one sentence each.
pub(super) fn warnings(groups: &[GroupReport]) -> impl Iterator<Item = String> {
    let left_out = groups.iter().filter_map(|group| Some((group, group.left_out.as_ref()?)));
    left_out.map(|(group, reason)| {
        let packages = match group.packages.as_slice() {
            [] => String::new(),
            packages => format!(" for {}", packages.join(" and ")),
        };
        format!("{}{packages} left out: {reason}", count(group.statements, "statement"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(digit: u128, before: &[u128]) -> Candidate {
        let uuid = Uuid::from_u128(digit);
        let before = before.iter().map(|digit| candidate(*digit, &[]).as_before()).collect();
        let packages = BTreeMap::from([(uuid, digit.to_string())]);
        let group = Group { packages, statements: Vec::new(), again: 0, is_own: false };
        let (cache, report) = (PathBuf::from(format!("{digit}.ji")), GroupReport::new(uuid, &group));
        Candidate { group, before, cache, report }
    }

    #[test]
    fn what_rests_on_a_group_that_is_gone_is_to_be_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut groups = Groups {
            kept: vec![candidate(2, &[]), candidate(3, &[1]), candidate(4, &[2]), candidate(5, &[2, 3])],
            left_out: Vec::new(),
        };
        for kept in &groups.kept {
            std::fs::write(folder.path().join(&kept.cache), "").unwrap();
        }
        let names = |groups: &[Group]| {
            groups.iter().flat_map(|group| group.packages.values().cloned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&groups.take_orphans(folder.path())), ["3", "5"]);
        assert_eq!(
            groups.kept.iter().map(|kept| kept.report.uuid).collect::<Vec<_>>(),
            [2, 4].map(Uuid::from_u128)
        );
        // Their caches must not be found any more.
        let left: BTreeSet<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(left, ["2.ji", "4.ji"].map(Into::into).into());
        assert!(groups.take_orphans(folder.path()).is_empty());
    }
}
