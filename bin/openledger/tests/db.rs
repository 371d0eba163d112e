//! `openledger db` and the flags that say what is kept, on a chain in real folders.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B64, B256, TxKind, U256};
use alloy_rpc_types_engine::PayloadAttributes;
use op_alloy_consensus::TxDeposit;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;
use openledger_engine::{Engine, EngineConfig};
use openledger_storage::Database;
use serde_json::{Value, json};
use tempfile::TempDir;

/// More than the 128 that are kept at least, by more than the 256 that are dropped together.
const BLOCKS: u64 = 420;
/// Time of the genesis block, in seconds.
const START: u64 = 0x6500_0000;

/// A genesis file and a file of blocks on it, each with a new account.
struct Files {
    folder: TempDir,
    head: B256,
}

fn genesis(timestamp: u64) -> String {
    json!({
        "config": { "chainId": 5153, "optimism": {
            "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250
        } },
        "timestamp": format!("{timestamp:#x}"), "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": {},
        "nonce": "0x0", "extraData": "0x", "mixHash": B256::ZERO, "coinbase": Address::ZERO,
        "baseFeePerGas": "0x3b9aca00"
    })
    .to_string()
}

fn attributes(number: u64) -> OpPayloadAttributes {
    let info = TxDeposit {
        source_hash: B256::repeat_byte(1),
        from: "0xdeaddeaddeaddeaddeaddeaddeaddeaddead0001".parse().unwrap(),
        to: TxKind::Call("0x4200000000000000000000000000000000000015".parse().unwrap()),
        gas_limit: 1_000_000,
        ..Default::default()
    };
    let account = Address::from_word(U256::from(number + 0xa000).into());
    let mint = TxDeposit {
        source_hash: B256::from(U256::from(number)),
        from: account,
        to: TxKind::Call(account),
        mint: 1,
        gas_limit: 21_000,
        ..Default::default()
    };
    OpPayloadAttributes {
        payload_attributes: PayloadAttributes {
            timestamp: START + 2 * number,
            withdrawals: Some(Vec::new()),
            parent_beacon_block_root: Some(B256::ZERO),
            ..Default::default()
        },
        transactions: Some([info, mint].iter().map(|deposit| deposit.encoded_2718().into()).collect()),
        gas_limit: Some(30_000_000),
        eip_1559_params: Some(B64::ZERO),
        ..Default::default()
    }
}

impl Files {
    async fn write() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("genesis.json"), genesis(START)).unwrap();
        fs::write(folder.path().join("other.json"), genesis(START + 1)).unwrap();
        let spec = Arc::new(ChainSpec::from_json(&genesis(START)).unwrap());
        let database = Database::open(&folder.path().join("author"), spec).unwrap();
        let (engine, thread) = Engine::spawn(database, EngineConfig::default()).unwrap();
        let mut blocks = Vec::new();
        for number in 1..=BLOCKS {
            let parent = engine.database().heads().latest.hash;
            let built = engine.build(parent, attributes(number), Vec::new()).await.unwrap();
            alloy_rlp::Encodable::encode(&built.block, &mut blocks);
            engine.insert(built.block).await.unwrap();
        }
        fs::write(folder.path().join("chain.rlp"), blocks).unwrap();
        let head = engine.database().heads().latest.hash;
        drop(engine);
        assert!(thread.join());
        Self { folder, head }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program; `@name` stands for a path in the folder.
    fn run(&self, command: &str) -> Output {
        let arguments = command.split_whitespace().map(|one| match one.strip_prefix('@') {
            Some(name) => self.path(name).into_os_string(),
            None => one.into(),
        });
        Command::new(env!("CARGO_BIN_EXE_openledger")).args(arguments).output().unwrap()
    }

    /// What it prints.
    fn text(&self, command: &str) -> String {
        let output = self.run(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Why it refuses.
    fn refusal(&self, command: &str) -> String {
        let output = self.run(command);
        assert!(!output.status.success(), "{command} succeeded");
        String::from_utf8(output.stderr).unwrap()
    }

    fn import(&self, datadir: &str, flags: &str) -> Value {
        let command = format!("import --chain @genesis.json --datadir @{datadir} {flags} @chain.rlp");
        serde_json::from_str(self.text(&command).lines().last().unwrap()).unwrap()
    }

    fn db(&self, command: &str, datadir: &str, flags: &str) -> String {
        self.text(&format!("db {command} --chain @genesis.json --datadir @{datadir} {flags}"))
    }

    fn db_refusal(&self, command: &str, datadir: &str, flags: &str) -> String {
        self.refusal(&format!("db {command} --chain @genesis.json --datadir @{datadir} {flags}"))
    }
}

/// The value in the line of `db stats` with this name.
fn stat(stats: &str, name: &str) -> u64 {
    let line = stats.lines().find(|line| line.starts_with(name)).unwrap();
    line[name.len()..].split_whitespace().next().unwrap().parse().unwrap()
}

fn any_table(folder: &Path) -> PathBuf {
    let mut files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|extension| extension == "sst")).unwrap()
}

#[tokio::test]
async fn a_chain_is_taken_back_pruned_copied_and_restored_by_commands() {
    let files = Files::write().await;
    let summary = files.import("one", "");
    assert_eq!((&summary["number"], &summary["head"]), (&json!(BLOCKS), &json!(files.head)));
    let stats = files.db("stats", "one", "");
    assert_eq!(stat(&stats, "latest"), BLOCKS);
    assert_eq!((stat(&stats, "states from"), stat(&stats, "receipts from")), (0, 0));
    assert!(files.db("verify", "one", "").contains("state root verified"));

    let snapshot = files.db("snapshot", "one", "--out @snapshot");
    assert!(snapshot.starts_with(&format!("head {BLOCKS} {}", files.head)), "{snapshot}");
    let again = files.db_refusal("snapshot", "one", "--out @snapshot");
    assert!(again.contains("choose a new folder"), "{again}");

    let unwound = files.db("unwind", "one", "--to 20");
    assert!(unwound.starts_with("head 20 ") && unwound.contains("took back 400 blocks"), "{unwound}");
    assert!(files.db("verify", "one", "").contains("state root verified"));
    let ahead = files.db_refusal("unwind", "one", "--to 21");
    assert!(ahead.contains("--to 21: the head is block 20"), "{ahead}");
    assert_eq!(files.import("one", "")["head"], json!(files.head));

    let pruned = files.db("prune", "one", "--keep distance=128");
    assert!(pruned.contains("states from block 292, receipts from 292"), "{pruned}");
    assert_eq!(stat(&files.db("stats", "one", ""), "states from"), 292);
    assert!(files.db("verify", "one", "").contains("state root verified"));
    let deep = files.db_refusal("unwind", "one", "--to 100");
    assert!(deep.contains("the first kept is that of block 292"), "{deep}");
    assert_eq!(stat(&files.db("stats", "one", ""), "latest"), BLOCKS, "a refused unwind changes nothing");

    let restored = files.db("restore", "two", "--from @snapshot --verify");
    assert!(
        restored.contains("every file is whole") && restored.contains("state root verified"),
        "{restored}"
    );
    let stats = files.db("stats", "two", "");
    assert_eq!((stat(&stats, "latest"), stat(&stats, "states from")), (BLOCKS, 0));
    let occupied = files.db_refusal("restore", "two", "--from @snapshot");
    assert!(occupied.contains("it is no empty folder"), "{occupied}");
}

#[tokio::test]
async fn what_is_kept_while_importing_is_what_the_flag_says() {
    let files = Files::write().await;
    assert_eq!(files.import("all", "--pruning archive")["head"], json!(files.head));
    assert_eq!(files.import("some", "--pruning distance=130")["head"], json!(files.head));
    assert_eq!(stat(&files.db("stats", "all", ""), "states from"), 0);
    let stats = files.db("stats", "some", "");
    let first = stat(&stats, "states from");
    assert!((1..=BLOCKS - 130).contains(&first), "{stats}");
    assert_eq!(stat(&stats, "receipts from"), first);
    files.db("verify", "some", "");
}

#[tokio::test]
async fn wrong_arguments_are_refused_in_words_that_help_and_change_nothing() {
    let files = Files::write().await;
    files.import("one", "");
    for command in ["import @chain.rlp", "node --role engine --rollup-config @rollup.json"] {
        for (keep, reason) in [
            ("distance=5", "keep at least 128 blocks"),
            ("most", "choose archive, full, or distance=N"),
            ("distance=", "choose archive, full, or distance=N"),
        ] {
            let refusal =
                files.refusal(&format!("{command} --chain @genesis.json --datadir @new --pruning {keep}"));
            assert!(refusal.contains(reason) && refusal.contains("--pruning"), "{refusal}");
        }
    }
    assert!(!files.path("new").exists());
    let missing = files.db_refusal("stats", "nowhere", "");
    assert!(missing.contains("--datadir") && missing.contains("no database there"), "{missing}");
    assert!(!files.path("nowhere").exists());
    let other = files.refusal("db stats --chain @other.json --datadir @one");
    assert!(other.contains("choose another --datadir or the genesis.json it was made with"), "{other}");

    files.db("snapshot", "one", "--out @snapshot");
    let other = files.refusal("db restore --chain @other.json --datadir @new --from @snapshot");
    assert!(other.contains("holds the chain with genesis"), "{other}");
    let table = any_table(&files.path("snapshot/db"));
    let mut bytes = fs::read(&table).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // A file of its own: the snapshot's are links to the database's.
    fs::remove_file(&table).unwrap();
    fs::write(&table, bytes).unwrap();
    let flipped = files.db_refusal("restore", "new", "--from @snapshot");
    assert!(flipped.contains("get the snapshot again"), "{flipped}");
    assert!(!files.path("new/db").exists());

    let spec = Arc::new(ChainSpec::from_json(&genesis(START)).unwrap());
    let held = Database::open(&files.path("one/db"), spec).unwrap();
    let locked = files.db_refusal("verify", "one", "");
    assert!(locked.contains("is in use by another process"), "{locked}");
    drop(held);
    assert_eq!(stat(&files.db("stats", "one", ""), "latest"), BLOCKS);
}
