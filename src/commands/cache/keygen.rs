//! `jlsys cache keygen`: make a key to sign images with.

use crate::cli::KeygenArgs;
use crate::commands::print;
use crate::error::{Error, Exit};
use crate::output::tell;
use crate::signing::{SecretKey, SigningError};

pub(super) fn execute(args: &KeygenArgs) -> Result<Exit, Error> {
    let key = SecretKey::generate()
        .map_err(|source| SigningError::WriteKey { path: args.output.clone().unwrap_or_default(), source })?;
    let file = key.write(args.output.as_deref())?;
    tell(format_args!(
        "the secret key is in {}; whoever has it can sign images. For those who accept them, `keys` in [remote]:",
        file.display()
    ));
    print(&format!("{}\n", key.public()))?;
    Ok(Exit::Ok)
}
