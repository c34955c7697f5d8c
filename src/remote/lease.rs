//! The right to build an image for everybody: of two machines that need one image at the same time, one builds it.
//!
//! A lease is an object that is written only if there is none, and renewed while its holder lives. It saves work and
//! decides nothing else: where a server knows no conditions, a clock is wrong, or somebody removes it, two machines build
//! the same image, and the second to finish finds it there.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use object_store::UpdateVersion;
use serde::{Deserialize, Serialize};

use super::RemoteError;
use super::error::one_line;
use super::store::{Store, Written};
use crate::key::Key;

/// The times of a lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// How long a lease holds without being renewed.
    pub expiry: Duration,
    /// How often its holder renews it.
    pub renewal: Duration,
    /// How often others look at it.
    pub poll: Duration,
    /// How long others wait for an image at most, before they build one themselves.
    pub patience: Duration,
}

impl Default for LeaseTimes {
    /// A builder that dies holds others up for a minute and a half, and two requests a minute keep it. Nobody waits for
    /// longer than the longest honest build.
    fn default() -> Self {
        Self {
            expiry: Duration::from_secs(90),
            renewal: Duration::from_secs(30),
            poll: Duration::from_secs(3),
            patience: Duration::from_secs(2 * 3600),
        }
    }
}

/// How far clocks of machines may be apart before an expired lease is taken for a live one.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Content {
    /// Nobody else writes the same.
    token: String,
    /// For people.
    host: String,
    expires: Timestamp,
    /// Raised at each renewal.
    renewals: u64,
}

/// A lease that this process holds.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    object: String,
    content: Content,
    /// Absent once somebody else took it, and where a server knows no versions.
    version: Option<UpdateVersion>,
    times: LeaseTimes,
}

/// What came of asking for a lease.
#[derive(Debug)]
pub enum Claim {
    /// It is ours: build.
    Ours(Box<Lease>),
    /// Somebody else has it: wait.
    Theirs(Watch),
    /// This remote knows no leases: build.
    Unknown,
}

/// Somebody else's lease, as it was seen.
#[derive(Debug)]
pub struct Watch {
    /// On which machine the image is being built.
    pub host: String,
    seen: Vec<u8>,
    /// When it was first seen like that, by this machine's own clock.
    since: Instant,
}

impl Lease {
    /// Asks for the lease on `key`. `watch` is what was seen of it before, by which a dead holder is told from a live one.
    pub async fn claim(
        store: &Store,
        key: &Key,
        times: LeaseTimes,
        watch: Option<Watch>,
    ) -> Result<Claim, RemoteError> {
        let object = Store::lease_path(key);
        let content = Content { token: token(), host: host(), expires: expiry(times), renewals: 0 };
        let expected = match look(store, key, watch).await? {
            None => None,
            Some((watch, version, stored)) => {
                if !is_dead(&watch, stored.as_ref(), times) {
                    return Ok(Claim::Theirs(watch));
                }
                Some(version)
            }
        };
        let mut written = store.write_if(&object, bytes(&content), expected.clone()).await?;
        if expected.is_some() && matches!(written, Written::NotSupported) {
            // As on a folder, where a new object can be made under a condition, and a version not replaced.
            store.remove(&object).await?;
            written = store.write_if(&object, bytes(&content), None).await?;
        }
        if matches!(written, Written::NotSupported) {
            return Ok(Claim::Unknown);
        }
        // What is there now decides. Some servers take a conditional write for a plain one, so that the last writer has
        // the lease; and a write whose answer was lost finds, when it is tried again, its own object in its way.
        Ok(match look(store, key, None).await? {
            Some((_, version, Some(stored))) if stored.token == content.token => {
                Claim::Ours(Box::new(Self {
                    store: store.clone(),
                    object,
                    content,
                    version: Some(version),
                    times,
                }))
            }
            Some((watch, ..)) => Claim::Theirs(watch),
            None => Claim::Unknown,
        })
    }

    /// Looks whether somebody has the lease on `key`, without asking for it.
    pub async fn observe(
        store: &Store,
        key: &Key,
        times: LeaseTimes,
        watch: Option<Watch>,
    ) -> Result<Claim, RemoteError> {
        let seen = look(store, key, watch).await?;
        let alive = seen.filter(|(watch, _, content)| !is_dead(watch, content.as_ref(), times));
        Ok(alive.map_or(Claim::Unknown, |(watch, ..)| Claim::Theirs(watch)))
    }

    /// Renews the lease for as long as `work` takes.
    pub async fn while_held<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                () = tokio::time::sleep(self.times.renewal) => {
                    // A renewal that hangs must not hold up the work that it is for.
                    tokio::select! {
                        result = &mut work => return result,
                        () = self.renew() => {}
                    }
                }
            }
        }
    }

    async fn renew(&mut self) {
        let Some(version) = self.version.clone() else { return };
        self.content.expires = expiry(self.times);
        self.content.renewals += 1;
        match self.store.write_if(&self.object, bytes(&self.content), Some(version)).await {
            Ok(Written::Yes(version)) => self.version = Some(version),
            // Somebody took it for dead, and builds too.
            Ok(Written::No) => self.version = None,
            // As on a folder; only its holder renews it.
            Ok(Written::NotSupported) => {
                let _ = self.store.write(&self.object, bytes(&self.content)).await;
            }
            // The next renewal may get through.
            Err(_) => {}
        }
    }

    /// Gives the lease up.
    pub async fn release(self) {
        if self.version.is_some() {
            // Otherwise it expires.
            let _ = self.store.remove(&self.object).await;
        }
    }
}

/// What is stored of a lease now. What was seen before and is the same is as old as it was.
async fn look(
    store: &Store,
    key: &Key,
    before: Option<Watch>,
) -> Result<Option<(Watch, UpdateVersion, Option<Content>)>, RemoteError> {
    let Some((seen, version)) = store.read(&Store::lease_path(key)).await? else { return Ok(None) };
    let content: Option<Content> = serde_json::from_slice(&seen).ok();
    let host =
        content.as_ref().map_or_else(|| "another machine".to_owned(), |content| one_line(&content.host));
    let watch = match before {
        Some(before) if before.seen == seen => before,
        _ => Watch { host, seen, since: Instant::now() },
    };
    Ok(Some((watch, version, content)))
}

/// Whether a lease's holder is gone: it was not renewed for as long as it holds, by this machine's own watch, or it
/// expired so long ago that no clock explains it.
fn is_dead(watch: &Watch, content: Option<&Content>, times: LeaseTimes) -> bool {
    let expired = content.is_some_and(|content| {
        let ago = Timestamp::now().duration_since(content.expires);
        Duration::try_from(ago).is_ok_and(|ago| ago > CLOCK_SKEW)
    });
    expired || watch.since.elapsed() > times.expiry
}

fn bytes(content: &Content) -> Vec<u8> {
    serde_json::to_vec(content).unwrap_or_default()
}

fn expiry(times: LeaseTimes) -> Timestamp {
    Timestamp::now().saturating_add(times.expiry).unwrap_or(Timestamp::MAX)
}

fn token() -> String {
    let mut bytes = [0; 16];
    // Without random numbers the time does: it only has to differ from another machine's.
    if getrandom::fill(&mut bytes).is_err() {
        bytes = Timestamp::now().as_nanosecond().to_le_bytes();
    }
    hex::encode(bytes)
}

fn host() -> String {
    let name = nix::sys::utsname::uname();
    name.map_or_else(|_| "unknown".to_owned(), |name| name.nodename().to_string_lossy().into_owned())
}
