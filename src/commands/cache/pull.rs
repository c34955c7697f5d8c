//! `jlsys cache pull`: take images from a remote.

use serde::Serialize;

use super::remote::Target;
use crate::budget::Budget;
use crate::cache::Cache;
use crate::cli::PullArgs;
use crate::commands::print_json;
use crate::error::{Error, Exit};
use crate::julia::JuliaInstall;
use crate::key::Key;
use crate::pipeline;
use crate::prepare::{Prepared, find_julia, locate_cache};
use crate::process;
use crate::progress::Progress;
use crate::remote::{Puller, RemoteError, Store};
use crate::report::SCHEMA;
use crate::signing::PublicKey;

/// The document that `cache pull --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    remote: &'a str,
    entries: &'a [Item],
}

#[derive(Serialize)]
struct Item {
    key: Key,
    outcome: Outcome,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    bytes: u64,
    received_bytes: u64,
    /// How long it took to receive, check and unpack it.
    seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// It is in the cache now.
    Pulled,
    /// It was there before.
    There,
    /// It is for another Julia or another CPU.
    Unfit,
    /// It is not what somebody who is accepted signed.
    Refused,
}

pub(super) fn execute(args: &PullArgs) -> Result<Exit, Error> {
    let progress = Progress::new(args.verbosity());
    let request = args.request();
    let by_key = args.all || !args.keys.is_empty();
    let Target { prepared, mut settings } = Target::read(args.url.as_deref(), &request, by_key)?;
    if !args.accept.is_empty() {
        settings.keys.clone_from(&args.accept);
    }
    let (cache, julia) = match &prepared {
        Some(prepared) => (prepared.cache.clone(), prepared.julia.clone()),
        None => {
            let directory = std::env::current_dir().map_err(Error::WorkingFolder)?;
            let cache = locate_cache()?;
            let julia = find_julia(request.julia.as_deref(), &directory, &cache)?;
            (cache, julia)
        }
    };
    let store = Store::open(settings.url.as_ref().ok_or(RemoteError::NoUrl)?)?;
    let pull = Pull {
        args,
        project: prepared.as_ref().filter(|_| !by_key),
        cache: &cache,
        julia: &julia,
        store: &store,
        accepted: &settings.keys,
        progress: &progress,
    };
    let items = process::block_on_interruptible(pull.run()).map_err(Error::Runtime)?;
    let items = items.ok_or(Error::Interrupted)??;
    if let Some(prepared) = pull.project {
        cache.keep_project(&prepared.environment.project_file, prepared.key, &prepared.overrides)?;
    }
    if args.json {
        print_json(&Document { schema: SCHEMA, remote: store.name(), entries: &items })?;
    }
    let refused = items.iter().any(|item| item.outcome == Outcome::Refused);
    Ok(if refused { Exit::Refused } else { Exit::Ok })
}

struct Pull<'a> {
    args: &'a PullArgs,
    /// The project whose image is wanted, if that is what was asked for.
    project: Option<&'a Prepared>,
    cache: &'a Cache,
    julia: &'a JuliaInstall,
    store: &'a Store,
    accepted: &'a [PublicKey],
    progress: &'a Progress,
}

impl Pull<'_> {
    async fn run(&self) -> Result<Vec<Item>, Error> {
        self.cache.prepare()?;
        self.cache.check_for_images()?;
        let keys = match self.project {
            Some(prepared) => vec![prepared.key],
            None if self.args.all => self.all().await?,
            None => self.args.keys.clone(),
        };
        let mut items = Vec::new();
        for key in &keys {
            match self.one(key).await {
                Ok(item) => items.push(item),
                // Of many, the ones that are right are taken; what was asked for by name must be.
                Err(Error::Remote(error)) if self.args.all => items.push(self.left(*key, error)?),
                Err(error) => return Err(error),
            }
        }
        Ok(items)
    }

    async fn all(&self) -> Result<Vec<Key>, RemoteError> {
        let keys = self.store.keys().await?;
        if keys.is_empty() {
            let text = format!(
                "{} lists no images; a plain web server cannot, but gives those that `--key` names",
                self.store.name()
            );
            return Err(RemoteError::Nothing(text));
        }
        Ok(keys)
    }

    async fn one(&self, key: &Key) -> Result<Item, Error> {
        let there = Item {
            key: *key,
            outcome: Outcome::There,
            reason: None,
            bytes: 0,
            received_bytes: 0,
            seconds: 0.0,
        };
        let _lock = pipeline::lock(self.cache, key, &Budget::starting_now(None), self.progress).await?;
        let entry = match self.project {
            Some(prepared) => prepared.entry(key),
            None => self.cache.entry(key),
        };
        if !self.args.force && entry.is_ok() {
            self.progress.say(&format!("{} is in the cache already", key.short()));
            return Ok(there);
        }
        let puller = Puller {
            store: self.store,
            cache: self.cache,
            julia: self.julia,
            here: self.project.map(Prepared::here),
            accepted: self.accepted,
            progress: self.progress,
        };
        let Some((manifest, signer)) = puller.describe(key).await? else {
            let whose = self.project.map_or_else(String::new, |prepared| {
                format!(" for {} as it is now", prepared.environment.project_dir().display())
            });
            let text = format!("{} has no image {}{whose}", self.store.name(), key.short());
            return Err(RemoteError::Nothing(text).into());
        };
        let project = self.project.map(|prepared| prepared.environment.project_file.as_path());
        let pulled = puller.pull(manifest, signer, project).await?;
        if let Some(image) = &pulled.report.image {
            self.progress.say(&format!("pulled {} (tier {})", image.display(), pulled.report.tier));
            super::remote::say_if_bound(self.progress, self.cache.entry(key).ok().as_ref());
        }
        Ok(Item {
            outcome: Outcome::Pulled,
            bytes: pulled.bytes,
            received_bytes: pulled.received_bytes,
            seconds: pulled.transfer.as_secs_f64(),
            ..there
        })
    }

    /// One of many that is not taken.
    fn left(&self, key: Key, error: RemoteError) -> Result<Item, Error> {
        let outcome = match &error {
            RemoteError::Unfit { .. } | RemoteError::DoesNotStart { .. } => Outcome::Unfit,
            RemoteError::Signature { .. }
            | RemoteError::WrongBytes { .. }
            | RemoteError::Incomplete { .. }
            | RemoteError::File { .. } => Outcome::Refused,
            _ => return Err(error.into()),
        };
        let reason = error.to_string();
        if outcome == Outcome::Refused {
            self.progress.warn(&reason);
        } else {
            self.progress.detail(&reason);
        }
        Ok(Item { key, outcome, reason: Some(reason), bytes: 0, received_bytes: 0, seconds: 0.0 })
    }
}
