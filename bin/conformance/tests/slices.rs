//! A fixed slice of each suite, small enough to run with every change.
//!
//! Reads the archives in the folder `conformance` of `OPENLEDGER_SHARED`; the whole suites are for
//! `make conformance`.
#![allow(clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use openledger_conformance::{Case, run_blocks, run_files, run_op_block, run_roots, run_state};
use tempfile::TempDir;

/// Unpacks the members of an archive that match `patterns`; `None` where the archive is not there.
fn unpack(archive: &str, patterns: &[&str]) -> Option<TempDir> {
    let shared = std::env::var_os("OPENLEDGER_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let archive = shared.join("conformance").join(archive);
    if !archive.is_file() {
        println!("skipped: {} is not there; set OPENLEDGER_SHARED", archive.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("xf").arg(archive).arg("-C").arg(folder.path()).arg("--wildcards").args(patterns);
    assert!(tar.status().unwrap().success());
    Some(folder)
}

fn check(folder: &Path, run: fn(&Path) -> eyre::Result<Vec<Case>>, at_least: usize) {
    let report = run_files(&[folder.to_owned()], run).unwrap();
    assert!(report.failed.is_empty(), "{report}");
    assert!(report.passed >= at_least, "only {} cases ran", report.passed);
}

#[test]
fn blocks_of_several_forks_are_accepted_or_refused_as_their_authors_say() {
    let patterns = [
        "*/frontier/*",
        "*/berlin/*",
        "*/london/validation/*",
        "*/shanghai/*",
        "*/cancun/eip4788*",
        "*/prague/eip2935*",
    ];
    if let Some(folder) = unpack("eest-blockchain.tar.xz", &patterns) {
        check(folder.path(), run_blocks, 500);
    }
}

#[test]
fn transactions_of_several_forks_leave_the_state_and_the_logs_that_their_authors_say() {
    let patterns = ["*/frontier/*", "*/berlin/*", "*/london/*", "*/shanghai/*", "*/cancun/eip4844*"];
    if let Some(folder) = unpack("eest-state.tar.xz", &patterns) {
        check(folder.path(), run_state, 300);
    }
}

#[test]
fn op_sepolia_blocks_have_their_exact_hashes() {
    if let Some(folder) = unpack("op-stack.tar.xz", &["kona-executor-json/*"]) {
        check(folder.path(), run_op_block, 4);
    }
}

#[test]
fn tries_have_the_roots_that_their_authors_say() {
    if let Some(folder) = unpack("ethereum-tests.tar.xz", &["*/TrieTests/*"]) {
        check(folder.path(), run_roots, 20);
    }
}
