//! Contributions in an object store.

use crate::{
    ContentStoreError, MAX_ROWS, MasterKey, Row,
    cipher::{open_row, seal_row},
    contribution_root,
};
use alloy_primitives::{B256, Bytes};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, path::Path as ObjectPath,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{path::Path, sync::Arc};
use zeroize::Zeroizing;

/// Encrypted rows, by contribution root. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ContentStore {
    objects: Arc<dyn ObjectStore>,
    master: MasterKey,
}

impl ContentStore {
    /// A store over any object store.
    pub fn new(objects: Arc<dyn ObjectStore>, master: MasterKey) -> Self {
        Self { objects, master }
    }

    /// A store in a local folder, which is made when missing.
    pub fn open_local(folder: &Path, master: MasterKey) -> Result<Self, ContentStoreError> {
        std::fs::create_dir_all(folder).map_err(|source| object_store::Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(source),
        })?;
        let objects = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self::new(Arc::new(objects), master))
    }

    /// Encrypts and keeps `rows`, if they hash to `root`. Keeping the same rows again changes nothing.
    pub async fn put(&self, root: B256, rows: &[Row]) -> Result<(), ContentStoreError> {
        let actual = contribution_root(rows)?;
        if actual != root {
            return Err(ContentStoreError::WrongRoot { expected: root, actual });
        }
        if self.contains(root).await? {
            return Ok(());
        }
        let mut keys = Vec::with_capacity(rows.len());
        let mut sealed = Vec::with_capacity(rows.len());
        for (index, row) in (0..).zip(rows) {
            let plain = Zeroizing::new([row.salt.as_slice(), row.text.as_bytes()].concat());
            let (key, ciphertext) = seal_row(&self.master, root, index, &plain)
                .ok_or(ContentStoreError::Undecryptable { root })?;
            keys.push(Some(key));
            sealed.push(ciphertext);
        }
        // Keys last: a contribution counts as stored once its keys are there.
        self.write(rows_path(root), &sealed).await?;
        self.write(keys_path(root), &keys).await
    }

    /// Whether a contribution is stored.
    pub async fn contains(&self, root: B256) -> Result<bool, ContentStoreError> {
        match self.objects.head(&keys_path(root)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// All rows of a contribution in their order; `None` where a row was erased.
    pub async fn rows(&self, root: B256) -> Result<Vec<Option<Row>>, ContentStoreError> {
        let (keys, sealed) = self.read(root).await?;
        (0..)
            .zip(keys.iter().zip(&sealed))
            .map(|(index, (key, sealed))| {
                key.as_ref().map(|key| self.decrypt(root, index, key, sealed)).transpose()
            })
            .collect()
    }

    /// One row of a contribution.
    pub async fn row(&self, root: B256, index: u32) -> Result<Row, ContentStoreError> {
        let (keys, sealed) = self.read(root).await?;
        let unknown = || ContentStoreError::UnknownRow { root, index, rows: keys.len() };
        let key = keys.get(index as usize).ok_or_else(unknown)?;
        let key = key.as_ref().ok_or(ContentStoreError::Erased { root, index })?;
        self.decrypt(root, index, key, sealed.get(index as usize).ok_or_else(unknown)?)
    }

    /// Destroys a row's key. The row cannot be read again by anyone.
    pub async fn erase(&self, root: B256, index: u32) -> Result<(), ContentStoreError> {
        let (mut keys, _) = self.read(root).await?;
        let rows = keys.len();
        *keys.get_mut(index as usize).ok_or(ContentStoreError::UnknownRow { root, index, rows })? = None;
        self.write(keys_path(root), &keys).await
    }

    /// Removes a contribution, keys first; one that is not stored is none the worse for it.
    pub async fn remove(&self, root: B256) -> Result<(), ContentStoreError> {
        for path in [keys_path(root), rows_path(root)] {
            match self.objects.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn decrypt(&self, root: B256, index: u32, key: &[u8], sealed: &[u8]) -> Result<Row, ContentStoreError> {
        let plain = open_row(&self.master, root, index, key, sealed)
            .ok_or(ContentStoreError::Undecryptable { root })?;
        let (salt, text) = plain.split_at_checked(32).ok_or(ContentStoreError::Undecryptable { root })?;
        let text = std::str::from_utf8(text).map_err(|_| ContentStoreError::Undecryptable { root })?;
        Ok(Row { salt: B256::from_slice(salt), text: text.to_owned() })
    }

    async fn read(&self, root: B256) -> Result<(Vec<Option<Bytes>>, Vec<Bytes>), ContentStoreError> {
        let keys: Vec<Option<Bytes>> = self.read_json(root, keys_path(root)).await?;
        let sealed: Vec<Bytes> = self.read_json(root, rows_path(root)).await?;
        if keys.len() != sealed.len() || keys.len() > MAX_ROWS {
            let reason = format!("{} keys for {} rows", keys.len(), sealed.len());
            return Err(ContentStoreError::Corrupt { root, reason });
        }
        Ok((keys, sealed))
    }

    async fn read_json<T: DeserializeOwned>(
        &self,
        root: B256,
        path: ObjectPath,
    ) -> Result<T, ContentStoreError> {
        let object = match self.objects.get(&path).await {
            Err(object_store::Error::NotFound { .. }) => {
                return Err(ContentStoreError::UnknownContribution(root));
            }
            object => object?,
        };
        serde_json::from_slice(&object.bytes().await?)
            .map_err(|error| ContentStoreError::Corrupt { root, reason: error.to_string() })
    }

    async fn write<T: Serialize + Sync>(&self, path: ObjectPath, value: &T) -> Result<(), ContentStoreError> {
        let bytes = serde_json::to_vec(value).map_err(|error| object_store::Error::Generic {
            store: "content store",
            source: Box::new(error),
        })?;
        self.objects.put(&path, PutPayload::from(bytes)).await?;
        Ok(())
    }
}

fn rows_path(root: B256) -> ObjectPath {
    ObjectPath::from(format!("contributions/{root:x}/rows.json"))
}

fn keys_path(root: B256) -> ObjectPath {
    ObjectPath::from(format!("contributions/{root:x}/keys.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_ROW_BYTES;

    fn rows(count: u8) -> Vec<Row> {
        (0..count)
            .map(|i| Row { salt: B256::repeat_byte(i), text: format!("patient record number {i}") })
            .collect()
    }

    fn store(folder: &Path) -> ContentStore {
        ContentStore::open_local(folder, MasterKey::load_or_create(&folder.join("k")).unwrap()).unwrap()
    }

    fn every_file(folder: &Path, bytes: &mut Vec<u8>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { every_file(&path, bytes) } else { bytes.extend(std::fs::read(path).unwrap()) }
        }
    }

    #[tokio::test]
    async fn rows_come_back_after_reopening_and_no_plaintext_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (rows, root) = (rows(5), contribution_root(&rows(5)).unwrap());
        store(folder.path()).put(root, &rows).await.unwrap();
        let read: Vec<_> = store(folder.path()).rows(root).await.unwrap().into_iter().flatten().collect();
        assert_eq!(read, rows);
        assert_eq!(store(folder.path()).row(root, 3).await.unwrap(), rows[3]);
        let mut bytes = Vec::new();
        every_file(folder.path(), &mut bytes);
        assert!(!bytes.windows(7).any(|window| window == b"patient"));
    }

    #[tokio::test]
    async fn erased_row_is_gone_and_its_neighbours_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (rows, root) = (rows(3), contribution_root(&rows(3)).unwrap());
        let store = store(folder.path());
        store.put(root, &rows).await.unwrap();
        store.erase(root, 1).await.unwrap();
        assert!(matches!(store.row(root, 1).await, Err(ContentStoreError::Erased { index: 1, .. })));
        assert_eq!(store.rows(root).await.unwrap(), [Some(rows[0].clone()), None, Some(rows[2].clone())]);
        store.put(root, &rows).await.unwrap();
        assert!(store.row(root, 1).await.is_err(), "offering the rows again must not undo an erasure");
    }

    #[tokio::test]
    async fn removed_contribution_leaves_nothing_and_can_be_stored_again() {
        let folder = tempfile::tempdir().unwrap();
        let (rows, root) = (rows(3), contribution_root(&rows(3)).unwrap());
        let store = store(folder.path());
        store.remove(root).await.unwrap();
        store.put(root, &rows).await.unwrap();
        store.remove(root).await.unwrap();
        assert!(!store.contains(root).await.unwrap());
        assert!(matches!(store.rows(root).await, Err(ContentStoreError::UnknownContribution(_))));
        store.put(root, &rows).await.unwrap();
        assert_eq!(store.row(root, 2).await.unwrap(), rows[2]);
    }

    #[tokio::test]
    async fn wrong_root_bounds_and_unknown_rows_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let root = contribution_root(&rows(2)).unwrap();
        assert!(matches!(store.put(root, &rows(3)).await, Err(ContentStoreError::WrongRoot { .. })));
        assert!(!store.contains(root).await.unwrap());
        assert!(matches!(store.put(root, &[]).await, Err(ContentStoreError::OutOfBounds { .. })));
        let long = Row { salt: B256::ZERO, text: "x".repeat(MAX_ROW_BYTES + 1) };
        assert!(matches!(contribution_root(&[long]), Err(ContentStoreError::OutOfBounds { .. })));
        assert!(matches!(store.rows(root).await, Err(ContentStoreError::UnknownContribution(_))));
        store.put(root, &rows(2)).await.unwrap();
        assert!(matches!(store.row(root, 2).await, Err(ContentStoreError::UnknownRow { rows: 2, .. })));
    }

    #[tokio::test]
    async fn damaged_moved_or_foreign_ciphertexts_do_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let (rows, root) = (rows(2), contribution_root(&rows(2)).unwrap());
        let mine = store(folder.path());
        mine.put(root, &rows).await.unwrap();
        let other = ContentStore::open_local(folder.path(), MasterKey::random()).unwrap();
        assert!(matches!(other.rows(root).await, Err(ContentStoreError::Undecryptable { .. })));
        let path = folder.path().join(format!("contributions/{root:x}/rows.json"));
        let mut sealed: Vec<Bytes> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        sealed.swap(0, 1);
        std::fs::write(&path, serde_json::to_vec(&sealed).unwrap()).unwrap();
        assert!(matches!(mine.rows(root).await, Err(ContentStoreError::Undecryptable { .. })));
        std::fs::write(&path, b"[\"0x00\"").unwrap();
        assert!(matches!(mine.rows(root).await, Err(ContentStoreError::Corrupt { .. })));
    }

    #[test]
    fn debug_output_shows_no_text() {
        let row = Row { salt: B256::ZERO, text: "secret".into() };
        assert!(!format!("{row:?}").contains("secret"));
    }
}
