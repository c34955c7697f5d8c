//! Where a remote is: a URL or a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, Result as StoreResult, RetryConfig,
};
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::environment;

/// How long a server may stay silent, at the start of an answer or within one.
const SILENCE: &str = "20 seconds";

/// How long one request may take as a whole: 2 MB over the slowest line that is of any use.
const REQUEST: &str = "20 minutes";

/// How long a connection may take.
const CONNECT: &str = "5 seconds";

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder, such as one on a shared filesystem.
    Folder(PathBuf),
    /// A bucket, a container, or a folder on a web server.
    Server(Url),
}

/// A location, opened, with where in the store the remote begins.
pub(super) type Opened = (Arc<dyn ObjectStore>, ObjectPath);

impl Location {
    /// The same location, where a relative folder is one in `base`.
    pub fn within(self, base: &Path) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(base.join(folder)),
            server @ Self::Server(_) => server,
        }
    }

    /// Makes a client. Nothing is sent yet. Credentials come from the environment, as other tools read them.
    pub(super) fn open(&self) -> StoreResult<Opened> {
        let url = match self {
            Self::Folder(folder) => {
                // A folder that is not there yet has nothing in it; a push makes it.
                let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                let whole =
                    whole.canonicalize().unwrap_or_else(|_| environment::resolve(Path::new("/"), &whole));
                let prefix = ObjectPath::from_absolute_path(whole)?;
                return Ok((Arc::new(LocalFileSystem::new()), prefix));
            }
            Self::Server(url) => url,
        };
        // Does nothing when there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (scheme, prefix) = ObjectStoreScheme::parse(url)?;
        let store: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let builder = AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(retry());
                let builder = client_settings().into_iter().fold(builder, |builder, (key, value)| {
                    builder.with_config(AmazonS3ConfigKey::Client(key), value)
                });
                Arc::new(builder.build()?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let builder =
                    GoogleCloudStorageBuilder::from_env().with_url(url.as_str()).with_retry(retry());
                let builder = client_settings().into_iter().fold(builder, |builder, (key, value)| {
                    builder.with_config(GoogleConfigKey::Client(key), value)
                });
                Arc::new(builder.build()?)
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str()).with_retry(retry());
                let builder = client_settings().into_iter().fold(builder, |builder, (key, value)| {
                    builder.with_config(AzureConfigKey::Client(key), value)
                });
                Arc::new(builder.build()?)
            }
            _ => {
                let options = client_settings()
                    .into_iter()
                    .fold(ClientOptions::new(), |options, (key, value)| options.with_config(key, value));
                // Whoever writes `http://` means it; what arrives is signed.
                let options = options.with_allow_http(url.scheme() == "http");
                let server = &url[..url::Position::BeforePath];
                let builder = HttpBuilder::new().with_url(server).with_client_options(options);
                Arc::new(builder.with_retry(retry()).build()?)
            }
        };
        Ok((store, prefix))
    }
}

fn client_settings() -> [(ClientConfigKey, &'static str); 3] {
    [
        (ClientConfigKey::ConnectTimeout, CONNECT),
        (ClientConfigKey::ReadTimeout, SILENCE),
        (ClientConfigKey::Timeout, REQUEST),
    ]
}

/// A server that is gone must not hold up a build that can do without it.
fn retry() -> RetryConfig {
    RetryConfig { max_retries: 3, retry_timeout: Duration::from_secs(15), ..RetryConfig::default() }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("a remote is a URL or a folder".to_owned());
        }
        let Some((scheme, rest)) = text.split_once("://") else { return Ok(Self::Folder(text.into())) };
        if scheme == "file" {
            let is_absolute = rest.starts_with('/');
            let folder = is_absolute.then(|| Self::Folder(rest.into()));
            return folder.ok_or("write a folder as a path, or as file:///PATH".to_owned());
        }
        let url: Url = text.parse().map_err(|error: url::ParseError| error.to_string())?;
        if url.password().is_some() || !url.username().is_empty() && !scheme.starts_with('a') {
            return Err("a name or a password in a URL is not taken; credentials come from the environment \
                        (AWS_…, GOOGLE_…, AZURE_…)"
                .to_owned());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a remote's URL has no '?' and no '#'".to_owned());
        }
        match ObjectStoreScheme::parse(&url) {
            Ok((ObjectStoreScheme::Memory | ObjectStoreScheme::Local, _)) | Err(_) => {
                Err(format!("'{scheme}' is none of s3, gs, az, abfs, http and https, and of folders"))
            }
            Ok(_) => Ok(Self::Server(url)),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Server(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

impl<'de> Deserialize<'de> for Location {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, String> {
        text.parse()
    }

    #[test]
    fn folders_and_servers_are_told_apart() {
        assert_eq!(parse("/shared/images"), Ok(Location::Folder("/shared/images".into())));
        assert_eq!(parse("file:///shared/images"), Ok(Location::Folder("/shared/images".into())));
        let relative = parse("images").unwrap().within(Path::new("/project"));
        assert_eq!(relative, Location::Folder("/project/images".into()));
        for url in ["s3://bucket/p", "gs://bucket", "az://container/p", "http://host:80/p", "https://host/p"]
        {
            assert!(matches!(parse(url), Ok(Location::Server(_))), "{url}");
        }
    }

    #[test]
    fn what_is_no_remote_is_refused_in_one_line() {
        for text in [
            "",
            "ftp://host/x",
            "file://x",
            "memory:///",
            "https://me:secret@host/",
            "https://host/?a=b",
            "s3://",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains('\n') && !error.contains("secret"), "{text}: {error}");
        }
    }
}
