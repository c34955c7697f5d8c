//! Sharing images between machines, over whatever stores objects: S3 and what speaks it, Google's and Azure's stores, a web
//! server, a folder. `docs/remote.md` tells an operator about it.
//!
//! An image is code, and a remote is believed nothing: an image is taken only when its description is signed by a key that the
//! user listed, and only byte by byte as described. A remote that fails, whatever way, costs a line and some time; the
//! build goes on without it. Only `build` and the commands that are about remotes ask one.

mod client;
mod envelope;
mod error;
mod lease;
mod manifest;
mod piece;
mod pull;
mod push;
mod settings;
mod store;

pub use error::RemoteError;
pub use lease::{Claim, Lease, LeaseTimes, Watch};
pub use manifest::{Manifest, ManifestFile};
pub use piece::Piece;
pub use pull::{Pulled, Puller};
pub use push::{Pushed, Pusher};
pub use settings::{KEYS_VARIABLE, URL_VARIABLE, location};
pub use store::Store;

/// How many objects travel at once. It also bounds memory: each is at most 8 MiB, unpacked.
const TRANSFERS: usize = 6;
