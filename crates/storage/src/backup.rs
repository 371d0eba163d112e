//! Snapshots of the database: a copy of its files at one moment, with a manifest that proves it whole.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, hex};
use rocksdb::checkpoint::Checkpoint;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Database, Result, StorageError,
    codec::Commit,
    columns,
    database::{HEADS_KEY, SCHEMA_VERSION},
    reads,
};

/// Where in a snapshot's folder the database's files are.
const FILES: &str = "db";
const MANIFEST: &str = "manifest.json";
/// Bytes that a manifest may have.
const MANIFEST_LIMIT: u64 = 16 << 20;
const COPY_BUFFER: usize = 1 << 20;

/// What a snapshot holds. Stored as `manifest.json` beside the folder `db` with the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SnapshotManifest {
    /// Version of the encodings.
    pub schema: u64,
    /// Hash of the chain's genesis.
    pub genesis_hash: B256,
    /// Number of the head.
    pub number: u64,
    /// Hash of the head.
    pub hash: B256,
    /// State root of the head.
    pub state_root: B256,
    /// Every file, in order of the names.
    pub files: Vec<SnapshotFile>,
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SnapshotFile {
    /// Its name in the folder `db`.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: B256,
}

impl Database {
    /// Writes a snapshot into the new folder `path`. The node may go on meanwhile: the snapshot is of one
    /// moment. On the same file system its tables are hard links, and take no room until the originals go.
    pub fn write_snapshot(&self, path: &Path) -> Result<SnapshotManifest> {
        if path.exists() {
            return Err(refused(path, "it is there already: choose a new folder"));
        }
        let part = part_of(path)?;
        fs::create_dir_all(&part).map_err(|error| refused(&part, error))?;
        let manifest = self.fill_snapshot(&part);
        if manifest.is_err() {
            // What is there is of no use, and what went wrong counts for more than not removing it.
            let _ = fs::remove_dir_all(&part);
        }
        let manifest = manifest?;
        put_in_place(&part, path)?;
        Ok(manifest)
    }

    fn fill_snapshot(&self, part: &Path) -> Result<SnapshotManifest> {
        let files = part.join(FILES);
        let head = {
            // The checkpoint and the head that the manifest names must be of one moment.
            let _writer = self.writer();
            Checkpoint::new(self.db())?.create_checkpoint(&files)?;
            let snapshot = self.snapshot();
            let heads = snapshot.get(columns::META, HEADS_KEY)?.unwrap_or_default();
            let head = Commit::decode(&heads)?.heads.latest;
            let (_, header) = reads::header_that_is_there(&snapshot, head.number)?;
            (head, header.state_root)
        };
        let (BlockNumHash { number, hash }, state_root) = head;
        let genesis_hash = self.spec().genesis_hash();
        let mut manifest = SnapshotManifest {
            schema: SCHEMA_VERSION,
            genesis_hash,
            number,
            hash,
            state_root,
            files: Vec::new(),
        };
        for name in names_in(&files)? {
            let path = files.join(&name);
            let (bytes, sha256) = copy(&path, &mut io::sink())?;
            manifest.files.push(SnapshotFile { name, bytes, sha256 });
        }
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| refused(part, error))?;
        let path = part.join(MANIFEST);
        write_file(&path, |file| file.write_all(&text)).map_err(|error| refused(&path, error))?;
        Ok(manifest)
    }
}

/// Copies the snapshot in the folder `snapshot` to the new folder `path`, where [`Database::open`] then finds
/// it. The snapshot must be of the chain with this genesis. Every file is compared to the manifest on the way; after
/// any error there is nothing at `path`.
pub fn restore_snapshot(snapshot: &Path, path: &Path, genesis_hash: B256) -> Result<SnapshotManifest> {
    let manifest = read_manifest(snapshot)?;
    if manifest.genesis_hash != genesis_hash {
        let (path, found) = (snapshot.to_owned(), manifest.genesis_hash);
        return Err(StorageError::OtherChain { path, found, expected: genesis_hash });
    }
    if manifest.schema != SCHEMA_VERSION {
        let (path, found) = (snapshot.to_owned(), manifest.schema);
        return Err(StorageError::OtherSchema { path, found, expected: SCHEMA_VERSION });
    }
    let empty = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if !empty {
        return Err(refused(path, "cannot restore there: it is no empty folder"));
    }
    let part = part_of(path)?;
    let restored = copy_files(snapshot, &manifest, &part);
    if restored.is_err() {
        let _ = fs::remove_dir_all(&part);
    }
    restored?;
    if path.exists() {
        fs::remove_dir(path).map_err(|error| refused(path, error))?;
    }
    put_in_place(&part, path)?;
    Ok(manifest)
}

fn copy_files(snapshot: &Path, manifest: &SnapshotManifest, part: &Path) -> Result<()> {
    let files = snapshot.join(FILES);
    let names: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
    if let Some(extra) = names_in(&files)?.iter().find(|name| !names.contains(&name.as_str())) {
        return Err(refused(&files.join(extra), "the manifest does not name it"));
    }
    fs::create_dir_all(part).map_err(|error| refused(part, error))?;
    for file in &manifest.files {
        let mut components = Path::new(&file.name).components();
        if !matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)) {
            return Err(refused(
                snapshot,
                format!("the manifest names {:?}, which is no file name", file.name),
            ));
        }
        let (source, target) = (files.join(&file.name), part.join(&file.name));
        let mut found = (0, B256::ZERO);
        let mut failed = None;
        write_file(&target, |out| {
            match copy(&source, out) {
                Ok(copied) => found = copied,
                Err(error) => failed = Some(error),
            }
            Ok(())
        })
        .map_err(|error| refused(&target, error))?;
        if let Some(error) = failed {
            return Err(error);
        }
        if found != (file.bytes, file.sha256) {
            let reason = format!(
                "it has {} bytes and SHA-256 {}, the manifest says {} and {}: get the snapshot again",
                found.0,
                hex::encode(found.1),
                file.bytes,
                hex::encode(file.sha256)
            );
            return Err(refused(&source, reason));
        }
    }
    Ok(())
}

fn read_manifest(snapshot: &Path) -> Result<SnapshotManifest> {
    let path = snapshot.join(MANIFEST);
    let file = File::open(&path).map_err(|error| refused(&path, error))?;
    let mut text = Vec::new();
    file.take(MANIFEST_LIMIT).read_to_end(&mut text).map_err(|error| refused(&path, error))?;
    serde_json::from_slice(&text).map_err(|error| refused(&path, error))
}

/// The names in a folder, in order.
fn names_in(folder: &Path) -> Result<Vec<String>> {
    let failed = |error: io::Error| refused(folder, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.into_string().map_err(|name| refused(folder, format!("odd file name {name:?}")))?);
    }
    names.sort_unstable();
    Ok(names)
}

/// Copies a file and gives its length and SHA-256.
fn copy(path: &Path, out: &mut impl Write) -> Result<(u64, B256)> {
    let failed = |error: io::Error| refused(path, error);
    let mut file = File::open(path).map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; COPY_BUFFER];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok((bytes, B256::from_slice(&hasher.finalize())));
        }
        hasher.update(&buffer[..read]);
        out.write_all(&buffer[..read]).map_err(failed)?;
        bytes += read as u64;
    }
}

fn write_file(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::create(path)?;
    write(&mut file)?;
    file.sync_all()
}

/// Where a folder is put together before it gets its name.
fn part_of(path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| refused(path, "it has no name"))?;
    let mut name = name.to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    if part.exists() {
        fs::remove_dir_all(&part).map_err(|error| refused(&part, error))?;
    }
    Ok(part)
}

/// Gives a finished folder its name, so that it is there whole or not at all.
fn put_in_place(part: &Path, path: &Path) -> Result<()> {
    let failed = |error: io::Error| refused(path, error);
    File::open(part).and_then(|folder| folder.sync_all()).map_err(failed)?;
    fs::rename(part, path).map_err(failed)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(failed)
}

fn refused(path: &Path, reason: impl ToString) -> StorageError {
    StorageError::Snapshot { path: path.to_owned(), reason: reason.to_string() }
}
