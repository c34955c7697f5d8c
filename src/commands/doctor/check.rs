//! What was looked at, and what was found.

use serde::Serialize;

/// How it stands with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mark {
    /// As it should be.
    Ok,
    /// Nothing is wrong, but it is good to know.
    Note,
    /// A build starts, and may come to less, or not be used.
    Warn,
    /// A build would not start.
    Fail,
}

impl Mark {
    /// The mark as it is shown; as wide as any other.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok  ",
            Self::Note => "note",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What: one word.
    pub name: &'static str,
    /// How it stands.
    pub mark: Mark,
    /// What was found, in one line.
    pub finding: String,
    /// What to do, where the finding does not say it.
    pub advice: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Mark::Ok, finding)
    }

    pub(super) fn note(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Mark::Note, finding)
    }

    pub(super) fn warn(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Mark::Warn, finding)
    }

    pub(super) fn fail(name: &'static str, finding: impl Into<String>) -> Self {
        Self::new(name, Mark::Fail, finding)
    }

    fn new(name: &'static str, mark: Mark, finding: impl Into<String>) -> Self {
        Self { name, mark, finding: finding.into(), advice: None }
    }

    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}
