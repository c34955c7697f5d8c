//! `jlsys cache …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{KeygenArgs, PullArgs, PushArgs, examples};
use crate::cache::Limits;
use crate::config::size;
use crate::profile::DEFAULT_FILE;

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// List the cached images, the newest first
    List(ListArgs),
    /// Show everything that is known about an image, or what differs between two
    Show(ShowArgs),
    /// Check every file of the cached images against what was committed
    Verify(VerifyArgs),
    /// Remove images that are over a limit, and what killed builds left
    Gc(GcArgs),
    /// Remove images
    Rm(RmArgs),
    /// Remove everything: images, traces, logs, and what is known of projects and Julias
    Clean(CleanArgs),
    /// Put images on a remote, signed, for other machines
    Push(PushArgs),
    /// Take images from a remote that somebody who is accepted signed
    Pull(PullArgs),
    /// Make a key to sign images with
    Keygen(KeygenArgs),
    /// Print the cache's folder
    #[command(after_help = examples::CACHE_DIR)]
    Dir,
}

/// `jlsys cache list`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_LIST)]
pub struct ListArgs {
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

/// `jlsys cache show`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_SHOW)]
pub struct ShowArgs {
    /// The image: the beginning of its key, or a project's folder or file
    #[arg(default_value = ".")]
    pub key: String,
    /// Show what differs from KEY to this one instead
    #[arg(long, value_name = "KEY")]
    pub diff: Option<String>,
    /// Also write a page with a timeline of the build to this file (by default jlsys-profile.html)
    #[arg(long, conflicts_with = "diff", value_name = "FILE", num_args = 0..=1, default_missing_value = DEFAULT_FILE)]
    pub profile: Option<PathBuf>,
    /// Also list every package, how many statements each owns, and which lines were not kept
    #[arg(long, conflicts_with = "diff")]
    pub packages: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `jlsys cache verify`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_VERIFY)]
pub struct VerifyArgs {
    /// The images: beginnings of keys, or projects' folders or files (by default all)
    pub keys: Vec<String>,
    /// Also start Julia once with each image
    #[arg(long)]
    pub start: bool,
    /// Remove the images with something wrong
    #[arg(long)]
    pub repair: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `jlsys cache gc`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_GC)]
pub struct GcArgs {
    /// The greatest size of all images together, such as `20G`; the ones used last stay
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// How long an image may stay unused, such as `90d`
    #[arg(long, value_name = "TIME", value_parser = age)]
    max_age: Option<Duration>,
    /// How many images of one project may stay
    #[arg(long, value_name = "N", value_parser = number)]
    keep: Option<usize>,
    /// Remove nothing, and say what would be removed
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Remove, also when started on a terminal
    #[arg(long, short)]
    pub yes: bool,
    /// Print the answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `jlsys cache rm`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_RM)]
pub struct RmArgs {
    /// The images: beginnings of keys, or projects' folders or files
    #[arg(required = true)]
    pub keys: Vec<String>,
    /// Remove an image even if a running Julia uses it
    #[arg(long)]
    pub force: bool,
}

/// `jlsys cache clean`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_CLEAN)]
pub struct CleanArgs {
    /// Remove it; without this, what would be removed is said
    #[arg(long, short)]
    pub yes: bool,
    /// Remove images even if a running Julia uses them
    #[arg(long)]
    pub force: bool,
}

impl GcArgs {
    /// What the cache may hold.
    pub fn limits(&self) -> Limits {
        Limits { max_size: self.max_size, max_age: self.max_age, keep: self.keep }
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "write a number, such as `3`".to_owned())
}

/// Days and longer are 24 hours and multiples of that: what a calendar says does not matter to a cache.
fn age(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|_| "write a time as in `12h`, `90d` or `4w`".to_owned())?;
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours());
    duration
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or("write a time in days, hours or weeks, as in `12h`, `90d` or `4w`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_written_as_people_write_them() {
        assert_eq!(age("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(age("4w"), Ok(Duration::from_secs(28 * 86_400)));
        assert_eq!(age("0s"), Ok(Duration::ZERO));
        for wrong in ["90", "-3d", "ninety", "2 months", ""] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
