//! How it stands with a project's image: every command judges by this.

use crate::cache::{Entry, Unusable};
use crate::key::differences;
use crate::pipeline::count;
use crate::prepare::Prepared;
use crate::sysimage::{HostCpu, NoTarget, Served};

/// Whether there is an image for a project as it is now.
pub enum State {
    /// There is.
    Ready(Box<Entry>),
    /// There never was one for this project.
    Missing,
    /// There is one for what the project was when it was built.
    Stale(Vec<String>),
    /// It could not be built.
    Failed(String),
    /// There is one, and something is wrong with it.
    Damaged(String),
    /// There is one, and this CPU cannot run it.
    OtherCpu,
    /// There can be none for the CPUs that it is to be for.
    NoTarget(NoTarget),
}

impl State {
    /// How it stands with the image of `prepared`, without starting a process.
    pub fn of(prepared: &Prepared) -> Self {
        match prepared.cache.entry(&prepared.key) {
            Ok(entry) if entry.runs_on(&HostCpu::detect()) == Some(false) => return Self::OtherCpu,
            Ok(entry) => return Self::Ready(Box::new(entry)),
            Err(Unusable::Damaged(what)) => return Self::Damaged(what),
            // The format is part of the key, so nobody's version of jlsys would have put it there.
            Err(other @ Unusable::OtherFormat(_)) => return Self::Damaged(other.to_string()),
            Err(Unusable::Missing) => {}
        }
        if let Served::No(refusal) = prepared.target_is_served() {
            return Self::NoTarget(refusal);
        }
        if let Some(report) = prepared.cache.failure(&prepared.key) {
            let reason = report.warnings.first().cloned();
            return Self::Failed(reason.unwrap_or_else(|| "the last build came to nothing".to_owned()));
        }
        match &prepared.last_built {
            None => Self::Missing,
            Some(record) => {
                let old = prepared.cache.entry(&record.key).ok();
                let Some((inputs, entry)) = old.and_then(|entry| Some((entry.key_inputs().ok()?, entry)))
                else {
                    return Self::Stale(Vec::new());
                };
                // In a session notebooks are edited and saved all the time. What they did when the image was built decides what it
                // holds beside the packages, and not whether these are right.
                if !inputs.differs_in_notebooks_alone(&prepared.inputs) {
                    return Self::Stale(differences(&inputs, &prepared.inputs));
                }
                match entry.runs_on(&HostCpu::detect()) {
                    Some(false) => Self::OtherCpu,
                    _ => Self::Ready(Box::new(entry)),
                }
            }
        }
    }

    /// The state in one word, as `status --json` has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "ready",
            Self::Missing => "missing",
            Self::Stale(_) => "stale",
            Self::Failed(_) | Self::Damaged(_) | Self::OtherCpu | Self::NoTarget(_) => "failed",
        }
    }

    /// What changed since it was built, where that is why it is not current.
    pub fn changed(&self) -> &[String] {
        match self {
            Self::Stale(changed) => changed,
            _ => &[],
        }
    }

    /// Why there is no image to use, as the end of a sentence.
    pub fn reason(&self, prepared: &Prepared) -> String {
        let project = prepared.environment.project_dir().display();
        match self {
            Self::Ready(_) => "it is ready".to_owned(),
            Self::Missing => format!("none was built for {project} yet; `jlsys build` builds it"),
            Self::Stale(changed) => match changed.as_slice() {
                [] => "the project changed since it was built; `jlsys build` builds a new one".to_owned(),
                [change] => format!("{change} since it was built; `jlsys build` builds a new one"),
                [change, rest @ ..] => format!(
                    "{change} and {} more since it was built; `jlsys build` builds a new one",
                    count(rest.len(), "change")
                ),
            },
            Self::Failed(reason) => {
                format!("it could not be built: {reason}; `jlsys build --retry` tries again")
            }
            Self::OtherCpu => format!(
                "it was built for other CPUs ({}) than this one; `jlsys build --cpu-target native` builds one for this",
                prepared.inputs.cpu_target
            ),
            Self::Damaged(what) => format!("{what}; `jlsys build` builds it again"),
            Self::NoTarget(refusal) => refusal.to_string(),
        }
    }
}
