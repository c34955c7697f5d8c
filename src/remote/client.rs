//! The client of a remote: of a cloud's store, of a web server, of a folder.

use std::path::Path;
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

use crate::environment;
use crate::location::Location;

/// How long a server may stay silent, at the start of an answer or within one.
const SILENCE: &str = "20 seconds";

/// How long one request may take as a whole: 2 MB over the slowest line that is of any use.
const REQUEST: &str = "20 minutes";

/// How long a connection may take.
const CONNECT: &str = "5 seconds";

/// A location, opened, with where in the store the remote begins.
pub(super) type Opened = (Arc<dyn ObjectStore>, ObjectPath);

impl Location {
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
