//! Files that can be computed again: kept whole or not at all, and not without end.

use crate::AttributorError;
use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Files that are kept; the oldest make room.
const MAX_FILES: usize = 1_024;
/// What the names of files begin with that are not whole yet.
const PARTIAL: &str = ".partial";

/// A folder of such files.
#[derive(Debug, Clone)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// A file, if it is kept.
    pub(super) async fn open(&self, name: &str) -> Result<Option<tokio::fs::File>, AttributorError> {
        let path = self.0.join(name);
        if_kept(&path, tokio::fs::File::open(&path).await)
    }

    /// A file's content, if it is kept.
    pub(super) async fn read(&self, name: &str) -> Result<Option<Vec<u8>>, AttributorError> {
        let path = self.0.join(name);
        if_kept(&path, tokio::fs::read(&path).await)
    }

    /// Keeps a file.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), AttributorError> {
        let (folder, path) = (self.0.clone(), self.0.join(name));
        let kept = tokio::task::spawn_blocking(move || {
            keep(&folder, &path, &bytes)
                .map_err(|source| AttributorError::Io { path: path.display().to_string(), source })
        });
        kept.await.map_err(|_| AttributorError::Panicked)?
    }
}

fn if_kept<T>(path: &Path, found: std::io::Result<T>) -> Result<Option<T>, AttributorError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AttributorError::Io { path: path.display().to_string(), source }),
    }
}

fn keep(folder: &Path, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    make_room(folder)?;
    // On an error it takes its half of a file with it.
    let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Removes the oldest files, and halves of files that a stop left behind.
fn make_room(folder: &Path) -> std::io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            fs::remove_file(entry.path())?;
        } else {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort_unstable();
    let over = (files.len() + 1).saturating_sub(MAX_FILES);
    files.iter().take(over).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[tokio::test]
    async fn shelf_keeps_whole_files_alone_and_clears_what_a_stop_left() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path().join("previews"));
        assert_eq!(shelf.read("a").await.unwrap(), None);
        shelf.put("a", b"one".to_vec()).await.unwrap();
        fs::write(folder.path().join("previews/.partial123"), "half").unwrap();
        shelf.put("a", b"two".to_vec()).await.unwrap();
        assert_eq!(shelf.read("a").await.unwrap(), Some(b"two".to_vec()));
        assert_eq!(names(&folder.path().join("previews")), ["a"]);
    }

    #[tokio::test]
    async fn file_that_cannot_be_finished_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // Its place is taken by a folder that is not empty, over which nothing can be renamed.
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let shelf = Shelf::new(folder.path().to_owned());
        assert!(shelf.put("a", b"one".to_vec()).await.is_err());
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[tokio::test]
    async fn oldest_files_make_room() {
        let folder = tempfile::tempdir().unwrap();
        for at in 0..MAX_FILES + 5 {
            let file = fs::File::create(folder.path().join(format!("f{at:04}"))).unwrap();
            let age = std::time::Duration::from_secs(10_000 - at as u64);
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        Shelf::new(folder.path().to_owned()).put("newest", vec![]).await.unwrap();
        let kept = names(folder.path());
        assert_eq!(kept.len(), MAX_FILES);
        assert!(kept.contains(&"newest".to_owned()) && kept.contains(&"f0006".to_owned()));
        assert!(!kept.contains(&"f0005".to_owned()));
    }
}
