//! Score stores by real processes: several that scan, one that is killed, one whose disk is full.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs)]

mod program;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use openledger_attribution::retraining::{Array, write_floats};
use program::{PROGRAM, complaint, files, said};

const DIMENSION: usize = 64;

fn number(row: usize, place: usize) -> f32 {
    let mixed = (row * 1_000_003 + place + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
}

fn archive(folder: &Path, name: &str, shape: &[usize]) -> PathBuf {
    let (rows, path) =
        (shape.iter().product::<usize>() / DIMENSION, folder.join(format!("{name}{shape:?}.npz")));
    let values = (0..rows * DIMENSION).map(|at| number(at / DIMENSION, at % DIMENSION)).collect();
    write_floats(&path, name, &Array { shape: shape.to_vec(), values }).unwrap();
    path
}

fn write(store: &Path, input: &Path, rows_per_shard: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["store", "write", "--rows-per-shard", rows_per_shard]);
    command.arg("--folder").arg(store).arg("--input").arg(input);
    command
}

#[test]
fn several_processes_find_to_the_bit_what_one_finds() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (rows, query) =
        (archive(folder.path(), "rows", &[5000, DIMENSION]), archive(folder.path(), "query", &[DIMENSION]));
    let written = said(&write(&store, &rows, "300").output().unwrap());
    assert_eq!((&written["rows"], &written["shards"]), (&5000.into(), &17.into()));
    let ask = |more: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["query", "--top", "50"]).args(more);
        command.arg("--folder").arg(&store).arg("--input").arg(&query);
        command.output().unwrap()
    };
    let one = said(&ask(&[]));
    assert_eq!(
        (one["rows"].as_array().unwrap().len(), one["clusters"].as_array().unwrap().len()),
        (50, 5000)
    );
    assert_eq!(one["rows"][0]["row"], 0, "the query is row 0 itself");
    for workers in ["2", "3", "17", "40"] {
        assert_eq!(said(&ask(&["--workers", workers])), one, "{workers} workers");
    }
    let part = said(&ask(&["--shards", "4..6"]));
    let rows: Vec<u64> =
        part["rows"].as_array().unwrap().iter().map(|r| r["row"].as_u64().unwrap()).collect();
    assert!(rows.iter().all(|row| (1200..1800).contains(row)), "{rows:?}");
    assert!(complaint(&ask(&["--shards", "4..18"])).contains("a store of 17"));
    assert!(complaint(&ask(&["--shards", "6..4"])).contains("FROM below TO"));
}

#[test]
fn writer_killed_in_the_middle_goes_on_and_ends_with_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let rows = archive(folder.path(), "rows", &[6000, DIMENSION]);
    let (whole, killed) = (folder.path().join("whole"), folder.path().join("killed"));
    let mut child = write(&killed, &rows, "4").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !killed.is_dir() || files(&killed).len() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be killed");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let check = Command::new(PROGRAM).args(["store", "check", "--folder"]).arg(&killed).output().unwrap();
    let kept = said(&check)["rows"].as_u64().unwrap();
    let resumed = said(&write(&killed, &rows, "4").output().unwrap());
    assert_eq!(resumed["resumed_at"].as_u64().unwrap(), kept);
    assert!((16..6000).contains(&kept), "{kept}");
    assert_eq!(resumed["rows"], 6000);
    said(&write(&whole, &rows, "4").output().unwrap());
    assert_eq!(files(&killed), files(&whole));
}

#[test]
fn full_disk_is_an_error_that_leaves_the_complete_shards_to_go_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (first, all) = (
        archive(folder.path(), "rows", &[512, DIMENSION]),
        archive(folder.path(), "rows", &[2048, DIMENSION]),
    );
    // Sums are not written yet where a writer is stopped.
    said(&write(&store, &first, "512").output().unwrap());
    let sums = files(&store).into_iter().find(|name| name.starts_with("sums")).unwrap();
    fs::remove_file(store.join(sums)).unwrap();
    let before = files(&store);
    let limited = write(&store, &all, "512");
    let arguments: Vec<String> = limited.get_args().map(|a| format!("'{}'", a.to_str().unwrap())).collect();
    // A limit on the size of files stands for a disk without room: the same error comes back from `write`.
    let script = format!("trap '' XFSZ; ulimit -f 40; exec {PROGRAM} {}", arguments.join(" "));
    let error = complaint(&Command::new("sh").args(["-c", &script]).output().unwrap());
    assert!(error.contains("File too large") && error.contains("check space"), "{error}");
    assert_eq!(files(&store), before, "nothing half written is left");
    let resumed = said(&write(&store, &all, "512").output().unwrap());
    assert_eq!((&resumed["resumed_at"], &resumed["rows"]), (&512.into(), &2048.into()));
}

#[test]
fn damage_and_rows_of_another_base_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let rows = archive(folder.path(), "rows", &[512, DIMENSION]);
    said(&write(&store, &rows, "512").output().unwrap());
    let other = format!("0x{}", "11".repeat(32));
    let error = complaint(&write(&store, &rows, "512").args(["--base", &other]).output().unwrap());
    assert!(error.contains("of another base model"), "{error}");
    let name = files(&store).into_iter().find(|name| name.starts_with("rows")).unwrap();
    let mut bytes = fs::read(store.join(&name)).unwrap();
    bytes[5000] ^= 4;
    fs::write(store.join(&name), bytes).unwrap();
    let check = Command::new(PROGRAM).args(["store", "check", "--folder"]).arg(&store).output().unwrap();
    let error = complaint(&check);
    assert!(error.contains(&name) && error.contains("checksum does not match"), "{error}");
}
