//! `jlsys cache push | pull | keygen`.

use std::path::PathBuf;

use clap::Args;

use super::{PLAN, PlanArgs, TARGET, TargetArgs, VerbosityArgs, examples};
use crate::config::Overrides;
use crate::key::Key;
use crate::prepare::Request;
use crate::progress::Verbosity;
use crate::signing::PublicKey;

/// `jlsys cache push`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_PUSH)]
pub struct PushArgs {
    /// The remote: s3://…, gs://…, az://…, https://… or a folder (by default JLSYS_REMOTE_URL, else `url` in jlsys.toml)
    pub url: Option<String>,
    /// The images: beginnings of their keys (by default the project's)
    #[arg(long = "key", value_name = "KEY", conflicts_with = "all")]
    pub keys: Vec<String>,
    /// All images in the cache
    #[arg(long)]
    pub all: bool,
    /// The file of the key to sign with (by default JLSYS_SIGNING_KEY, JLSYS_SIGNING_KEY_FILE, else your own)
    #[arg(long, value_name = "FILE")]
    pub signing_key: Option<PathBuf>,
    /// Put everything there, whatever the remote has
    #[arg(long)]
    pub force: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    verbosity: VerbosityArgs,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys cache pull`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_PULL)]
pub struct PullArgs {
    /// The remote: s3://…, gs://…, az://…, https://… or a folder (by default JLSYS_REMOTE_URL, else `url` in jlsys.toml)
    pub url: Option<String>,
    /// The images, by their whole keys (by default the project's)
    #[arg(long = "key", value_name = "KEY", conflicts_with = "all", value_parser = key)]
    pub keys: Vec<Key>,
    /// All images on the remote that are for this Julia and this CPU
    #[arg(long)]
    pub all: bool,
    /// A public key whose images are accepted, instead of those in JLSYS_REMOTE_KEYS and in jlsys.toml
    #[arg(long = "accept", value_name = "PUBLIC-KEY")]
    pub accept: Vec<PublicKey>,
    /// Pull also what the cache has
    #[arg(long)]
    pub force: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    verbosity: VerbosityArgs,
    #[command(flatten, next_help_heading = PLAN)]
    plan: PlanArgs,
    #[command(flatten, next_help_heading = TARGET)]
    target: TargetArgs,
}

/// `jlsys cache keygen`.
#[derive(Debug, Args)]
#[command(after_help = examples::CACHE_KEYGEN)]
pub struct KeygenArgs {
    /// Where to put the secret key (by default jlsys/signing.key in your folder of settings)
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl PushArgs {
    /// Which project is meant.
    pub fn request(&self) -> Request {
        self.target.request(Overrides::default(), true)
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity.verbosity()
    }
}

impl PullArgs {
    /// Which project and which Julia are meant, and with which flags it would be built.
    pub fn request(&self) -> Request {
        self.target.request(self.plan.overrides(), true)
    }

    /// How much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity.verbosity()
    }
}

fn key(text: &str) -> Result<Key, String> {
    text.parse().map_err(|_| {
        "write the whole key, 64 hexadecimal digits (`jlsys cache list --json` has it)".to_owned()
    })
}
