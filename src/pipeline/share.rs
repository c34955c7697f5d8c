//! A remote's part in a build: asked before, told after, and never in the way.

use std::time::Instant;

use crate::config::RemoteSettings;
use crate::prepare::Prepared;
use crate::progress::Progress;
use crate::remote::{Claim, Lease, LeaseTimes, Puller, Pusher, RemoteError, Store, Watch};
use crate::report::{BuildOutcome, Report, Tier};
use crate::signing::SecretKey;

/// The remote of a build. What goes wrong with it is kept as warnings for the build's report.
#[derive(Debug)]
pub struct Share<'a> {
    prepared: &'a Prepared,
    progress: &'a Progress,
    settings: RemoteSettings,
    store: Option<Store>,
    signer: Option<SecretKey>,
    times: LeaseTimes,
    lease: Option<Lease>,
    /// Whether what the remote has is of no use, so that a push replaces it.
    replace: bool,
    warnings: Vec<String>,
}

impl<'a> Share<'a> {
    /// The remote that the settings and the environment name; a share of nothing where they name none.
    pub fn new(prepared: &'a Prepared, progress: &'a Progress) -> Self {
        let mut share = Self {
            prepared,
            progress,
            settings: RemoteSettings::default(),
            store: None,
            signer: None,
            times: LeaseTimes::default(),
            lease: None,
            replace: false,
            warnings: Vec::new(),
        };
        if let Err(error) = share.open() {
            share.warn(&error);
        }
        share
    }

    fn open(&mut self) -> Result<(), RemoteError> {
        self.settings = self.prepared.settings.remote.clone().with_environment()?;
        if let Some(url) = &self.settings.url {
            self.store = Some(Store::open(url)?);
            self.signer = self.settings.build_signer()?;
        }
        Ok(())
    }

    /// The image, when the remote has it or somebody else is about to put it there. Otherwise it is to be built here, and
    /// the remote knows that.
    ///
    /// With `full_only` an image with less than everything is left where it is. After `end` the remote is waited for no more.
    pub async fn obtain(&mut self, full_only: bool, end: Option<Instant>) -> Option<Report> {
        let store = self.store.clone()?;
        let obtained = async {
            let obtaining = self.obtain_from(&store, full_only);
            match end {
                Some(end) => tokio::time::timeout_at(end.into(), obtaining).await.ok(),
                None => Some(obtaining.await),
            }
        };
        match obtained.await {
            Some(Ok(found)) => found,
            None => {
                self.warn(&format!("{} took too much of the time budget", store.name()));
                None
            }
            Some(Err(error)) => {
                self.replace = !matches!(error, RemoteError::Store { .. } | RemoteError::NoKeys { .. });
                self.warn(&error);
                None
            }
        }
    }

    async fn obtain_from(&mut self, store: &Store, full_only: bool) -> Result<Option<Report>, RemoteError> {
        let started = Instant::now();
        let mut watch: Option<Watch> = None;
        let mut waiting = None;
        loop {
            // Whoever accepts nobody's images may still push.
            let pulled = match self.pull(store, full_only).await {
                Err(RemoteError::NoKeys { .. }) if self.signer.is_some() => None,
                pulled => pulled?,
            };
            if pulled.is_some() {
                return Ok(pulled);
            }
            let key = &self.prepared.key;
            let claim = match &self.signer {
                Some(_) => Lease::claim(store, key, self.times, watch.take()).await?,
                None => Lease::observe(store, key, self.times, watch.take()).await?,
            };
            match claim {
                Claim::Ours(lease) => {
                    self.lease = Some(*lease);
                    // It may have come between the two questions.
                    return Ok(self.pull(store, full_only).await.ok().flatten());
                }
                Claim::Unknown => return Ok(None),
                Claim::Theirs(_)
                    if started.elapsed() > self.times.patience || self.settings.keys.is_empty() =>
                {
                    return Ok(None);
                }
                Claim::Theirs(theirs) => {
                    waiting.get_or_insert_with(|| {
                        self.progress.phase(format!("waiting for {}, which builds this image", theirs.host))
                    });
                    watch = Some(theirs);
                    tokio::time::sleep(self.times.poll).await;
                }
            }
        }
    }

    async fn pull(&self, store: &Store, full_only: bool) -> Result<Option<Report>, RemoteError> {
        let prepared = self.prepared;
        let puller = Puller {
            store,
            cache: &prepared.cache,
            julia: &prepared.julia,
            here: Some(prepared.here()),
            accepted: &self.settings.keys,
            progress: self.progress,
        };
        let Some((manifest, signer)) = puller.describe(&prepared.key).await? else { return Ok(None) };
        if full_only && manifest.report.tier != Tier::Full {
            return Ok(None);
        }
        let project = &prepared.environment.project_file;
        let mut report = puller.pull(manifest, signer, Some(project)).await?.report;
        report.outcome = BuildOutcome::Hit;
        Ok(Some(report))
    }

    /// Does the work of building, while others are kept waiting for it.
    pub async fn while_building<T>(&mut self, work: impl Future<Output = T>) -> T {
        match &mut self.lease {
            Some(lease) => lease.while_held(work).await,
            None => work.await,
        }
    }

    /// Ends the remote's part: puts what was built there, if that was asked for, and lets others have a go.
    pub async fn finish(mut self, built: Option<&mut Report>) {
        if let Some(report) = built {
            if let Err(error) = self.put(report).await {
                self.warn(&error);
            }
            report.warnings.append(&mut self.warnings);
        }
        if let Some(lease) = self.lease.take() {
            lease.release().await;
        }
    }

    async fn put(&mut self, report: &Report) -> Result<(), RemoteError> {
        let (Some(store), Some(signer)) = (&self.store, &self.signer) else { return Ok(()) };
        // At the tier `load` this machine had too little memory or time, most likely; another may do better.
        if report.outcome != BuildOutcome::Built || !matches!(report.tier, Tier::Full | Tier::Reduced) {
            return Ok(());
        }
        let Ok(entry) = self.prepared.cache.entry(&self.prepared.key) else { return Ok(()) };
        let accepted = self.settings.keys.as_slice();
        let pusher = Pusher { store, signer, accepted, force: self.replace, progress: self.progress };
        pusher.push(&entry).await.map(|_| ())
    }

    /// What goes wrong is said at once, since a build takes minutes, and again at its end.
    fn warn(&mut self, error: &impl ToString) {
        let text = error.to_string();
        self.progress.say(&format!("  the build goes on without the remote: {text}"));
        self.warnings.push(text);
    }
}
