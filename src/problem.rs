//! What went wrong, as it is told.

use std::fmt;
use std::path::{Path, PathBuf};

/// What stands between the sentence and the log.
const SEE: &str = "; see ";

/// What went wrong, and the log that tells more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A sentence without its end.
    pub what: String,
    /// What a process printed.
    pub log: Option<PathBuf>,
}

impl Problem {
    /// One of which there is no log.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), log: None }
    }

    /// The same with a log.
    pub fn with_log(self, log: impl Into<PathBuf>) -> Self {
        Self { log: Some(log.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.log.as_ref().map_or(Ok(()), |log| write!(f, "{SEE}{}", log.display()))
    }
}

/// What a problem's text says without its log: reports travel, logs do not.
pub fn without_log(text: &str) -> &str {
    text.rsplit_once(SEE).filter(|(_, log)| Path::new(log).is_absolute()).map_or(text, |(what, _)| what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_log_begins() {
        let problem = Problem::new("Julia exited with status 1; see above").with_log("/cache/logs/a.log");
        let text = problem.to_string();
        assert_eq!(text, "Julia exited with status 1; see above; see /cache/logs/a.log");
        assert_eq!(without_log(&text), problem.what);
        assert_eq!(without_log(&problem.what), problem.what);
    }
}
