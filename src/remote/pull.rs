//! Taking an image from a remote: nothing of it is used before it is known to be what somebody who is accepted signed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use indicatif::HumanBytes;

use super::manifest::{Manifest, ManifestFile, OpenError};
use super::piece::Piece;
use super::store::Store;
use super::{RemoteError, TRANSFERS, error::one_line};
use crate::cache::{Cache, CacheError, Download, Staging};
use crate::cpu::HostCpu;
use crate::file::Sha256Digest;
use crate::julia::JuliaInstall;
use crate::key::Key;
use crate::progress::{Phase, Progress};
use crate::report::{Origin, Report};
use crate::signing::PublicKey;
use crate::sysimage::{self};
use crate::world::Here;

/// What a pull came to.
#[derive(Debug)]
pub struct Pulled {
    /// What the build had to say, made true for this machine.
    pub report: Report,
    /// How many bytes the files have.
    pub bytes: u64,
    /// How many bytes of them were received; the rest had arrived before.
    pub received_bytes: u64,
    /// How long it took to receive, check and unpack them.
    pub transfer: Duration,
}

/// Takes entries from a remote.
#[derive(Debug)]
pub struct Puller<'a> {
    /// The remote.
    pub store: &'a Store,
    /// Where entries go. It was prepared, and whoever pulls has the right to build the key.
    pub cache: &'a Cache,
    /// The Julia that they must be for.
    pub julia: &'a JuliaInstall,
    /// The project that they must be right for, where that is known.
    pub here: Option<Here<'a>>,
    /// Whose images are accepted.
    pub accepted: &'a [PublicKey],
    /// Where progress is shown.
    pub progress: &'a Progress,
}

impl Puller<'_> {
    /// The remote's description of an image, if it has the image, somebody who is accepted signed it, and it fits.
    pub async fn describe(&self, key: &Key) -> Result<Option<(Manifest, &PublicKey)>, RemoteError> {
        if self.accepted.is_empty() {
            return Err(RemoteError::NoKeys { remote: self.store.name().to_owned() });
        }
        let object = Store::entry_path(key);
        let Some((bytes, _)) = self.store.read(&object).await? else { return Ok(None) };
        let remote = self.store.name().to_owned();
        let (manifest, signer) = match Manifest::open(&bytes, self.accepted) {
            Ok(opened) => opened,
            Err(OpenError::Signature(problem)) => {
                return Err(RemoteError::Signature { remote, object, problem: one_line(&problem) });
            }
            Err(OpenError::Unfit(problem)) => {
                return Err(RemoteError::Unfit { remote, object, problem: one_line(&problem) });
            }
        };
        if manifest.key != *key {
            // Signed, and put where another belongs.
            let problem = format!("it describes another image, {}", manifest.key.short());
            return Err(RemoteError::Unfit { remote, object, problem });
        }
        let fits = manifest.fits(self.julia);
        let fits_in = || self.here.as_ref().map_or(Ok(()), |here| manifest.fits_in(here));
        fits.and_then(|()| fits_in()).map_err(|problem| RemoteError::Unfit {
            remote,
            object,
            problem: one_line(&problem),
        })?;
        Ok(Some((manifest, signer)))
    }

    /// Takes the image that `manifest` describes into the cache. `project` is the project file that it is for, where
    /// that is known.
    pub async fn pull(
        &self,
        manifest: Manifest,
        signer: &PublicKey,
        project: Option<&Path>,
    ) -> Result<Pulled, RemoteError> {
        let size = manifest.size();
        let key = manifest.key;
        let remote = self.store.name().to_owned();
        let phase = self.progress.phase(format!("pulling {} from {remote}", key.short()));
        let started = std::time::Instant::now();
        let receiving = Receiving {
            puller: self,
            phase: &phase,
            download: self.cache.download(&key)?,
            staging: self.cache.stage()?,
            received: AtomicU64::new(0),
            stored_size: manifest.stored_size(),
        };
        for file in &manifest.files {
            receiving.file(file).await?;
        }
        let transfer = started.elapsed();
        let Receiving { download, mut staging, received, .. } = receiving;
        staging.set_world(manifest.world.clone());
        let received_bytes = received.into_inner();
        phase.done(&format!(
            "{} received for {}, signed by {}",
            HumanBytes(received_bytes),
            HumanBytes(size),
            signer.id()
        ));

        let (entry, image) = (staging.entry(), staging.image());
        // Who built it for this very CPU alone saw this very Julia start with it there. Another is tried; each piece was found
        // to be what was signed, so that Julia need not wait until the whole is on the disk and read again.
        let starts = async {
            if manifest.inputs.host_cpu.is_some() {
                return true;
            }
            let phase = self.progress.phase("trying the image in a fresh Julia");
            let starts = sysimage::starts(self.julia, &image).await;
            phase.done("");
            starts
        };
        let (settled, starts) = tokio::join!(self.settle(&entry, &manifest.files), starts);
        settled?;
        for file in &manifest.files {
            staging.know(&file.name, file.sha256);
        }
        if !starts {
            // What arrived is right, so it would not start the next time either.
            let _ = download.finish();
            return Err(RemoteError::DoesNotStart { remote, key });
        }

        let Manifest { inputs, mut report, .. } = manifest;
        if let Some(project) = project {
            report.project = project.to_owned();
        }
        report.julia.command = self.julia.command.clone();
        report.pulled = Some(Origin { remote, signed_by: signer.id() });
        staging.commit(self.cache, &inputs, &mut report, Some(HostCpu::detect()))?;
        // What is left of it the sweep finds.
        let _ = download.finish();
        Ok(Pulled { report, bytes: size, received_bytes, transfer })
    }

    /// Brings what arrived to the disk, and compares each whole file with what was signed: pieces could be in a wrong order.
    async fn settle(&self, entry: &Path, files: &[ManifestFile]) -> Result<(), RemoteError> {
        for described in files {
            let path = entry.join(&described.name);
            let whole = path.clone();
            let found = tokio::task::spawn_blocking(move || {
                let digest = Sha256Digest::of_file(&whole)?;
                File::open(&whole)?.sync_all()?;
                Ok(digest)
            });
            let found = found
                .await
                .map_err(std::io::Error::other)
                .and_then(|digest| digest)
                .map_err(|source| CacheError::Write { path, source })?;
            if found != described.sha256 {
                return Err(RemoteError::File {
                    remote: self.store.name().to_owned(),
                    name: described.name.clone(),
                    found,
                    expected: described.sha256,
                });
            }
        }
        Ok(())
    }
}

/// An image on its way.
struct Receiving<'a> {
    puller: &'a Puller<'a>,
    phase: &'a Phase,
    download: Download,
    staging: Staging,
    received: AtomicU64,
    stored_size: u64,
}

impl Receiving<'_> {
    /// Puts a file together from its pieces, several at once.
    async fn file(&self, described: &ManifestFile) -> Result<(), RemoteError> {
        // The name is one of a few constants; see `Manifest::check`.
        let path = self.staging.entry().join(&described.name);
        let write_failed = |source| CacheError::Write { path: path.clone(), source };
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = Arc::new(file.map_err(write_failed)?);
        let offsets = described.pieces.iter().scan(0, |next, piece| {
            let offset = *next;
            *next += piece.size;
            Some((offset, piece))
        });
        stream::iter(offsets)
            .map(|(offset, piece)| self.piece(piece, Arc::clone(&file), offset, &path))
            .buffer_unordered(TRANSFERS)
            .try_collect()
            .await
    }

    async fn piece(
        &self,
        piece: &Piece,
        file: Arc<File>,
        offset: u64,
        path: &Path,
    ) -> Result<(), RemoteError> {
        let store = self.puller.store;
        let (download, digest) = (self.download.clone(), piece.stored_sha256);
        let arrived = tokio::task::spawn_blocking(move || download.piece(&digest)).await.ok().flatten();
        let (stored, is_new) = match arrived {
            Some(stored) if piece.is(&stored) => (stored, false),
            _ => (store.blob(&piece.stored_sha256, piece.stored_size).await?, true),
        };
        let (described, download, path) = (piece.clone(), self.download.clone(), path.to_owned());
        let unpacked = tokio::task::spawn_blocking(move || -> Result<bool, CacheError> {
            if is_new && !described.is(&stored) {
                return Ok(false);
            }
            let Some(content) = described.unpack(&stored) else { return Ok(false) };
            file.write_all_at(&content, offset).map_err(|source| CacheError::Write { path, source })?;
            if is_new {
                download.keep(&described.stored_sha256, &stored)?;
            }
            Ok(true)
        });
        let is_right = unpacked.await.map_err(|error| {
            let source = std::io::Error::other(error);
            CacheError::Write { path: self.staging.entry(), source }
        })??;
        if !is_right {
            let object = Store::blob_path(&piece.stored_sha256);
            return Err(RemoteError::WrongBytes { remote: store.name().to_owned(), object });
        }
        if is_new {
            let received = self.received.fetch_add(piece.stored_size, Ordering::Relaxed) + piece.stored_size;
            self.phase.update(&format!("{} of {}", HumanBytes(received), HumanBytes(self.stored_size)));
        }
        Ok(())
    }
}
