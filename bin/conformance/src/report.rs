//! Running fixture files on all cores, and what came of their cases.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use eyre::{Result, WrapErr};

/// One case of a fixture file and how it went.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, the file's first.
    pub name: String,
    /// Why it failed; `None` where it passed.
    pub failure: Option<String>,
}

impl Case {
    /// A case of `file`; an error counts as failure.
    pub fn new(file: &Path, name: &str, result: Result<()>) -> Self {
        let file = file.file_name().unwrap_or_default().to_string_lossy();
        // A report's line is one line, whatever the error says.
        let failure = result.err().map(|error| format!("{error:#}").replace('\n', " "));
        Self { name: format!("{file} {name}"), failure }
    }
}

/// What came of all cases.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cases that passed.
    pub passed: usize,
    /// Those that did not, in the order of their files.
    pub failed: Vec<Case>,
}

impl fmt::Display for Report {
    /// The failures, one a line, and the count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for case in &self.failed {
            writeln!(f, "FAILED {}: {}", case.name, case.failure.as_deref().unwrap_or_default())?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failed.len())
    }
}

/// Runs every `.json` file under `paths`, each a file or a folder, on all cores.
///
/// A file that cannot be read or parsed is one failed case.
pub fn run_files(paths: &[PathBuf], run: fn(&Path) -> Result<Vec<Case>>) -> Result<Report> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    // Large files first, so that no core ends alone with one.
    files.sort_by_key(|(bytes, path)| (std::cmp::Reverse(*bytes), path.clone()));
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((_, file)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let cases = run(file).unwrap_or_else(|error| vec![Case::new(file, "", Err(error))]);
                    // Only a panic while it is held poisons it, and pushing does not panic.
                    if let Ok(mut done) = done.lock() {
                        done.push((file.clone(), cases));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut report = Report::default();
    for case in done.into_iter().flat_map(|(_, cases)| cases) {
        match case.failure {
            None => report.passed += 1,
            Some(_) => report.failed.push(case),
        }
    }
    Ok(report)
}

fn collect(path: &Path, files: &mut Vec<(u64, PathBuf)>) -> Result<()> {
    let named = || format!("cannot read {}", path.display());
    let metadata = path.metadata().wrap_err_with(named)?;
    if !metadata.is_dir() {
        files.push((metadata.len(), path.to_owned()));
        return Ok(());
    }
    for entry in path.read_dir().wrap_err_with(named)? {
        let path = entry.wrap_err_with(named)?.path();
        let is_fixture = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
        if path.is_dir() || is_fixture(&path) {
            collect(&path, files)?;
        }
    }
    Ok(())
}
