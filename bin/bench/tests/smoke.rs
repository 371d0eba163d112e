//! The smallest run there is: every promised number must come out of it.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

const PROMISED: [&str; 12] = [
    "import.transfer.vs_limit",
    "import.erc20.vs_limit",
    "import.compute.vs_limit",
    "sequence.transfer.vs_anvil",
    "sequence.erc20.vs_anvil",
    "sequence.transfer.vs_recover",
    "root.100k_of_10m.vs_full",
    "seal.10k_of_1m_ms",
    "open.100k_blocks_s",
    "disk.bytes_per_transfer",
    "memory.import_100k_mib",
    "memory.reorg_storm_mib",
];

#[test]
fn a_run_gives_every_promised_number() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let anvil = root.join("contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    if !anvil.exists() {
        println!("skipped: anvil is not installed, run `make setup`");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("core.json");
    let docs = folder.path().join("benchmarks.md");
    fs::copy(root.join("docs/benchmarks.md"), &docs).unwrap();
    let sizes = "--rounds 1 --accounts 300 --blocks 2 --block-gas 4000000 --transactions 400 --senders 20 \
                 --leaves 20000 --sealed 50 --open-blocks 300 --memory-blocks 300 --reorgs 20";
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench-core"));
    bench.args(sizes.split_whitespace()).arg("--folder").arg(folder.path());
    bench.arg("--json").arg(&json).arg("--docs").arg(&docs).arg("--anvil").arg(&anvil);
    assert!(bench.status().unwrap().success());
    let numbers: BTreeMap<String, f64> = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let table = fs::read_to_string(&docs).unwrap();
    for name in PROMISED {
        assert!(numbers.get(name).is_some_and(|number| *number > 0.0), "{name}: {:?}", numbers.get(name));
        assert!(table.contains(&format!("`{name}`")), "{name} is not in the table");
    }
}
