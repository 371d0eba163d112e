//! A deposit's OPEN comes back out: real L1 contracts, and the L2 genesis run by a second anvil.
#![allow(clippy::unwrap_used)]

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U256, keccak256, uint};
use alloy_provider::Provider;
use alloy_sol_types::SolValue;
use openledger_abi::{
    L2_TO_L1_MESSAGE_PASSER,
    erc20::IERC20,
    op::{IL2OutputOracle, OutputRootProof},
};
use openledger_devnet::{
    Account, Artifacts, Call, Deposit, Devnet, DevnetOptions, Ports, Programs, Wallet, connect, deposit,
    finalize_withdrawal, prove_withdrawal, start_withdrawal,
};

struct L2(Child);

impl Drop for L2 {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start_l2(devnet: &Devnet, artifacts: &Artifacts) -> (L2, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let anvil = artifacts.contracts_dir().join("node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
    let child = Command::new(anvil)
        .args(["--port", &port, "--hardfork", "prague", "--init"])
        .arg(devnet.roles().layout.genesis())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let provider = connect(&url).unwrap();
    for _ in 0..600 {
        if provider.get_chain_id().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (L2(child), url)
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawn_open_is_paid_out_on_l1_once_proven() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::find().unwrap();
    let devnet = Devnet::prepare(DevnetOptions {
        datadir: folder.path().join("net"),
        artifacts: artifacts.clone(),
        ports: Ports::free().unwrap(),
        programs: Programs { openledger: "/opt/openledger".into(), attributor: None, model: None },
        story_accounts: vec![],
    })
    .await
    .unwrap();
    let at = devnet.contracts();
    let (_l2, l2_url) = start_l2(&devnet, &artifacts).await;
    let alice = Account::story("alice", 0).unwrap();
    // anvil endows its first ten accounts, to which the batcher belongs.
    let sender = devnet.accounts().batcher.clone();
    let l2_wallet = Wallet::connect(&l2_url, sender.signer.clone()).await.unwrap();
    let l2 = l2_wallet.provider().clone();

    let amount_wei = uint!(3_000_000_000_000_000_000_U256);
    let deposits = [Deposit { to: sender.address(), amount_wei }];
    deposit(devnet.deployer(), at, &deposits).await.unwrap();
    let withdrawal = start_withdrawal(&l2_wallet, alice.address(), amount_wei).await.unwrap();

    l2.raw_request::<_, serde_json::Value>("anvil_mine".into(), (U256::from(20),)).await.unwrap();
    propose_block_10(&devnet, &l2).await;

    let timeout = Duration::from_secs(60);
    let l1 = devnet.deployer();
    let early = finalize_withdrawal(l1, at, &withdrawal, Duration::from_secs(1)).await;
    assert!(early.is_err(), "finalized without a proof");
    prove_withdrawal(l1, &l2, at, &withdrawal, timeout).await.unwrap();
    finalize_withdrawal(l1, at, &withdrawal, timeout).await.unwrap();

    let balance = |account: Address| IERC20::balanceOfCall { account };
    let paid = l1.view(at.open_token, &balance(alice.address())).await.unwrap();
    assert_eq!(paid, amount_wei);
    let left = l1.view(at.open_token, &balance(at.optimism_portal)).await.unwrap();
    assert_eq!(left, U256::ZERO);
    devnet.stop().await;
}

/// Posts the output root of L2 block 10, as the proposer would.
async fn propose_block_10(devnet: &Devnet, l2: &impl Provider) {
    let header = l2.get_block(BlockId::number(10)).await.unwrap().unwrap().header;
    let proof = l2.get_proof(L2_TO_L1_MESSAGE_PASSER, vec![]).block_id(BlockId::number(10)).await.unwrap();
    let root = keccak256(
        OutputRootProof {
            version: B256::ZERO,
            stateRoot: header.state_root,
            messagePasserStorageRoot: proof.storage_hash,
            latestBlockhash: header.hash,
        }
        .abi_encode(),
    );
    let signer = devnet.accounts().proposer.signer.clone();
    let proposer = Wallet::connect(&devnet.description().l1_http, signer).await.unwrap();
    // The oracle takes no output of a block that is not due yet.
    let due = devnet.genesis().rollup.timestamp_of(10);
    loop {
        let latest = proposer.provider().get_block(BlockId::latest()).await.unwrap().unwrap();
        if latest.header.timestamp > due {
            break;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let call = IL2OutputOracle::proposeL2OutputCall {
        _outputRoot: root,
        _l2BlockNumber: U256::from(10),
        _l1BlockHash: B256::ZERO,
        _l1BlockNumber: U256::ZERO,
    };
    let oracle = devnet.contracts().l2_output_oracle;
    proposer.send(Call::function("propose", oracle, &call)).await.unwrap();
}
