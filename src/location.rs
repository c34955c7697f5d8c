//! Where a remote is: a URL or a folder.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use object_store::ObjectStoreScheme;
use serde::{Deserialize, Deserializer};
use url::Url;

/// Where a remote is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder, such as one on a shared filesystem.
    Folder(PathBuf),
    /// A bucket, a container, or a folder on a web server.
    Server(Url),
}

impl Location {
    /// The same location, where a relative folder is one in `base`.
    pub fn within(self, base: &Path) -> Self {
        match self {
            Self::Folder(folder) => Self::Folder(base.join(folder)),
            server @ Self::Server(_) => server,
        }
    }
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
