//! The secret that lets the operator order trainings.

use crate::AttributorError;
use alloy_primitives::{B256, hex, keccak256};
use std::{
    fmt, fs,
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Fewest characters of a token.
const MIN_CHARACTERS: usize = 32;

/// The operator's token. Never shown by `Debug`.
pub(crate) struct OperatorToken(String);

impl OperatorToken {
    /// Reads the token, or makes one, readable by its owner only. A file appears only when it is whole.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, AttributorError> {
        let fail = |source| AttributorError::Io { path: path.display().to_string(), source };
        match fs::read_to_string(path) {
            Ok(token) if token.trim().len() >= MIN_CHARACTERS => Ok(Self(token.trim().to_owned())),
            Ok(_) => Err(AttributorError::Invalid(format!(
                "{}: the token is shorter than {MIN_CHARACTERS} characters: remove the file to have one made",
                path.display()
            ))),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let token = hex::encode(B256::random());
                let partial = path.with_extension("partial");
                let mut options = fs::OpenOptions::new();
                let mut file = options
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&partial)
                    .map_err(fail)?;
                file.write_all(token.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
                fs::rename(&partial, path).map_err(fail)?;
                Ok(Self(token))
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// Whether `given` is the token, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, given: &str) -> bool {
        same(keccak256(&self.0), keccak256(given))
    }
}

impl fmt::Debug for OperatorToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorToken(..)")
    }
}

/// Compares secrets in a time that does not depend on them.
pub(crate) fn same(a: B256, b: B256) -> bool {
    let difference = a.iter().zip(b.iter()).fold(0, |all, (x, y)| all | (x ^ y));
    std::hint::black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn token_survives_a_restart_is_private_and_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.token");
        let made = OperatorToken::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = OperatorToken::load_or_create(&path).unwrap();
        assert!(read.is(&made.0) && !read.is("") && !read.is(&made.0[1..]));
        assert!(!format!("{read:?}").contains(&made.0));
        fs::write(&path, "short").unwrap();
        assert!(OperatorToken::load_or_create(&path).unwrap_err().to_string().contains("32 characters"));
    }
}
