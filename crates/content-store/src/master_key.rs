//! The key that wraps all row keys.

use crate::ContentStoreError;
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305,
    aead::{OsRng, rand_core::RngCore},
};
use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// 256 bits that open everything in one store. Kept in a file that only its owner may read.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// A fresh random key.
    pub fn random() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(key.as_mut());
        Self(key)
    }

    /// Reads the key from `path`, or makes one there with mode 0600 when there is no file.
    pub fn load_or_create(path: &Path) -> Result<Self, ContentStoreError> {
        let fail = |reason: String| ContentStoreError::MasterKey { path: path.display().to_string(), reason };
        match fs::read(path) {
            Ok(bytes) => {
                let bytes = Zeroizing::new(bytes);
                let mode = fs::metadata(path).map_err(|e| fail(e.to_string()))?.permissions().mode();
                if mode & 0o077 != 0 {
                    return Err(fail(format!("others may read it (mode {:o}): chmod 600", mode & 0o777)));
                }
                let key: [u8; 32] = bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| fail(format!("holds {} bytes instead of 32", bytes.len())))?;
                Ok(Self(Zeroizing::new(key)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = Self::random();
                // Under another name first: a key file that is there is whole.
                let partial = path.with_extension("partial");
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&partial)
                    .map_err(|e| fail(e.to_string()))?;
                file.write_all(key.0.as_ref())
                    .and_then(|()| file.sync_all())
                    .and_then(|()| fs::rename(&partial, path))
                    .map_err(|e| fail(e.to_string()))?;
                Ok(key)
            }
            Err(error) => Err(fail(error.to_string())),
        }
    }

    pub(crate) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(self.0.as_ref()))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_file_is_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*MasterKey::load_or_create(&path).unwrap().0, *made.0);
    }

    #[test]
    fn readable_or_short_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, [7; 31]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = MasterKey::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = MasterKey::load_or_create(&path).unwrap_err().to_string();
        assert!(refused.contains("31 bytes"), "{refused}");
    }
}
