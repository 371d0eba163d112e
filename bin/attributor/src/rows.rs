//! Rows in files, one a line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use eyre::{Context, Result, ensure};

/// The largest file that is read, bytes.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// The files.
#[derive(Debug, Args)]
pub(crate) struct RowFiles {
    /// A file with a row a line, in the order of their commitment; may be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    rows: Vec<PathBuf>,
}

/// What the files hold.
#[derive(Debug)]
pub(crate) struct Texts(Vec<String>);

impl RowFiles {
    pub(crate) fn read(&self) -> Result<Texts> {
        self.rows.iter().map(|path| read(path)).collect::<Result<_>>().map(Texts)
    }
}

impl Texts {
    /// All lines, the empty ones too: a row's number is its line's, counted from zero through all files.
    pub(crate) fn rows(&self) -> Vec<&str> {
        self.0.iter().flat_map(|text| text.lines()).collect()
    }
}

/// A file's text, where it is not too large.
pub(crate) fn read(path: &Path) -> Result<String> {
    let bytes = fs::metadata(path).wrap_err_with(|| path.display().to_string())?.len();
    ensure!(bytes <= MAX_FILE_BYTES, "{}: over {MAX_FILE_BYTES} bytes", path.display());
    fs::read_to_string(path).wrap_err_with(|| path.display().to_string())
}
