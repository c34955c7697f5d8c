//! What the user sees while work goes on: a spinner a phase on a terminal, dated lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Zoned;

use crate::duration::took;
use crate::output::tell;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Errors alone.
    Quiet,
    /// What is done, what took how long, and what to know.
    #[default]
    Normal,
    /// Also every workload as it starts, and every warning's details.
    Verbose,
}

/// Where progress is shown: on standard error, since standard output belongs to documents.
#[derive(Debug, Clone)]
pub struct Progress {
    verbosity: Verbosity,
    bars: Option<MultiProgress>,
}

/// A piece of work that is under way; it ends with [`Phase::done`], or without a word when dropped.
#[derive(Debug)]
pub struct Phase {
    progress: Progress,
    name: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Shows progress in the way that suits standard error.
    pub fn new(verbosity: Verbosity) -> Self {
        let on_terminal = std::io::stderr().is_terminal() && verbosity > Verbosity::Quiet;
        Self { verbosity, bars: on_terminal.then(MultiProgress::new) }
    }

    /// Starts a phase.
    pub fn phase(&self, name: impl Into<String>) -> Phase {
        let name = name.into();
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            // The template is a constant, so it is either right or found wrong by the first test.
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_message(name.clone());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if bar.is_none() {
            self.line(Verbosity::Normal, &format!("{name} ..."));
        }
        Phase { progress: self.clone(), name, started: Instant::now(), bar }
    }

    /// Says something that the user should know, however little they want to hear, unless it is nothing at all.
    pub fn warn(&self, text: &str) {
        self.line(Verbosity::Normal, &format!("warning: {text}"));
    }

    /// Says something that is as it should be, and good to know.
    pub fn note(&self, text: &str) {
        self.line(Verbosity::Normal, &format!("note: {text}"));
    }

    /// Says what was done.
    pub fn say(&self, text: &str) {
        self.line(Verbosity::Normal, text);
    }

    /// Says a detail, to those who asked for details.
    pub fn detail(&self, text: &str) {
        self.line(Verbosity::Verbose, text);
    }

    fn line(&self, least: Verbosity, text: &str) {
        if self.verbosity < least {
            return;
        }
        match &self.bars {
            Some(bars) => bars.suspend(|| tell(text)),
            // In a build log, when something happened is half of what one wants to know.
            None => tell(format_args!("{} {text}", Zoned::now().strftime("%Y-%m-%d %H:%M:%S"))),
        }
    }
}

impl Phase {
    /// Ends the phase with what came of it, and tells how long it took.
    pub fn done(self, result: &str) -> Duration {
        let elapsed = self.started.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let colon = if result.is_empty() { "" } else { ": " };
        self.progress.say(&format!("{}{colon}{result} ({})", self.name, took(elapsed.as_secs_f64())));
        elapsed
    }

    /// Replaces what the spinner says.
    pub fn update(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {detail}", self.name));
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
