//! How it stands with a project's image: every command judges by this.

use crate::cache::{Entry, FailedBuild, Unusable};
use crate::cpu::HostCpu;
use crate::key::differences;
use crate::prepare::Prepared;
use crate::sysimage::{self, NoTarget, Served};
use crate::words::count;

/// Whether there is an image for a project as it is now.
pub enum State {
    /// There is.
    Ready(Box<Entry>),
    /// There never was one for this project.
    Missing,
    /// There was one, and it was removed from the cache.
    Removed,
    /// There is one for what the project was when it was built, and what changed since; nothing where that cannot be told.
    Stale(Vec<String>),
    /// It could not be built.
    Failed(FailedBuild),
    /// There is one, and something is wrong with it.
    Damaged(String),
    /// There is one, and this CPU cannot run it.
    OtherCpu,
    /// There can be none for the CPUs that it is to be for.
    NoTarget(NoTarget),
    /// There is one, and something beside its content is another than where it was built.
    OtherWorld(Vec<String>),
    /// There is one, and the system does not let Julia load it.
    Unmappable(String),
    /// Whether there is one or not, a session would load other packages.
    Hidden(String),
}

impl State {
    /// The same for a session that is started here and now.
    pub fn for_session(prepared: &Prepared) -> Self {
        prepared.hidden.clone().map_or_else(|| Self::of(prepared), Self::Hidden)
    }

    /// How it stands with the image of `prepared`, without starting a process.
    pub fn of(prepared: &Prepared) -> Self {
        let cache = &prepared.cache;
        match prepared.entry(&prepared.key) {
            Err(Unusable::Missing) => {}
            entry => return Self::of_entry(entry, prepared),
        }
        let built = prepared.last_built.as_ref();
        let before = built.filter(|record| record.key != prepared.key);
        // In a session notebooks are edited and saved all the time. What they did when the image was built decides what it
        // holds beside the packages, and not whether these are right.
        if let Some(entry) = before.and_then(|record| cache.entry(&record.key).ok())
            && entry.key_inputs().is_ok_and(|inputs| inputs.differs_in_notebooks_alone(&prepared.inputs))
        {
            let is_right_here = entry.check_world(&prepared.here());
            return Self::of_entry(is_right_here.map(|()| entry), prepared);
        }
        if let Served::No(refusal) = prepared.target_is_served() {
            return Self::NoTarget(refusal);
        }
        if let Some(failed) = failed(prepared) {
            return Self::Failed(failed);
        }
        let Some(record) = built else { return Self::Missing };
        match cache.entry_as_is(&record.key) {
            // What the project was built with last was not built, and never came to be.
            Err(Unusable::Missing) if record.failed.as_ref().is_some_and(|it| it.key == record.key) => {
                Self::Missing
            }
            Err(Unusable::Missing) => Self::Removed,
            entry => Self::Stale(
                entry
                    .ok()
                    .and_then(|entry| entry.key_inputs().ok())
                    .map_or_else(Vec::new, |inputs| differences(&inputs, &prepared.inputs)),
            ),
        }
    }

    fn of_entry(entry: Result<Entry, Unusable>, prepared: &Prepared) -> Self {
        match entry {
            Ok(entry) if entry.runs_on(&HostCpu::detect()) == Some(false) => Self::OtherCpu,
            Ok(entry) => {
                let stale = entry.stale_groups(&prepared.here());
                // Julia would load nothing of it.
                if stale.is_all() { Self::OtherWorld(stale.changes) } else { Self::Ready(Box::new(entry)) }
            }
            Err(Unusable::OtherWorld(differences)) => Self::OtherWorld(differences),
            Err(Unusable::Unmappable(why)) => Self::Unmappable(why),
            // The format is part of the key, so nobody's version of jlsys would have put it there.
            Err(damaged) => Self::Damaged(damaged.to_string()),
        }
    }

    /// The entry that is ready as far as one knows, and whose image was not tried on this CPU yet.
    pub fn untried(&self) -> Option<&Entry> {
        match self {
            Self::Ready(entry) => {
                let is_known = entry.image().is_none() || entry.runs_on(&HostCpu::detect()).is_some();
                (!is_known).then_some(entry)
            }
            _ => None,
        }
    }

    /// The state after the image was tried on this CPU, where that was not done yet. One that was built for several kinds of CPU is
    /// tried once on each.
    pub async fn tried(self, prepared: &Prepared) -> Self {
        let untried = self.untried().and_then(|entry| Some((entry, entry.image()?)));
        let Some((entry, image)) = untried else { return self };
        let works = sysimage::starts(&prepared.julia, &image).await;
        // Without the verdict the next start tries again, which is slow and right.
        let _ = entry.keep_verdict(&HostCpu::detect(), works);
        if works { self } else { Self::OtherCpu }
    }

    /// The state in one word, as `status --json` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "ready",
            Self::Missing | Self::Removed => "missing",
            Self::Stale(_) | Self::OtherWorld(_) => "stale",
            Self::Failed(_)
            | Self::Damaged(_)
            | Self::OtherCpu
            | Self::NoTarget(_)
            | Self::Unmappable(_)
            | Self::Hidden(_) => "failed",
        }
    }

    /// What changed since it was built, where that is why it is not current.
    pub fn changed(&self) -> &[String] {
        match self {
            Self::Stale(changed) | Self::OtherWorld(changed) => changed,
            _ => &[],
        }
    }

    /// Why the last build came to nothing, where it did and the state is about another.
    pub fn last_failure<'a>(&self, prepared: &'a Prepared) -> Option<&'a str> {
        let failed = prepared.last_built.as_ref()?.failed.as_ref()?;
        (!matches!(self, Self::Failed(_))).then_some(&failed.reason)
    }

    /// Why there is no image to use, as the end of a sentence.
    pub fn reason(&self, prepared: &Prepared) -> String {
        let project = prepared.environment.project_dir().display();
        match self {
            Self::Ready(_) => "it is ready".to_owned(),
            Self::Missing if prepared.is_last_resort => format!(
                "there is no project here, and no image yet for {project}; `jlsys build --project @v{}` builds one",
                prepared.julia.facts.version.major_minor()
            ),
            Self::Missing => format!("no image yet for {project}; `jlsys build` builds one"),
            Self::Stale(changed) => match changed.as_slice() {
                [] => "something changed since it was built, and what it was built from cannot be read; `jlsys build` \
                       builds a new one"
                    .to_owned(),
                [change] => format!("{change} since it was built; `jlsys build` builds a new one"),
                [change, rest @ ..] => format!(
                    "{change} and {} more since it was built; `jlsys build` builds a new one",
                    count(rest.len(), "change")
                ),
            },
            Self::Removed => format!(
                "the image of {project} is no longer in the cache; `jlsys build` builds it again"
            ),
            Self::Failed(failed) => {
                format!("the last build came to nothing: {}; {} tries again", failed.reason, again(prepared))
            }
            Self::OtherCpu => format!(
                "the image was built for other CPUs ({}) than this one; `jlsys build --cpu-target native` builds one for this",
                prepared.inputs.cpu_target
            ),
            Self::Damaged(what) => format!("{what}; {} builds it again", again(prepared)),
            Self::NoTarget(refusal) => refusal.to_string(),
            Self::OtherWorld(differences) => {
                let first = differences.first().map_or("it is not right here", String::as_str);
                let more = match differences.len() {
                    0 | 1 => String::new(),
                    number => format!(" (and {} more)", count(number - 1, "difference")),
                };
                format!("{first}{more}; `jlsys build` builds it anew")
            }
            Self::Unmappable(why) | Self::Hidden(why) => why.clone(),
        }
    }
}

/// The build that came to nothing, if the last one for this key did.
fn failed(prepared: &Prepared) -> Option<FailedBuild> {
    let key = prepared.key;
    let remembered = prepared.cache.failure(&key).map(|report| {
        let reason = report.failure.or_else(|| report.warnings.into_iter().next());
        FailedBuild { key, reason: reason.unwrap_or_else(|| "why was not kept".to_owned()) }
    });
    let noted = || prepared.last_built.as_ref()?.failed.clone().filter(|failed| failed.key == key);
    remembered.or_else(noted)
}

/// The command that builds although a build for this key may have come to nothing.
fn again(prepared: &Prepared) -> &'static str {
    match prepared.cache.failure(&prepared.key) {
        Some(_) => "`jlsys build --retry`",
        None => "`jlsys build`",
    }
}
