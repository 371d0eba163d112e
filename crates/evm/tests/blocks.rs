//! Blocks built and executed on a state in memory.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use alloy_consensus::{SignableTransaction, TxEip1559, transaction::Recovered};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B64, B256, Bytes, TxKind, U256, address};
use alloy_rpc_types_engine::PayloadAttributes;
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::TxDeposit;
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::ChainSpec;
use openledger_evm::{
    Block, BuildInput, ExecutionError, PendingBlock, SkipReason, StateRoots, build_block, execute_block,
    recover_senders, validate_header,
};
use openledger_primitives::OpenTxEnvelope;
use revm::{
    bytecode::Bytecode,
    database::{CacheDB, EmptyDB},
    state::AccountInfo,
};

const CHAIN_ID: u64 = 5150;
/// Returns the balance of the address in its calldata's first word.
const READER: Address = address!("00000000000000000000000000000000000bea01");

struct Chain {
    spec: Arc<ChainSpec>,
    state: CacheDB<EmptyDB>,
}

fn signer(index: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(index)).unwrap()
}

impl Chain {
    fn new() -> Self {
        let genesis = serde_json::json!({
            "config": { "chainId": CHAIN_ID, "optimism": {
                "eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250
            } },
            "timestamp": "0x65000000", "gasLimit": "0x1c9c380", "difficulty": "0x0", "alloc": {},
            "nonce": "0x0", "extraData": "0x", "mixHash": B256::ZERO, "coinbase": Address::ZERO,
            "baseFeePerGas": "0x3b9aca00"
        });
        let spec = Arc::new(ChainSpec::from_json(&genesis.to_string()).unwrap());
        let mut state = CacheDB::new(EmptyDB::default());
        for index in 1..=4 {
            let balance = U256::from(10).pow(U256::from(20));
            state.insert_account_info(signer(index).address(), AccountInfo::from_balance(balance));
        }
        // PUSH0 CALLDATALOAD BALANCE PUSH0 MSTORE PUSH1 32 PUSH0 RETURN
        let code =
            Bytecode::new_raw(Bytes::from_static(&[0x5f, 0x35, 0x31, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]));
        state.insert_account_info(READER, AccountInfo::default().with_code(code));
        Self { spec, state }
    }

    fn attributes(&self, forced: Vec<Bytes>) -> OpPayloadAttributes {
        let deposit = TxDeposit {
            from: address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001"),
            to: TxKind::Call(address!("4200000000000000000000000000000000000015")),
            mint: 5,
            gas_limit: 1_000_000,
            ..Default::default()
        };
        let mut transactions = vec![Bytes::from(deposit.encoded_2718())];
        transactions.extend(forced);
        OpPayloadAttributes {
            payload_attributes: PayloadAttributes {
                timestamp: self.spec.genesis_header().timestamp + 2,
                withdrawals: Some(Vec::new()),
                parent_beacon_block_root: Some(B256::repeat_byte(1)),
                ..Default::default()
            },
            transactions: Some(transactions),
            gas_limit: Some(30_000_000),
            eip_1559_params: Some(B64::ZERO),
            ..Default::default()
        }
    }

    fn build(
        &self,
        attributes: &OpPayloadAttributes,
        pool: Vec<Recovered<OpenTxEnvelope>>,
    ) -> Result<PendingBlock, ExecutionError> {
        let input = BuildInput {
            spec: &self.spec,
            state: &self.state,
            parent: self.spec.genesis_header(),
            parent_hash: self.spec.genesis_hash(),
            attributes,
            pool,
        };
        build_block(input, || true)
    }

    fn seal(&self, pending: PendingBlock) -> Block {
        let roots = StateRoots { state: B256::ZERO, message_passer: B256::ZERO };
        pending.seal(&self.spec, roots)
    }

    fn check(&self, block: &Block) -> Result<openledger_evm::ExecutedBlock, ExecutionError> {
        let (parent, hash) = (self.spec.genesis_header(), self.spec.genesis_hash());
        validate_header(&self.spec, parent, hash, block)?;
        execute_block(&self.spec, &self.state, block, &recover_senders(block, 1)?)
    }
}

fn tx(index: u8, nonce: u64, to: Address, value: u64, input: Bytes) -> Recovered<OpenTxEnvelope> {
    let tx = TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: 100_000,
        max_fee_per_gas: 5_000_000_000,
        max_priority_fee_per_gas: 1,
        to: TxKind::Call(to),
        value: U256::from(value),
        input,
        ..Default::default()
    };
    let signature = signer(index).sign_hash_sync(&tx.signature_hash()).unwrap();
    let tx = OpenTxEnvelope::Eip1559(tx.into_signed(signature));
    Recovered::new_unchecked(tx, signer(index).address())
}

fn read_balance_of(reader: u8, nonce: u64, account: Address) -> Recovered<OpenTxEnvelope> {
    tx(reader, nonce, READER, 0, account.into_word().into())
}

#[test]
fn a_built_block_executes_to_the_same_receipts_and_changes() {
    let chain = Chain::new();
    let pool = vec![tx(1, 0, Address::repeat_byte(7), 1, Bytes::new()), read_balance_of(2, 0, READER)];
    let pending = chain.build(&chain.attributes(vec![]), pool).unwrap();
    assert_eq!(pending.transactions.len(), 3);
    assert!(pending.skipped.is_empty());
    let (receipts, state) = (pending.executed.receipts.clone(), pending.executed.bundle.state.clone());
    let executed = chain.check(&chain.seal(pending)).unwrap();
    assert_eq!(executed.receipts, receipts);
    assert_eq!(executed.bundle.state, state);
}

#[test]
fn a_rejected_transaction_leaves_no_warm_address_behind() {
    let chain = Chain::new();
    // Its sender is loaded for the nonce check, which fails; the next reads that sender's balance.
    let rejected = tx(1, 99, Address::repeat_byte(7), 1, Bytes::new());
    let pool = vec![rejected.clone(), read_balance_of(2, 0, rejected.signer())];
    let pending = chain.build(&chain.attributes(vec![]), pool).unwrap();
    assert_eq!(pending.skipped.len(), 1);
    assert_eq!(pending.skipped[0].hash, rejected.tx_hash());
    assert!(matches!(&pending.skipped[0].reason, SkipReason::Invalid(why) if why.contains("nonce")));
    assert!(!pending.executed.bundle.state.contains_key(&rejected.signer()));
    chain.check(&chain.seal(pending)).unwrap();
}

#[test]
fn later_transactions_of_a_skipped_sender_wait() {
    let chain = Chain::new();
    let too_dear = tx(1, 0, Address::repeat_byte(7), u64::MAX, Bytes::new());
    let pool = vec![
        too_dear,
        tx(1, 1, Address::repeat_byte(7), 1, Bytes::new()),
        tx(2, 0, Address::repeat_byte(7), 1, Bytes::new()),
    ];
    let mut chain = chain;
    chain.state.insert_account_info(
        signer(1).address(),
        AccountInfo::from_balance(U256::from(10).pow(U256::from(18))),
    );
    let pending = chain.build(&chain.attributes(vec![]), pool).unwrap();
    assert_eq!(pending.transactions.len(), 2);
    assert_eq!(pending.skipped[1].reason, SkipReason::WaitsForSender);
}

#[test]
fn a_deposit_in_the_pool_is_not_included() {
    let chain = Chain::new();
    let deposit = OpenTxEnvelope::from(TxDeposit { mint: 1_000, gas_limit: 50_000, ..Default::default() });
    let pool = vec![Recovered::new_unchecked(deposit, Address::ZERO)];
    let pending = chain.build(&chain.attributes(vec![]), pool).unwrap();
    assert_eq!(pending.transactions.len(), 1);
    assert!(matches!(pending.skipped[0].reason, SkipReason::Invalid(_)));
}

#[test]
fn what_does_not_fit_the_gas_limit_stays_in_the_pool() {
    let chain = Chain::new();
    let mut attributes = chain.attributes(vec![]);
    attributes.gas_limit = Some(1_150_000);
    let pool = (1..=3).map(|i| tx(i, 0, Address::repeat_byte(7), 1, Bytes::new())).collect();
    let pending = chain.build(&attributes, pool).unwrap();
    let gas_used = pending.header.gas_used;
    assert!(gas_used <= 1_150_000);
    assert!(pending.skipped.iter().all(|s| matches!(s.reason, SkipReason::NoRoom(_))));
    chain.check(&chain.seal(pending)).unwrap();
}

#[test]
fn an_invalid_forced_transaction_makes_the_payload_invalid() {
    let chain = Chain::new();
    let bad = tx(1, 3, Address::repeat_byte(7), 1, Bytes::new()).encoded_2718();
    let error = chain.build(&chain.attributes(vec![bad.into()]), vec![]).unwrap_err();
    assert!(matches!(error, ExecutionError::InvalidTransaction { index: 1, .. }), "{error}");
    assert!(error.is_invalid_block());
    let garbage = chain.attributes(vec![Bytes::from_static(&[0x7e, 1, 2])]);
    assert!(matches!(chain.build(&garbage, vec![]), Err(ExecutionError::InvalidAttributes(_))));
}

#[test]
fn attributes_that_contradict_the_forks_are_refused() {
    let chain = Chain::new();
    let changes: [fn(&mut OpPayloadAttributes); 6] = [
        |a| a.gas_limit = None,
        |a| a.eip_1559_params = None,
        |a| a.eip_1559_params = Some(B64::new([0, 0, 0, 0, 0, 0, 0, 6])),
        |a| a.min_base_fee = Some(1),
        |a| a.payload_attributes.timestamp = 1,
        |a| a.payload_attributes.parent_beacon_block_root = None,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut attributes = chain.attributes(vec![]);
        change(&mut attributes);
        let result = chain.build(&attributes, vec![]);
        assert!(matches!(result, Err(ExecutionError::InvalidAttributes(_))), "change {index}");
    }
}

#[test]
fn every_tampered_field_is_named() {
    let chain = Chain::new();
    let pool = vec![tx(1, 0, Address::repeat_byte(7), 1, Bytes::new())];
    let pending = chain.build(&chain.attributes(vec![]), pool).unwrap();
    let block = chain.seal(pending);
    chain.check(&block).unwrap();
    type Change = (&'static str, fn(&mut Block));
    let tamper: [Change; 19] = [
        ("parentHash", |b| b.header.parent_hash = B256::ZERO),
        ("sha3Uncles", |b| b.header.ommers_hash = B256::ZERO),
        ("transactionsRoot", |b| b.header.transactions_root = B256::ZERO),
        ("transactionsRoot", |b| b.body.transactions.truncate(1)),
        ("receiptsRoot", |b| b.header.receipts_root = B256::ZERO),
        ("logsBloom", |b| b.header.logs_bloom.0[3] = 1),
        ("difficulty", |b| b.header.difficulty = U256::from(1)),
        ("number", |b| b.header.number = 2),
        ("gasLimit", |b| b.header.gas_limit = u64::MAX),
        ("gasUsed", |b| b.header.gas_used += 1),
        ("timestamp", |b| b.header.timestamp = 0x6500_0000),
        ("extraData", |b| b.header.extra_data = Bytes::from_static(b"hello")),
        ("nonce", |b| b.header.nonce = B64::with_last_byte(1)),
        ("baseFeePerGas", |b| b.header.base_fee_per_gas = Some(1)),
        ("blobGasUsed", |b| b.header.blob_gas_used = Some(131_072)),
        ("excessBlobGas", |b| b.header.excess_blob_gas = Some(1)),
        ("has parentBeaconBlockRoot", |b| b.header.parent_beacon_block_root = None),
        ("has withdrawalsRoot", |b| b.header.withdrawals_root = None),
        ("requestsHash", |b| b.header.requests_hash = Some(B256::ZERO)),
    ];
    for (field, change) in tamper {
        let mut block = block.clone();
        change(&mut block);
        let error = chain.check(&block).unwrap_err();
        let ExecutionError::InvalidBlock { differences, .. } = &error else { panic!("{field}: {error}") };
        let named = differences.fields().iter().any(|difference| difference.field == field);
        assert!(named, "{field} not in: {error}");
    }
}
