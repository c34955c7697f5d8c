//! Why no Julia is found.

/// No Julia could be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// Nothing was said and nothing is there.
    #[error("no Julia found: put `julia` on PATH, set JULIA, or name one with --julia")]
    None,
    /// What was named is not there.
    #[error(
        "no Julia at '{wish}', which {source_name} names: give the path of an executable file or a name on PATH"
    )]
    NotThere {
        /// What was asked for.
        wish: String,
        /// Where it was asked.
        source_name: &'static str,
    },
    /// juliaup has no such channel, or is not there.
    #[error("no Julia for the juliaup channel '{channel}': {reason}")]
    Channel {
        /// The channel.
        channel: String,
        /// What juliaup's files say.
        reason: String,
    },
}
