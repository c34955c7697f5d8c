//! What `push` and `pull` have in common: which remote, and for which project.

use crate::cache::Entry;
use crate::config::RemoteSettings;
use crate::error::Error;
use crate::prepare::{Prepared, Request};
use crate::progress::Progress;
use crate::remote::{self};

/// Which remote is meant, and for which project.
pub(super) struct Target {
    /// The project. Where images are asked for by their keys it only has settings to give, and may be missing.
    pub prepared: Option<Prepared>,
    /// The remote, from the command line, else from the environment, else from the project.
    pub settings: RemoteSettings,
}

impl Target {
    pub(super) fn read(url: Option<&str>, request: &Request, by_key: bool) -> Result<Self, Error> {
        let prepared = match Prepared::new(request) {
            Err(_) if by_key => None,
            prepared => Some(prepared?),
        };
        let settings = prepared.as_ref().map(|prepared| prepared.settings.remote.clone());
        let mut settings = settings.unwrap_or_default().with_environment()?;
        if let Some(url) = url {
            settings.url = Some(remote::location(url)?);
        }
        Ok(Self { prepared, settings })
    }
}

/// Says that an image serves only where its packages lie in the same folders, if so.
pub(super) fn say_if_bound(progress: &Progress, entry: Option<&Entry>) {
    let world = entry.and_then(|entry| entry.world().ok());
    if let (Some(entry), Some(who)) = (entry, world.and_then(|world| world.binding_packages())) {
        let key = entry.header.key.short();
        progress.say(&format!(
            "{key} is only used where it finds the same folders as where it was built: {who} (`jlsys cache show {key}`)"
        ));
    }
}
