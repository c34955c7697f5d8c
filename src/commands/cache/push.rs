//! `jlsys cache push`: put images on a remote.

use serde::Serialize;

use super::remote::Target;
use crate::cache::{Cache, Entry, Lookup};
use crate::cli::PushArgs;
use crate::commands::print_json;
use crate::config::RemoteSettings;
use crate::error::{Error, Exit};
use crate::key::Key;
use crate::prepare::locate_cache;
use crate::process;
use crate::progress::Progress;
use crate::remote::{Pusher, RemoteError, Store};
use crate::report::SCHEMA;
use crate::signing::SecretKey;

/// The document that `cache push --json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    remote: &'a str,
    signed_by: String,
    entries: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    key: Key,
    /// `pushed`, or `there` when the remote had it.
    outcome: &'static str,
    bytes: u64,
    sent_bytes: u64,
}

pub(super) fn execute(args: &PushArgs) -> Result<Exit, Error> {
    let progress = Progress::new(args.verbosity());
    let by_key = args.all || !args.keys.is_empty();
    let Target { prepared, settings } = Target::read(args.url.as_deref(), &args.request(), by_key)?;
    let signer = SecretKey::find(args.signing_key.as_deref())?;
    let entries = match &prepared {
        Some(prepared) if !by_key => vec![entry(&prepared.cache, prepared.key)?],
        _ => chosen(args)?,
    };
    let store = Store::open(settings.url.as_ref().ok_or(RemoteError::NoUrl)?)?;
    let work = push_all(&entries, args.force, &store, &signer, &settings, &progress);
    let items =
        process::block_on_interruptible(work).map_err(Error::Runtime)?.ok_or(Error::Interrupted)??;
    if args.json {
        let (remote, signed_by) = (store.name(), signer.public().id());
        print_json(&Document { schema: SCHEMA, remote, signed_by, entries: items })?;
    }
    Ok(Exit::Ok)
}

/// The entries that were asked for by name; those that others share are somebody else's to push.
fn chosen(args: &PushArgs) -> Result<Vec<Entry>, Error> {
    let cache = locate_cache()?;
    if args.all {
        let listed = cache.list().entries.into_iter().filter(|listed| listed.entry.is_own());
        return listed.map(|listed| entry(&cache, listed.entry.header.key)).collect();
    }
    let keys = args.keys.iter().map(|name| match cache.look_up(name)? {
        Lookup::Entry(key) => entry(&cache, key),
        Lookup::Failure(key) => {
            Err(RemoteError::Nothing(format!("image {} could not be built", key.short())).into())
        }
    });
    keys.collect()
}

fn entry(cache: &Cache, key: Key) -> Result<Entry, Error> {
    cache.entry(&key).map_err(|unusable| {
        RemoteError::Nothing(format!("there is no image {} to push: {unusable}", key.short())).into()
    })
}

async fn push_all(
    entries: &[Entry],
    force: bool,
    store: &Store,
    signer: &SecretKey,
    settings: &RemoteSettings,
    progress: &Progress,
) -> Result<Vec<Item>, RemoteError> {
    let pusher = Pusher { store, signer, accepted: &settings.keys, force, progress };
    let mut items = Vec::new();
    for entry in entries {
        let key = entry.header.key;
        let pushed = pusher.push(entry).await?;
        if pushed.was_there {
            progress.say(&format!("{} has {} already", store.name(), key.short()));
        }
        super::remote::say_if_bound(progress, Some(entry));
        let outcome = if pushed.was_there { "there" } else { "pushed" };
        items.push(Item { key, outcome, bytes: pushed.bytes, sent_bytes: pushed.sent_bytes });
    }
    Ok(items)
}
