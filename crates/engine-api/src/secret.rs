//! The secret that this node shares with its driver.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alloy_primitives::hex;
use alloy_rpc_types_engine::{JwtError, JwtSecret};
use thiserror::Error;
use tracing::info;

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The file can be neither read nor made.
    #[error("--authrpc.jwtsecret {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "--authrpc.jwtsecret {path}: not 32 bytes in hex ({source}); delete the file to have a new \
         one made", path = path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: JwtError,
    },
}

/// Reads the secret in `path`, 32 bytes in hex, making a random one where there is no file. A file made
/// here can be read by its owner alone.
pub fn load_or_create_secret(path: &Path) -> Result<JwtSecret, SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let secret = JwtSecret::random();
            file.write_all(hex::encode(secret.as_bytes()).as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(failed)?;
            info!(path = %path.display(), "made a new secret for the Engine API");
            Ok(secret)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = fs::read_to_string(path).map_err(failed)?;
            JwtSecret::from_hex(text)
                .map_err(|source| SecretError::Malformed { path: path.to_owned(), source })
        }
        Err(error) => Err(failed(error)),
    }
}
