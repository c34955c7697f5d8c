//! Replaying statements in a process, and what becomes of them.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process;
use crate::trace::ReplayResults;
use crate::words::count;

/// What became of the statements; see `julia/replay.jl`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Statements that were compiled.
    pub compiled: u64,
    /// Statements that Julia refused, or that could not be evaluated.
    pub rejected: u64,
}

impl std::fmt::Display for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { compiled, rejected } = self;
        let statements = count(compiled + rejected, "statement");
        match rejected {
            0 => write!(f, "{statements} compiled"),
            _ => write!(f, "{compiled} of {statements} compiled, Julia refused {rejected}"),
        }
    }
}

/// Compiling one statement did not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("compiling statement {line} took more than {} s, so Julia was ended", .limit.as_secs())]
pub struct Stalled {
    /// The statement's line, counted from 1.
    pub line: u64,
    /// How long it was waited for.
    pub limit: Duration,
}

/// Julia's own words, as a part of a sentence.
pub(crate) fn said(log: &Path) -> String {
    let error = process::julia_error(log);
    if error.is_empty() { error } else { format!(" ({error})") }
}

/// Becomes ready when one statement takes longer than `limit`; which one.
pub(crate) async fn stalled(replayed: &Path, limit: Duration) -> Stalled {
    let mut last = (0, std::time::Instant::now());
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let text = std::fs::read_to_string(replayed).unwrap_or_default();
        let replay = ReplayResults::parse(&text).unwrap_or_default();
        if replay.line != last.0 || replay.finished {
            last = (replay.line, std::time::Instant::now());
        }
        if last.0 > 0 && last.1.elapsed() > limit {
            return Stalled { line: last.0, limit };
        }
    }
}

/// Becomes ready when the statements are not all compiled by the time that `limit` is over; with the limit.
pub(super) async fn late(replayed: &Path, limit: Option<Duration>) -> Duration {
    if let Some(limit) = limit {
        tokio::time::sleep(limit).await;
        let text = std::fs::read_to_string(replayed).unwrap_or_default();
        if !ReplayResults::parse(&text).is_ok_and(|replay| replay.finished) {
            return limit;
        }
    }
    std::future::pending().await
}
