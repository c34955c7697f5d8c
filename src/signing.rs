//! The keys that images are signed with: Ed25519 (RFC 8032), each one line of text.

use std::fmt;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::file::Sha256Digest;

const PUBLIC: &str = "jlsys-public-ed25519:";
const SECRET: &str = "jlsys-secret-ed25519:";

/// The variable that holds a secret key, as continuous integration passes secrets.
pub const KEY_VARIABLE: &str = "JLSYS_SIGNING_KEY";

/// The variable that names the file of a secret key.
pub const KEY_FILE_VARIABLE: &str = "JLSYS_SIGNING_KEY_FILE";

/// There is no key to sign with, or none can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key to sign with cannot be used.
    #[error("the signing key in {place} cannot be used: {problem}")]
    SigningKey {
        /// A file or a variable.
        place: String,
        /// Why.
        problem: String,
    },
    /// There is no key to sign with.
    #[error(
        "no key to sign with: `jlsys cache keygen` makes one ('{}' is not there, JLSYS_SIGNING_KEY and JLSYS_SIGNING_KEY_FILE are not set)", .0.display()
    )]
    NoSigningKey(PathBuf),
    /// A new key would replace an old one.
    #[error("'{}' is there already and is not replaced; `--output` names another file", .0.display())]
    KeyExists(PathBuf),
    /// A key cannot be made.
    #[error("cannot write a key to '{}': {source}", .path.display())]
    WriteKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no folder for keys.
    #[error("no folder for the key: set HOME or XDG_CONFIG_HOME, or name a file with `--output`")]
    NoConfigFolder,
}

/// A key whose images are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// A short name for the key: the first 16 digits of its SHA-256. It only finds the key; the signature decides.
    pub fn id(&self) -> String {
        Sha256Digest::of(self.0.as_bytes()).to_string()[..16].to_owned()
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        // The strict form also refuses the weak keys and the malleable signatures that RFC 8032 leaves open.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PROBLEM: &str =
            "a public key is a line that `jlsys cache keygen` printed, `jlsys-public-ed25519:…`";
        let bytes = decode(text, PUBLIC).ok_or(PROBLEM)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| PROBLEM)?;
        if key.is_weak() { Err("this is no key that anybody generated") } else { Ok(Self(key)) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", BASE64.encode(self.0.as_bytes()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A key to sign images with. It is never printed, and wiped from memory when dropped.
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id())
    }
}

impl SecretKey {
    /// A new key, from the system's random numbers.
    pub fn generate() -> std::io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The key that others are to accept.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }

    /// The key that the environment gives for this run, if it does.
    pub fn of_environment() -> Result<Option<Self>, SigningError> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(text) = set(KEY_VARIABLE) {
            let problem =
                || SigningError::SigningKey { place: KEY_VARIABLE.to_owned(), problem: NO_SECRET.to_owned() };
            return text.to_str().and_then(Self::parse).map(Some).ok_or_else(problem);
        }
        set(KEY_FILE_VARIABLE).map(|file| Self::read(Path::new(&file))).transpose()
    }

    /// The key in `file`; without one, that of the environment, else the user's own.
    pub fn find(file: Option<&Path>) -> Result<Self, SigningError> {
        if let Some(file) = file {
            return Self::read(file);
        }
        if let Some(key) = Self::of_environment()? {
            return Ok(key);
        }
        let own = own_file()?;
        if !own.exists() {
            return Err(SigningError::NoSigningKey(own));
        }
        Self::read(&own)
    }

    /// Reads a key's file, which nobody else may read.
    fn read(file: &Path) -> Result<Self, SigningError> {
        let fail =
            |problem: String| SigningError::SigningKey { place: format!("'{}'", file.display()), problem };
        let metadata = file.metadata().map_err(|error| fail(error.to_string()))?;
        if metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o7777;
            return Err(fail(format!(
                "others may read it (mode {mode:o}): make it yours alone with chmod 600"
            )));
        }
        let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
        Self::parse(&text).ok_or_else(|| fail(NO_SECRET.to_owned()))
    }

    fn parse(text: &str) -> Option<Self> {
        decode(text, SECRET).map(|seed| Self(SigningKey::from_bytes(&seed)))
    }

    /// Writes the key to a new file that only this user can read: `file`, or the user's own place. Gives the place.
    pub fn write(&self, file: Option<&Path>) -> Result<PathBuf, SigningError> {
        let path = match file {
            Some(file) => file.to_owned(),
            None => own_file()?,
        };
        let fail = |source| SigningError::WriteKey { path: path.clone(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
        }
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(SigningError::KeyExists(path));
            }
            Err(source) => return Err(fail(source)),
        };
        writeln!(file, "{SECRET}{}", BASE64.encode(self.0.as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(fail)?;
        Ok(path)
    }
}

const NO_SECRET: &str = "it is not what `jlsys cache keygen` writes";

fn decode(text: &str, prefix: &str) -> Option<[u8; 32]> {
    BASE64.decode(text.trim().strip_prefix(prefix)?).ok()?.try_into().ok()
}

/// Where a user's own key is: `jlsys/signing.key` in the folder of settings (XDG Base Directory Specification).
fn own_file() -> Result<PathBuf, SigningError> {
    let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = named.or_else(|| std::env::home_dir().map(|home| home.join(".config")));
    folder.map(|folder| folder.join("jlsys").join("signing.key")).ok_or(SigningError::NoConfigFolder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_being_written_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/er/key");
        let key = SecretKey::generate().unwrap();
        key.write(Some(&file)).unwrap();
        let again = SecretKey::find(Some(&file)).unwrap();
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert!(public.verifies(b"message", &again.sign(b"message")));
        assert!(!public.verifies(b"massage", &again.sign(b"message")));
        assert!(!SecretKey::generate().unwrap().public().verifies(b"message", &key.sign(b"message")));
    }

    #[test]
    fn a_key_is_private_and_is_never_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let key = SecretKey::generate().unwrap();
        key.write(Some(&file)).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = SecretKey::generate().unwrap().write(Some(&file)).unwrap_err();
        assert!(error.to_string().contains("is not replaced"), "{error}");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = SecretKey::find(Some(&file)).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        let secret_as_public = format!("{PUBLIC}{}", BASE64.encode([0; 32]));
        for text in ["", "x", "jlsys-public-ed25519:", "jlsys-public-ed25519:AAAA", &secret_as_public] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let key = SecretKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(&BASE64.encode(key.0.as_bytes())));
    }
}
