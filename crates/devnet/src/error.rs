//! What can go wrong while a network is put up.

use std::path::PathBuf;

use openledger_chainspec::ChainSpecError;

/// Why the devnet could not do what was asked. None of these can be retried without a change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevnetError {
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The data folder holds an earlier network.
    #[error(
        "{} holds an earlier network, whose L1 is gone with its process: choose another --datadir or \
         remove the folder", .0.display()
    )]
    Occupied(PathBuf),
    /// Another program listens where a part of the network should.
    #[error(
        "port {port}, for the {role}, is in use: stop what listens there, or choose others with --base-port"
    )]
    PortInUse {
        /// The port.
        port: u16,
        /// What it is for.
        role: &'static str,
    },
    /// Something that set-up installs is not there.
    #[error("{what} is missing at {}: {hint}", path.display())]
    Missing {
        /// What is missing.
        what: String,
        /// Where it was looked for.
        path: PathBuf,
        /// How to get it.
        hint: &'static str,
    },
    /// A contract artifact is not what it should be.
    #[error("contract artifact {}: {reason}", path.display())]
    Artifact {
        /// The artifact.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A JSON-RPC endpoint did not answer as it should.
    #[error("{what}: {reason}")]
    Rpc {
        /// What was asked.
        what: String,
        /// What came back.
        reason: String,
    },
    /// A transaction was refused or reverted.
    #[error("transaction `{label}`: {reason}")]
    Transaction {
        /// What the transaction was for.
        label: String,
        /// What the chain said.
        reason: String,
    },
    /// Something did not happen in time.
    #[error("gave up waiting for {what} after {seconds} s")]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: u64,
    },
    /// A contract's construction or set-up failed while genesis was computed.
    #[error("building the L2 genesis, {what}: {reason}")]
    Genesis {
        /// Which step.
        what: String,
        /// What the EVM said.
        reason: String,
    },
    /// The story is not one, or a step of it did not do what it should.
    #[error("story: {0}")]
    Story(String),
    /// The genesis or rollup configuration is not valid.
    #[error(transparent)]
    ChainSpec(#[from] ChainSpecError),
    /// A process could not be started or kept running.
    #[error("process {name}: {reason}")]
    Process {
        /// The process's name.
        name: String,
        /// What happened; says where the log is.
        reason: String,
    },
    /// A key could not be derived.
    #[error("deriving the key of account {index}: {reason}")]
    Key {
        /// Index in the derivation path.
        index: u32,
        /// What the wallet library said.
        reason: String,
    },
}

impl DevnetError {
    /// An I/O error at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// An endpoint's error while asking for `what`.
    pub(crate) fn rpc<E: std::fmt::Display>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |error| Self::Rpc { what, reason: error.to_string() }
    }
}
