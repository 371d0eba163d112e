//! What a prepared network leaves in its folder.
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use openledger_chainspec::{ChainSpec, RollupConfig};
use openledger_devnet::{
    Account, Artifacts, Devnet, DevnetError, DevnetJson, DevnetOptions, Ports, Programs,
};

#[tokio::test(flavor = "multi_thread")]
async fn prepared_folder_holds_one_network_and_is_refused_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let options = DevnetOptions {
        datadir: folder.path().join("net"),
        artifacts: Artifacts::find().unwrap(),
        ports: Ports::free().unwrap(),
        programs: Programs { openledger: PathBuf::from("/opt/openledger"), attributor: None, model: None },
        story_accounts: vec![Account::story("alice", 0).unwrap()],
    };
    let devnet = Devnet::prepare(options.clone()).await.unwrap();
    let layout = devnet.roles().layout.clone();

    let spec = ChainSpec::from_path(layout.genesis()).unwrap();
    let rollup = RollupConfig::from_path(layout.rollup()).unwrap();
    rollup.validate_against(&spec).unwrap();
    assert_eq!(rollup.deposit_contract_address, devnet.contracts().optimism_portal);

    let text = fs::read_to_string(layout.devnet_json()).unwrap();
    let description: DevnetJson = serde_json::from_str(&text).unwrap();
    assert_eq!(&description, devnet.description());
    assert_eq!(description.accounts.last().unwrap().name, "alice");
    assert!(description.commands["verifier"].contains("node --role verifier --datadir"));
    assert!(!description.commands.contains_key("attributor"));

    devnet.stop().await;
    let refused = Devnet::prepare(options).await.unwrap_err();
    assert!(matches!(refused, DevnetError::Occupied(_)), "{refused}");
}
