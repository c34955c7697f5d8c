//! What the user says about a remote.

use super::{RemoteError, error::one_line};
use crate::config::RemoteSettings;

use crate::location::Location;
use crate::signing::SecretKey;

/// The variable that names the remote; set and empty, there is none.
pub const URL_VARIABLE: &str = "JLSYS_REMOTE_URL";

/// The variable that names the public keys whose images are accepted, with commas between them.
pub const KEYS_VARIABLE: &str = "JLSYS_REMOTE_KEYS";

impl RemoteSettings {
    /// What the environment says wins: an operator sets it for projects that know nothing of it.
    pub fn with_environment(mut self) -> Result<Self, RemoteError> {
        if let Some(url) = variable(URL_VARIABLE) {
            self.url = if url.is_empty() { None } else { Some(location(&url)?) };
        }
        if let Some(keys) = variable(KEYS_VARIABLE) {
            let keys = keys.split([',', ' ', '\n']).filter(|key| !key.is_empty());
            let keys: Result<_, _> = keys.map(str::parse).collect();
            self.keys = keys.map_err(|problem: &str| RemoteError::Url {
                url: KEYS_VARIABLE.to_owned(),
                problem: problem.to_owned(),
            })?;
        }
        Ok(self)
    }

    /// The key that `build` signs with, when it is to push at all.
    ///
    /// A key of the user's own folder is not enough: `push` stands in a file that came with somebody's project, and a
    /// signature is a promise that only the user can make.
    pub fn build_signer(&self) -> Result<Option<SecretKey>, RemoteError> {
        Ok(if self.push { SecretKey::of_environment()? } else { None })
    }
}

/// Reads what a user wrote as a remote; a relative folder is one in the working folder.
pub fn location(text: &str) -> Result<Location, RemoteError> {
    text.parse().map_err(|problem: String| RemoteError::Url { url: shown(text), problem: one_line(&problem) })
}

/// What was given, without what may be a password.
fn shown(url: &str) -> String {
    let safe = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    };
    one_line(&safe)
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_repeated() {
        let error = location("https://me:secret@host/x").unwrap_err().to_string();
        assert!(error.contains("host/x") && !error.contains("secret"), "{error}");
    }
}
