//! What lies where in a devnet's data folder.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use alloy_primitives::hex;
use serde::Serialize;

use crate::{Account, DevnetError};

/// The data folder.
///
/// ```text
/// genesis.json   rollup.json   devnet.json
/// abis/NAME.json    JSON ABIs of the precompiles
/// keys/NAME         private keys of the services, hex
/// logs/NAME.log     one log a process
/// pids/NAME         process ids of what runs
/// NAME/             what a process keeps
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Claims `root` for a new network: makes it, and refuses it if an earlier one was there.
    pub fn create(root: impl Into<PathBuf>) -> Result<Self, DevnetError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(DevnetError::io(&root))?;
        let root = root.canonicalize().map_err(DevnetError::io(&root))?;
        let layout = Self { root };
        let used = [layout.genesis(), layout.rollup(), layout.devnet_json(), layout.logs_dir()];
        if used.iter().any(|path| path.exists()) {
            return Err(DevnetError::Occupied(layout.root));
        }
        for folder in [layout.logs_dir(), layout.pids_dir(), layout.keys_dir(), layout.abis_dir()] {
            fs::create_dir(&folder).map_err(DevnetError::io(folder))?;
        }
        Ok(layout)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The L2 genesis.
    pub fn genesis(&self) -> PathBuf {
        self.root.join("genesis.json")
    }

    /// What the story did.
    pub fn report(&self) -> PathBuf {
        self.root.join("report.json")
    }

    /// The rollup configuration.
    pub fn rollup(&self) -> PathBuf {
        self.root.join("rollup.json")
    }

    /// Endpoints, contracts, accounts, commands.
    pub fn devnet_json(&self) -> PathBuf {
        self.root.join("devnet.json")
    }

    /// What the process `name` keeps.
    pub fn data_of(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The log of the process `name`.
    pub fn log_of(&self, name: &str) -> PathBuf {
        self.logs_dir().join(format!("{name}.log"))
    }

    /// The file with the id of the process `name`, there while it runs.
    pub fn pid_of(&self, name: &str) -> PathBuf {
        self.pids_dir().join(name)
    }

    /// The private key of the service `name`.
    pub fn key_of(&self, name: &str) -> PathBuf {
        self.keys_dir().join(name)
    }

    fn logs_dir(&self) -> PathBuf {
        self.root.join("logs")
    }

    fn pids_dir(&self) -> PathBuf {
        self.root.join("pids")
    }

    fn keys_dir(&self) -> PathBuf {
        self.root.join("keys")
    }

    fn abis_dir(&self) -> PathBuf {
        self.root.join("abis")
    }

    /// Writes a value as indented JSON, whole or not at all.
    pub fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), DevnetError> {
        let mut text =
            serde_json::to_vec_pretty(value).map_err(|error| DevnetError::io(path)(error.into()))?;
        text.push(b'\n');
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, text).map_err(DevnetError::io(&unfinished))?;
        fs::rename(&unfinished, path).map_err(DevnetError::io(path))
    }

    /// Writes the JSON ABIs of the precompiles.
    pub fn write_abis(&self) -> Result<(), DevnetError> {
        for (name, abi) in openledger_abi::json_abis() {
            let path = self.abis_dir().join(format!("{name}.json"));
            fs::write(&path, abi).map_err(DevnetError::io(path))?;
        }
        Ok(())
    }

    /// Writes a service's private key, readable by its owner alone.
    pub fn write_key(&self, account: &Account) -> Result<(), DevnetError> {
        let path = self.key_of(&account.name);
        let text = hex::encode_prefixed(account.private_key());
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| writeln!(file, "{text}"))
            .map_err(DevnetError::io(path))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn folder_of_an_earlier_network_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        layout.write_json(&layout.genesis(), &"kept").unwrap();
        let refused = Layout::create(folder.path()).unwrap_err();
        assert!(refused.to_string().contains("earlier network"), "{refused}");
        assert_eq!(fs::read_to_string(layout.genesis()).unwrap(), "\"kept\"\n");
    }

    #[test]
    fn keys_are_readable_by_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(folder.path()).unwrap();
        layout.write_key(&Account::derive("batcher", 1).unwrap()).unwrap();
        let mode = fs::metadata(layout.key_of("batcher")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(layout.key_of("batcher")).unwrap();
        assert!(text.starts_with("0x59c6995e"), "{text}");
    }
}
