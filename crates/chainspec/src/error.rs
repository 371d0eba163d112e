//! What can be wrong with a genesis or a rollup configuration.

use std::path::PathBuf;

use thiserror::Error;

/// A chain configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ChainSpecError {
    /// The file could not be read.
    #[error("cannot read {path}: {source}; check the path and its permissions", path = path.display())]
    Read {
        /// The file asked for.
        path: PathBuf,
        /// Why the system refused.
        source: std::io::Error,
    },
    /// The text is not JSON of the expected shape.
    #[error("not a valid {what}: {source}")]
    Json {
        /// Which file it should have been, `genesis.json` or `rollup.json`.
        what: &'static str,
        /// Where and why it does not parse.
        source: serde_json::Error,
    },
    /// It parses, but its values contradict each other or ask for what is not supported.
    #[error("{what} has {} error(s):\n  - {}", problems.len(), problems.join("\n  - "))]
    Invalid {
        /// Which file, `genesis.json` or `rollup.json`.
        what: &'static str,
        /// Every problem found, not only the first.
        problems: Vec<String>,
    },
}

impl ChainSpecError {
    /// Every problem found, when the values were wrong; empty otherwise.
    pub fn problems(&self) -> &[String] {
        match self {
            Self::Invalid { problems, .. } => problems,
            Self::Read { .. } | Self::Json { .. } => &[],
        }
    }
}

/// `Ok` where no problem was found.
pub(crate) fn check(what: &'static str, problems: Vec<String>) -> Result<(), ChainSpecError> {
    if problems.is_empty() { Ok(()) } else { Err(ChainSpecError::Invalid { what, problems }) }
}
