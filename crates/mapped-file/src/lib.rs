#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::{fs::File, io, path::Path};

use bytes::Bytes;
use memmap2::Mmap;

/// The bytes of a file; they stay valid when the file is removed or replaced.
pub fn map(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the map is read only and the caller keeps files unchanged in place, as the README says.
    #[allow(unsafe_code)]
    let map = unsafe { Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_outlive_the_removed_file_and_absence_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        let bytes = map(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(&bytes[..], b"content");
        assert!(map(&path).is_err());
        std::fs::write(&path, b"").unwrap();
        assert!(map(&path).unwrap().is_empty());
    }
}
