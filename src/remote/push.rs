//! Putting an image on a remote.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use indicatif::HumanBytes;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::manifest::{FILES, Manifest, ManifestFile};
use super::piece::{PIECE_SIZE, Piece};
use super::store::Store;
use super::{RemoteError, TRANSFERS};
use crate::cache::Entry;
use crate::file::Sha256Digest;
use crate::progress::Progress;
use crate::signing::{PublicKey, SecretKey};

/// What a push came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pushed {
    /// Whether the remote had the image already, signed by a key that is accepted.
    pub was_there: bool,
    /// How many bytes the files have.
    pub bytes: u64,
    /// How many bytes of them were sent.
    pub sent_bytes: u64,
}

/// Puts entries on a remote.
#[derive(Debug)]
pub struct Pusher<'a> {
    /// The remote.
    pub store: &'a Store,
    /// Who signs.
    pub signer: &'a SecretKey,
    /// Whose signature on an image that is there makes another push needless; the signer's own always does.
    pub accepted: &'a [PublicKey],
    /// Whether to put everything there, whatever the remote says it has.
    pub force: bool,
    /// Where progress is shown.
    pub progress: &'a Progress,
}

impl Pusher<'_> {
    /// Puts an entry on the remote: first its files' pieces, then the description that names them.
    pub async fn push(&self, entry: &Entry) -> Result<Pushed, RemoteError> {
        let key = entry.header.key;
        if !self.force && self.is_there(entry).await? {
            return Ok(Pushed { was_there: true, bytes: 0, sent_bytes: 0 });
        }
        let unreadable = |error: std::io::Error| RemoteError::Entry {
            path: entry.folder().to_owned(),
            problem: error.to_string(),
        };
        let inputs = entry.key_inputs().map_err(unreadable)?;
        let mut report = entry.report().map_err(unreadable)?;
        let world = entry.world().map_err(unreadable)?;
        let Some(image) = &entry.header.image else {
            let problem = "it has no image".to_owned();
            return Err(RemoteError::Entry { path: entry.folder().to_owned(), problem });
        };
        let phase = self.progress.phase(format!("pushing {} to {}", key.short(), self.store.name()));
        let (mut files, mut sent_bytes) = (Vec::new(), 0);
        for name in FILES {
            let path = entry.folder().join(name);
            if !path.is_file() {
                continue;
            }
            let sending =
                Sending { pusher: self, phase: &phase, sent: AtomicU64::new(0), before: sent_bytes };
            let file = sending.file(name, &path).await?;
            sent_bytes += sending.sent.into_inner();
            // A signature on an image that was changed since it was built and tried would carry the damage to others.
            if name == image.name && file.sha256 != image.sha256 {
                return Err(RemoteError::Entry {
                    path,
                    problem: "it is not the file that was built".to_owned(),
                });
            }
            files.push(file);
        }
        report.make_portable();
        let manifest = Manifest::new(inputs, entry.header.created, report, world, files);
        if manifest.key != key {
            let problem = "its key is not the hash of what it was built from".to_owned();
            return Err(RemoteError::Entry { path: entry.folder().to_owned(), problem });
        }
        self.store.write(&Store::entry_path(&key), manifest.seal(self.signer)).await?;
        phase.done(&format!("{} sent for {}", HumanBytes(sent_bytes), HumanBytes(manifest.size())));
        Ok(Pushed { was_there: false, bytes: manifest.size(), sent_bytes })
    }

    /// Whether the remote has the entry, whole, from somebody who is accepted.
    async fn is_there(&self, entry: &Entry) -> Result<bool, RemoteError> {
        let Some((bytes, _)) = self.store.read(&Store::entry_path(&entry.header.key)).await? else {
            return Ok(false);
        };
        let mut accepted = self.accepted.to_vec();
        accepted.push(self.signer.public());
        let Ok((manifest, _)) = Manifest::open(&bytes, &accepted) else { return Ok(false) };
        if manifest.key != entry.header.key {
            return Ok(false);
        }
        // Blobs may have gone by themselves, as buckets' rules for old objects have it.
        let pieces = manifest.files.iter().flat_map(|file| &file.pieces);
        let found = stream::iter(pieces)
            .map(|piece| self.store.has_blob(&piece.stored_sha256, piece.stored_size))
            .buffer_unordered(TRANSFERS);
        found.try_fold(true, |all, one| async move { Ok(all && one) }).await
    }
}

/// A file on its way.
struct Sending<'a> {
    pusher: &'a Pusher<'a>,
    phase: &'a crate::progress::Phase,
    sent: AtomicU64,
    /// What was sent of the files before it, in bytes.
    before: u64,
}

impl Sending<'_> {
    async fn file(&self, name: &str, path: &std::path::Path) -> Result<ManifestFile, RemoteError> {
        let unreadable =
            |error: std::io::Error| RemoteError::Entry { path: path.to_owned(), problem: error.to_string() };
        let file = File::open(path).map_err(unreadable)?;
        // The reader goes from piece to piece in order, and takes the digest of the whole on the way; packing and
        // sending overlap with it.
        let reader = Arc::new(Mutex::new(Reader { file, hasher: Sha256::new(), size: 0 }));
        let parts = stream::try_unfold(Arc::clone(&reader), |reader| async move {
            let mut held = Arc::clone(&reader).lock_owned().await;
            let part =
                tokio::task::spawn_blocking(move || held.next()).await.map_err(std::io::Error::other)??;
            Ok(part.map(|part| (part, reader)))
        });
        let pieces = parts
            .map_err(unreadable)
            .map_ok(|part| async move {
                let packed = tokio::task::spawn_blocking(move || Piece::pack(&part)).await;
                let (piece, stored) =
                    packed.map_err(std::io::Error::other).and_then(|packed| packed).map_err(unreadable)?;
                self.send(&piece, stored).await?;
                Ok(piece)
            })
            .try_buffered(TRANSFERS);
        let pieces: Vec<Piece> = pieces.try_collect().await?;
        let mut reader = reader.lock().await;
        let digest = std::mem::take(&mut reader.hasher).finalize();
        let sha256 = Sha256Digest::from(<[u8; 32]>::from(digest));
        Ok(ManifestFile { name: name.to_owned(), size: reader.size, sha256, pieces })
    }

    async fn send(&self, piece: &Piece, stored: Vec<u8>) -> Result<(), RemoteError> {
        let store = self.pusher.store;
        let is_there = !self.pusher.force && store.has_blob(&piece.stored_sha256, piece.stored_size).await?;
        if !is_there {
            store.write(&Store::blob_path(&piece.stored_sha256), stored).await?;
            let sent = self.sent.fetch_add(piece.stored_size, Ordering::Relaxed) + piece.stored_size;
            self.phase.update(&format!("{} sent", HumanBytes(self.before + sent)));
        }
        Ok(())
    }
}

struct Reader {
    file: File,
    hasher: Sha256,
    size: u64,
}

impl Reader {
    /// The next part of the file; `None` at its end.
    fn next(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut part = Vec::with_capacity(PIECE_SIZE);
        (&mut self.file).take(PIECE_SIZE as u64).read_to_end(&mut part)?;
        self.hasher.update(&part);
        self.size += part.len() as u64;
        Ok((!part.is_empty()).then_some(part))
    }
}
