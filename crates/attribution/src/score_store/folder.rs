//! Where shards lie: a local folder, mapped into memory, or any other object store, read whole.

use std::{fmt, path::PathBuf, sync::Arc};

use arrow_buffer::Buffer;
use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path as ObjectPath,
};
use sha2::{Digest, Sha256};

use crate::{error::AttributionError, score_store::identity::Kind};

/// Digits of the SHA-256 that are in a shard's name.
const DIGEST_DIGITS: usize = 32;
const SUFFIX: &str = ".arrow";

/// A place of shards. Its calls block: make them from a thread that runs no asynchronous tasks.
#[derive(Clone)]
pub struct StoreFolder {
    objects: Arc<dyn ObjectStore>,
    local: Option<(Arc<LocalFileSystem>, PathBuf)>,
    prefix: ObjectPath,
    runtime: Arc<tokio::runtime::Runtime>,
}

/// A shard's file by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShardName {
    pub(crate) index: u32,
    pub(crate) file: String,
}

impl StoreFolder {
    /// A local folder, made where it is missing.
    pub fn local(path: impl Into<PathBuf>) -> Result<Self, AttributionError> {
        let path = path.into();
        let io = |source| AttributionError::Io { path: path.clone(), source };
        std::fs::create_dir_all(&path).map_err(io)?;
        let files = LocalFileSystem::new_with_prefix(&path)?.with_fsync(true);
        let files = Arc::new(files);
        let objects: Arc<dyn ObjectStore> = files.clone();
        Self::new(objects, ObjectPath::default(), Some((files, path)))
    }

    /// Any object store, such as S3's, under a prefix. What is read from it is held in memory.
    pub fn remote(objects: Arc<dyn ObjectStore>, prefix: ObjectPath) -> Result<Self, AttributionError> {
        Self::new(objects, prefix, None)
    }

    fn new(
        objects: Arc<dyn ObjectStore>,
        prefix: ObjectPath,
        local: Option<(Arc<LocalFileSystem>, PathBuf)>,
    ) -> Result<Self, AttributionError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| AttributionError::Io { path: "runtime".into(), source })?;
        Ok(Self { objects, local, prefix, runtime: Arc::new(runtime) })
    }

    /// Names of the shards of a kind, by number. Of several of one number the writer keeps one.
    pub(crate) fn list(&self, kind: Kind) -> Result<Vec<ShardName>, AttributionError> {
        let listing = self.runtime.block_on(self.objects.list_with_delimiter(Some(&self.prefix)))?;
        let mut names: Vec<ShardName> =
            listing.objects.iter().filter_map(|o| parse(o.location.filename()?, kind)).collect();
        names.sort();
        Ok(names)
    }

    /// Stores a shard in one step and returns its name.
    pub(crate) fn put(&self, kind: Kind, index: u32, bytes: Vec<u8>) -> Result<ShardName, AttributionError> {
        let file = format!("{}-{index:08}-{}{SUFFIX}", kind.name(), digest(&bytes));
        let location = self.prefix.clone().join(file.as_str());
        self.runtime.block_on(self.objects.put(&location, PutPayload::from(bytes)))?;
        Ok(ShardName { index, file })
    }

    /// A shard's bytes, checked against its name.
    pub(crate) fn get(&self, name: &ShardName) -> Result<Buffer, AttributionError> {
        let location = self.prefix.clone().join(name.file.as_str());
        let bytes: Bytes = match &self.local {
            Some((files, _)) => {
                let path = files.path_to_filesystem(&location)?;
                openledger_mapped_file::map(&path)
                    .map_err(|source| AttributionError::Io { path: path.clone(), source })?
            }
            None => self.runtime.block_on(async { self.objects.get(&location).await?.bytes().await })?,
        };
        if !name.file.ends_with(&format!("-{}{SUFFIX}", digest(&bytes))) {
            let what = "checksum does not match its name: damaged; remove it and write its rows again";
            return Err(name.error(what));
        }
        Ok(Buffer::from(bytes))
    }

    pub(crate) fn remove(&self, name: &ShardName) -> Result<(), AttributionError> {
        Ok(self.runtime.block_on(self.objects.delete(&self.prefix.clone().join(name.file.as_str())))?)
    }

    /// Removes what a killed writer left half written in a local folder; returns how many files.
    pub(crate) fn remove_partial(&self) -> Result<usize, AttributionError> {
        let Some((_, path)) = &self.local else { return Ok(0) };
        let io = |source| AttributionError::Io { path: path.clone(), source };
        let mut removed = 0;
        for entry in std::fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            let partial = name.to_str().and_then(|name| name.rsplit_once('#'));
            if partial
                .is_some_and(|(file, _)| [Kind::Rows, Kind::Sums].iter().any(|k| parse(file, *k).is_some()))
            {
                std::fs::remove_file(entry.path()).map_err(io)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl fmt::Debug for StoreFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreFolder").field("objects", &self.objects).field("prefix", &self.prefix).finish()
    }
}

impl ShardName {
    pub(crate) fn error(&self, what: impl Into<String>) -> AttributionError {
        AttributionError::Shard { file: self.file.clone(), what: what.into() }
    }
}

fn parse(file: &str, kind: Kind) -> Option<ShardName> {
    let rest = file.strip_prefix(kind.name())?.strip_prefix('-')?.strip_suffix(SUFFIX)?;
    let (index, digits) = rest.split_once('-')?;
    let hex = digits.len() == DIGEST_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && index.len() == 8)
        .then(|| Some(ShardName { index: index.parse().ok()?, file: file.to_owned() }))?
}

fn digest(bytes: &[u8]) -> String {
    let mut text = alloy_primitives::hex::encode(Sha256::digest(bytes));
    text.truncate(DIGEST_DIGITS);
    text
}
