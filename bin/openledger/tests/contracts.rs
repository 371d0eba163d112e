//! The example contracts on a real chain, with the checks that `forge test` makes over the mocks, and others' clients: cast,
//! viem and ethers, unmodified.
#![allow(clippy::unwrap_used, missing_docs)]

use alloy_primitives::U256;
use openledger_devnet::{Account, Artifacts, Deposit, Devnet, DevnetOptions, Ports, Programs};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const FUNDED_OPEN: u64 = 50;
const DEPOSIT_WITHIN: Duration = Duration::from_secs(120);

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A chain without an attributor: the scenarios attest themselves.
async fn start(datadir: &Path) -> Devnet {
    let openledger = env!("CARGO_BIN_EXE_openledger").into();
    let client = Account::story("client", 0).unwrap();
    let mut devnet = Devnet::prepare(DevnetOptions {
        datadir: datadir.to_owned(),
        artifacts: Artifacts::find().unwrap(),
        ports: Ports::free().unwrap(),
        programs: Programs { openledger, attributor: None, model: None },
        story_accounts: vec![client.clone()],
    })
    .await
    .unwrap();
    devnet.start_chain().await.unwrap();
    let amount_wei = U256::from(FUNDED_OPEN) * U256::from(10u64.pow(18));
    let deposits = [Deposit { to: client.address(), amount_wei }];
    devnet.fund(&deposits, DEPOSIT_WITHIN).await.unwrap();
    devnet
}

/// Runs a client program of `testdata/clients` against the network, and returns what it prints.
fn run(client: &str, datadir: &Path, arguments: &[&str]) -> String {
    let path = repository().join("testdata/clients").join(client);
    let mut command = if client.ends_with(".mjs") { Command::new("node") } else { Command::new(&path) };
    if client.ends_with(".mjs") {
        command.arg(&path);
    }
    let output = command.arg(datadir).args(arguments).output().unwrap();
    assert!(output.status.success(), "{client}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn devnet_passes_what_the_example_contracts_check_and_costs_what_the_page_says() {
    let folder = tempfile::tempdir().unwrap();
    let datadir = folder.path().join("net");
    let devnet = start(&datadir).await;

    let played = run("scenarios.sh", &datadir, &[]);
    for scenario in ["CooperativeScenario", "DeskScenario", "AgentScenario"] {
        assert!(played.contains(&format!("ok: scenarios: {scenario}: ")), "{played}");
    }
    let measured = run("scenarios.sh", &datadir, &["GasScenario"]);
    let rows: Vec<&str> = measured.lines().filter(|line| line.starts_with("| ")).collect();
    let page = fs::read_to_string(repository().join("docs/solidity.md")).unwrap();
    let (_, table) = page.split_once("| call | gas |\n|---|---:|\n").unwrap();
    let written: Vec<&str> = table.lines().take_while(|line| line.starts_with("| ")).collect();
    assert!(rows.len() > 20, "{measured}");
    assert_eq!(
        written,
        rows,
        "the gas table of docs/solidity.md is not what the chain takes:\n{}",
        rows.join("\n")
    );

    // Each uses the precompiles as its users do; `records` leaves one of all that is kept, which `proofs` reads.
    for client in ["cast.sh", "viem.mjs", "ethers.mjs", "records.mjs", "proofs.mjs"] {
        let (name, _) = client.split_once('.').unwrap();
        let said = run(client, &datadir, &[]);
        assert!(said.starts_with(&format!("ok: {name}: ")), "{said}");
    }
    devnet.stop().await;
}
