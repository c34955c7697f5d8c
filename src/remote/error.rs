//! What can go wrong between this machine and a remote, each in one line.

use std::path::PathBuf;

use crate::cache::CacheError;
use crate::file::Sha256Digest;
use crate::key::Key;
use crate::signing::SigningError;

/// A remote, or what is on it, cannot be used. A build goes on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No remote is named.
    #[error(
        "no remote is named: give a URL, set JLSYS_REMOTE_URL, or write `url` into [remote] in jlsys.toml"
    )]
    NoUrl,
    /// A URL that means nothing here.
    #[error("'{url}' is no remote: {problem}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The remote does not do what it is asked to.
    #[error("{remote}: cannot {action}: {problem}")]
    Store {
        /// The remote.
        remote: String,
        /// What was tried, as the rest of a sentence.
        action: String,
        /// What the server, or the network, says.
        problem: String,
    },
    /// Something that was there a moment ago, or that another object names, is not.
    #[error(
        "{remote} has no '{object}', which its entry names; `jlsys cache push --force` puts it there again"
    )]
    Incomplete {
        /// The remote.
        remote: String,
        /// The missing object.
        object: String,
    },
    /// Bytes that are not what their digest says.
    #[error("{remote} gives other bytes than were signed for '{object}'")]
    WrongBytes {
        /// The remote.
        remote: String,
        /// The object.
        object: String,
    },
    /// No image can be accepted.
    #[error(
        "no image from {remote} is accepted: `keys` in [remote] in jlsys.toml, or JLSYS_REMOTE_KEYS, names no public key"
    )]
    NoKeys {
        /// The remote.
        remote: String,
    },
    /// A description without a good signature by a key that is accepted.
    #[error("{remote}: '{object}' is not accepted: {problem}")]
    Signature {
        /// The remote.
        remote: String,
        /// The description.
        object: String,
        /// What is wrong with its signature.
        problem: String,
    },
    /// A signed description that is not for this key, this Julia or this CPU, or that makes no sense.
    #[error("{remote}: '{object}' is not used: {problem}")]
    Unfit {
        /// The remote.
        remote: String,
        /// The description.
        object: String,
        /// Why.
        problem: String,
    },
    /// The content of a file, all of whose parts are right, is not what was signed.
    #[error("'{name}' from {remote} has the digest {found:.16}, and {expected:.16} was signed")]
    File {
        /// The remote.
        remote: String,
        /// The file.
        name: String,
        /// The digest of what arrived.
        found: Sha256Digest,
        /// The digest that was signed.
        expected: Sha256Digest,
    },
    /// Julia does not start with the image.
    #[error("the image {} from {remote} does not start on this machine, so it is not kept", .key.short())]
    DoesNotStart {
        /// The remote.
        remote: String,
        /// The image.
        key: Key,
    },
    /// There is nothing to push or pull.
    #[error("{0}")]
    Nothing(String),
    /// A cached entry that cannot be shared.
    #[error("'{}' is not pushed: {problem}", .path.display())]
    Entry {
        /// The entry, or the file in it.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// There is no key to sign with, or none can be made.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// What somebody else says, as it can be printed in one line: without control characters, and not too long.
pub(super) fn one_line(text: &str) -> String {
    const LIMIT: usize = 300;
    let printable: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words: Vec<&str> = printable.split_whitespace().collect();
    words.join(" ").chars().take(LIMIT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line_without_tricks() {
        assert_eq!(one_line("a\n\n<b>\u{1b}[31m c"), "a <b> [31m c");
        assert_eq!(one_line(&"x".repeat(1000)).len(), 300);
    }
}
