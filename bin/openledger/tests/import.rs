//! `openledger import` on chains that others made.
#![allow(clippy::unwrap_used)]

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The chains of ethereum/execution-apis with their last blocks.
const CHAINS: [(&str, u64, &str); 3] = [
    ("cancun-2024-01", 20, "0x8f64c4436f7213cfdf02cfb9f45d012f1774dfb329b8803de5e7479b11586902"),
    ("prague-genesis-2025-02", 20, "0x514c48e760c62a38f91e011149b1b4a619bb3a7f750ec4430061bf19c3336635"),
    ("osaka-2026-08", 54, "0xd226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7"),
];

/// The archive with the chains, where it is on this machine.
fn archive() -> Option<PathBuf> {
    let shared = std::env::var_os("OPENLEDGER_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let archive = shared.join("conformance/execution-apis.tar.xz");
    if !archive.is_file() {
        println!("skipped: {} is not there; set OPENLEDGER_SHARED", archive.display());
        return None;
    }
    Some(archive)
}

fn import(chain: &Path, datadir: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_openledger"))
        .args(["import", "--chain"])
        .arg(chain.join("genesis.json"))
        .arg("--datadir")
        .arg(datadir)
        .arg(chain.join("chain.rlp"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn chains_of_others_are_imported_to_their_exact_heads_and_only_once() {
    let Some(archive) = archive() else { return };
    let folder = tempfile::tempdir().unwrap();
    let tar = Command::new("tar").arg("xf").arg(archive).arg("-C").arg(folder.path()).status().unwrap();
    assert!(tar.success());
    for (name, number, hash) in CHAINS {
        let chain = folder.path().join("execution-apis").join(name).join("tests");
        let datadir = folder.path().join(format!("{name}-data"));
        let summary = import(&chain, &datadir);
        assert_eq!(summary["number"], number, "{name}: {summary}");
        assert_eq!(summary["head"], hash, "{name}: {summary}");
        assert!(summary["gas"].as_u64().unwrap() > 0);
        let again = import(&chain, &datadir);
        assert_eq!((&again["head"], &again["gas"]), (&summary["head"], &Value::from(0)));
    }
}
