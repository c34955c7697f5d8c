//! A remote's objects: where each kind is, and how it is read and written.
//!
//! ```text
//! entries/KEY.json    a signed description of an image; written last, so that what it names is there
//! blobs/DIGEST        a piece of a file, compressed, under the SHA-256 of what is stored
//! leases/KEY.json     who is building an image right now
//! ```

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error as StoreError, GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};

use super::RemoteError;
use super::error::one_line;
use crate::file::Sha256Digest;
use crate::key::Key;
use crate::location::Location;

/// The largest description that is read, in bytes. One of a thousand packages has less than one megabyte.
const DESCRIPTION_LIMIT: u64 = 32 << 20;

/// A remote.
#[derive(Debug, Clone)]
pub struct Store {
    name: String,
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
}

/// What became of writing an object under a condition.
pub(super) enum Written {
    /// It is written; this is its version.
    Yes(UpdateVersion),
    /// The condition does not hold.
    No,
    /// The server knows no conditions.
    NotSupported,
}

impl Store {
    /// A client for a remote. Nothing is sent yet.
    pub fn open(location: &Location) -> Result<Self, RemoteError> {
        let name = location.to_string();
        let (store, prefix) = location
            .open()
            .map_err(|error| RemoteError::Url { url: name.clone(), problem: one_line(&reason(&error)) })?;
        Ok(Self { name, store, prefix })
    }

    /// What users call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn entry_path(key: &Key) -> String {
        format!("entries/{key}.json")
    }

    pub(super) fn blob_path(digest: &Sha256Digest) -> String {
        format!("blobs/{digest}")
    }

    pub(super) fn lease_path(key: &Key) -> String {
        format!("leases/{key}.json")
    }

    fn path(&self, object: &str) -> ObjectPath {
        object.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    fn fail(&self, action: String) -> impl FnOnce(StoreError) -> RemoteError {
        let remote = self.name.clone();
        move |error| RemoteError::Store { remote, action, problem: one_line(&reason(&error)) }
    }

    /// A small object with its version, if it is there.
    pub(super) async fn read(&self, object: &str) -> Result<Option<(Vec<u8>, UpdateVersion)>, RemoteError> {
        let action = || format!("read '{object}'");
        let found = match self.store.get(&self.path(object)).await {
            Err(StoreError::NotFound { .. }) => return Ok(None),
            found => found.map_err(self.fail(action()))?,
        };
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = self.collect(object, found, DESCRIPTION_LIMIT).await?;
        Ok(Some((bytes, version)))
    }

    /// A blob of `size` bytes. That it is the right one is left to the caller.
    pub(super) async fn blob(&self, digest: &Sha256Digest, size: u64) -> Result<Vec<u8>, RemoteError> {
        let object = Self::blob_path(digest);
        let found = match self.store.get(&self.path(&object)).await {
            Err(StoreError::NotFound { .. }) => {
                return Err(RemoteError::Incomplete { remote: self.name.clone(), object });
            }
            found => found.map_err(self.fail(format!("read '{object}'")))?,
        };
        if found.meta.size != size {
            return Err(RemoteError::WrongBytes { remote: self.name.clone(), object });
        }
        self.collect(&object, found, size).await
    }

    /// Reads an object of at most `limit` bytes: however much a server sends, no more is kept.
    async fn collect(
        &self,
        object: &str,
        found: object_store::GetResult,
        limit: u64,
    ) -> Result<Vec<u8>, RemoteError> {
        let too_much = || RemoteError::WrongBytes { remote: self.name.clone(), object: object.to_owned() };
        if found.meta.size > limit {
            return Err(too_much());
        }
        // As a stream a file comes in small parts, each with a trip to another thread.
        if let GetResultPayload::File(..) = found.payload {
            let bytes = found.bytes().await.map_err(self.fail(format!("read '{object}'")))?;
            return Ok(bytes.into());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.meta.size).unwrap_or_default());
        let mut parts = found.into_stream();
        while let Some(part) = parts.next().await {
            bytes.extend_from_slice(&part.map_err(self.fail(format!("read '{object}'")))?);
            if bytes.len() as u64 > limit {
                return Err(too_much());
            }
        }
        Ok(bytes)
    }

    /// Whether a blob is there, as far as its size tells.
    pub(super) async fn has_blob(&self, digest: &Sha256Digest, size: u64) -> Result<bool, RemoteError> {
        let object = Self::blob_path(digest);
        match self.store.head(&self.path(&object)).await {
            Ok(meta) => Ok(meta.size == size),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.fail(format!("look for '{object}'"))(error)),
        }
    }

    /// Writes an object, in the place of one that is there.
    pub(super) async fn write(&self, object: &str, bytes: impl Into<Bytes>) -> Result<(), RemoteError> {
        let payload = PutPayload::from_bytes(bytes.into());
        let written = self.store.put(&self.path(object), payload).await;
        written.map(|_| ()).map_err(self.fail(format!("write '{object}'")))
    }

    /// Writes an object only if there is none (`expected` absent), or only over this version of it.
    pub(super) async fn write_if(
        &self,
        object: &str,
        bytes: Vec<u8>,
        expected: Option<UpdateVersion>,
    ) -> Result<Written, RemoteError> {
        let mode = expected.map_or(PutMode::Create, PutMode::Update);
        let options = PutOptions::from(mode);
        match self.store.put_opts(&self.path(object), PutPayload::from(bytes), options).await {
            Ok(version) => Ok(Written::Yes(version.into())),
            Err(
                StoreError::AlreadyExists { .. }
                | StoreError::Precondition { .. }
                | StoreError::NotFound { .. },
            ) => Ok(Written::No),
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) => {
                Ok(Written::NotSupported)
            }
            Err(error) => Err(self.fail(format!("write '{object}'"))(error)),
        }
    }

    /// Removes an object; that it is gone already is fine.
    pub(super) async fn remove(&self, object: &str) -> Result<(), RemoteError> {
        match self.store.delete(&self.path(object)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.fail(format!("remove '{object}'"))(error)),
        }
    }

    /// The keys of all entries, in order. Plain web servers cannot tell.
    pub async fn keys(&self) -> Result<Vec<Key>, RemoteError> {
        let mut keys = Vec::new();
        let mut objects = self.store.list(Some(&self.path("entries")));
        while let Some(object) = objects.next().await {
            let object = object.map_err(self.fail("list its entries".to_owned()))?;
            let name = object.location.filename().and_then(|name| name.strip_suffix(".json"));
            keys.extend(name.and_then(|name| name.parse::<Key>().ok()));
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

/// What an error says at its root: the layers above repeat URLs and the number of tries.
fn reason(error: &StoreError) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let said = innermost.to_string();
    let whole = error.to_string();
    // Some roots are a bare "operation timed out": then the whole says more.
    if said.len() < 12 { whole } else { said }
}
