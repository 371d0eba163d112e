//! A chain on disk with its engine, and transactions for it.
#![allow(dead_code, unreachable_pub)]

use std::{path::Path, sync::Arc};

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{Address, B64, B256, TxKind, U256, address, keccak256};
use alloy_rpc_types_engine::PayloadAttributes;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use alloy_sol_types::SolCall;
use op_alloy_consensus::TxDeposit;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_abi::{DATANETS, IDatanets};
use openledger_chainspec::ChainSpec;
use openledger_engine::{
    BuiltBlock, Engine, EngineConfig, EngineHandle, EngineThread, EvmExecution, Execution,
};
use openledger_precompiles::{Parameters, genesis_storage};
use openledger_primitives::OpenTxEnvelope;
use openledger_storage::Database;

pub const CHAIN_ID: u64 = 5151;
pub const ETHER: u64 = 1_000_000_000_000_000_000;

pub fn spec() -> Arc<ChainSpec> {
    let parameters = Parameters {
        commit_deposit: U256::from(1_000),
        reveal_window: 50,
        challenge_window: 3600,
        platform: Address::repeat_byte(0xaa),
        minimum_deadline: 60,
        maximum_deadline: 86_400,
    };
    let mut alloc = serde_json::Map::new();
    for (address, storage) in genesis_storage(&parameters) {
        let account =
            serde_json::json!({ "balance": "0x0", "nonce": "0x1", "code": "0xef", "storage": storage });
        alloc.insert(address.to_string(), account);
    }
    let genesis = serde_json::json!({
        "config": { "chainId": CHAIN_ID, "openledger": {}, "optimism": {
            "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250
        } },
        "timestamp": "0x65000000", "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": alloc,
        "nonce": "0x0", "extraData": "0x", "mixHash": B256::ZERO, "coinbase": Address::ZERO,
        "baseFeePerGas": "0x3b9aca00"
    });
    Arc::new(ChainSpec::from_json(&genesis.to_string()).unwrap())
}

pub struct Node {
    pub engine: EngineHandle,
    pub thread: EngineThread,
}

impl Node {
    pub fn open(path: &Path) -> Self {
        Self::open_with(path, EngineConfig::default(), Arc::new(EvmExecution))
    }

    pub fn open_with(path: &Path, config: EngineConfig, execution: Arc<dyn Execution>) -> Self {
        let database = Database::open(&path.join("db"), spec()).unwrap();
        let (engine, thread) = Engine::spawn_with(database, config, execution).unwrap();
        Self { engine, thread }
    }

    pub fn root(&self) -> B256 {
        self.engine.database().state().unwrap().state_root()
    }

    pub fn close(self) {
        drop(self.engine);
        assert!(self.thread.join());
    }

    pub fn head(&self) -> BlockNumHash {
        self.engine.database().heads().latest
    }

    pub fn attributes(&self, deposits: Vec<TxDeposit>) -> OpPayloadAttributes {
        let parent = self.engine.database().header_by_number(self.head().number).unwrap().unwrap();
        let info = TxDeposit {
            source_hash: B256::repeat_byte(1),
            from: address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001"),
            to: TxKind::Call(address!("4200000000000000000000000000000000000015")),
            gas_limit: 1_000_000,
            ..Default::default()
        };
        let all = std::iter::once(info).chain(deposits);
        OpPayloadAttributes {
            payload_attributes: PayloadAttributes {
                timestamp: parent.timestamp + 2,
                suggested_fee_recipient: address!("4200000000000000000000000000000000000011"),
                withdrawals: Some(Vec::new()),
                parent_beacon_block_root: Some(B256::repeat_byte(2)),
                ..Default::default()
            },
            transactions: Some(all.map(|deposit| deposit.encoded_2718().into()).collect()),
            gas_limit: Some(30_000_000),
            eip_1559_params: Some(B64::ZERO),
            ..Default::default()
        }
    }

    pub async fn build(&self, deposits: Vec<TxDeposit>, pool: Vec<Recovered<OpenTxEnvelope>>) -> BuiltBlock {
        let attributes = self.attributes(deposits);
        self.engine.build(self.head().hash, attributes, pool).await.unwrap()
    }

    pub async fn seal(&self, deposits: Vec<TxDeposit>, pool: Vec<Recovered<OpenTxEnvelope>>) -> BuiltBlock {
        let built = self.build(deposits, pool).await;
        assert_eq!(self.engine.insert(built.block.clone()).await.unwrap(), built.id());
        built
    }
}

pub fn signer(index: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(index)).unwrap()
}

pub fn mint(index: u8, salt: u64) -> TxDeposit {
    let to = signer(index).address();
    TxDeposit {
        source_hash: keccak256([&salt.to_be_bytes()[..], to.as_slice()].concat()),
        from: to,
        to: TxKind::Call(to),
        mint: 100 * u128::from(ETHER),
        value: U256::ZERO,
        gas_limit: 21_000,
        ..Default::default()
    }
}

pub fn tx(index: u8, nonce: u64, to: Address, value: u64, input: Vec<u8>) -> Recovered<OpenTxEnvelope> {
    let tx = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: 5_000_000_000,
        max_priority_fee_per_gas: 1_000,
        to: TxKind::Call(to),
        value: U256::from(value),
        input: input.into(),
        ..Default::default()
    };
    let signature = signer(index).sign_hash_sync(&tx.signature_hash()).unwrap();
    Recovered::new_unchecked(OpenTxEnvelope::Eip1559(tx.into_signed(signature)), signer(index).address())
}

pub fn create_datanet(index: u8, nonce: u64) -> Recovered<OpenTxEnvelope> {
    let call = IDatanets::createDatanetCall {
        schemaHash: B256::repeat_byte(3),
        domain: "law".to_owned(),
        metadataURI: "ipfs://x".to_owned(),
    };
    tx(index, nonce, DATANETS, 0, call.abi_encode())
}

/// The same transaction with another gas limit, signed anew.
pub fn limited(transaction: Recovered<OpenTxEnvelope>, gas_limit: u64) -> Recovered<OpenTxEnvelope> {
    let sender = transaction.signer();
    let OpenTxEnvelope::Eip1559(signed) = transaction.into_inner() else { panic!("not of type 2") };
    let mut tx = signed.strip_signature();
    tx.gas_limit = gas_limit;
    let index = (1..=255).find(|index| signer(*index).address() == sender).unwrap();
    let signature = signer(index).sign_hash_sync(&tx.signature_hash()).unwrap();
    Recovered::new_unchecked(OpenTxEnvelope::Eip1559(tx.into_signed(signature)), sender)
}
