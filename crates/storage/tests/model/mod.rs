//! A chain kept twice: in the database, and as plain maps.
#![allow(dead_code, unreachable_pub)]

pub mod views;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use alloy_consensus::{BlockBody, Header};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{KECCAK_EMPTY, TrieAccount, root::state_root_unhashed, root::storage_root_unhashed};
use op_alloy_consensus::{OpReceiptEnvelope, OpTxType, TxDeposit};
use openledger_chainspec::ChainSpec;
use openledger_primitives::{OpenReceipt, OpenTxEnvelope};
use openledger_storage::{Block, Database, NewBlock, StateView};
use revm::{
    bytecode::Bytecode,
    database::{AccountStatus, BundleAccount, BundleState, states::StorageSlot},
    state::AccountInfo,
};

pub const ADDRESSES: usize = 5;
pub const SLOTS: u64 = 6;

pub fn addresses() -> Vec<Address> {
    (1..=ADDRESSES as u8).map(Address::repeat_byte).collect()
}

pub fn spec() -> Arc<ChainSpec> {
    let json = r#"{
        "config": {"chainId": 7, "optimism": {"eip1559Elasticity": 6, "eip1559Denominator": 50,
            "eip1559DenominatorCanyon": 250}},
        "timestamp": "0x64", "gasLimit": "0x1c9c380", "difficulty": "0x0",
        "alloc": {
            "0x0101010101010101010101010101010101010101": {"balance": "0x5", "nonce": "0x1",
                "code": "0xef", "storage": {
                "0x0000000000000000000000000000000000000000000000000000000000000001":
                "0x0000000000000000000000000000000000000000000000000000000000000003"}},
            "0x9999999999999999999999999999999999999999": {"balance": "0x9"}
        }
    }"#;
    Arc::new(ChainSpec::from_json(json).unwrap())
}

pub fn receipt() -> OpenReceipt {
    OpReceiptEnvelope::from_parts(true, 21_000, &[], OpTxType::Deposit, Some(4), Some(1)).into()
}

#[derive(Debug, Clone)]
pub enum Op {
    SetBalance(u64),
    SetSlot(u64, u64),
    SetCode(u8),
    Destroy,
    /// Destroyed, and made again with one slot, in one block.
    Recreate(u64, u64),
}

#[derive(Debug, Clone)]
pub struct Step {
    pub address: usize,
    pub op: Op,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub nonce: u64,
    pub balance: U256,
    pub code: Bytes,
    pub storage: BTreeMap<U256, U256>,
}

impl Account {
    fn info(&self) -> AccountInfo {
        let code_hash = if self.code.is_empty() { KECCAK_EMPTY } else { keccak256(&self.code) };
        let code = (!self.code.is_empty()).then(|| Bytecode::new_raw(self.code.clone()));
        AccountInfo { balance: self.balance, nonce: self.nonce, code_hash, account_id: None, code }
    }

    pub fn trie_account(&self) -> TrieAccount {
        let slots = self.storage.iter().map(|(slot, value)| (B256::from(*slot), *value));
        TrieAccount::new(self.nonce, self.balance, storage_root_unhashed(slots), self.info().code_hash)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub accounts: BTreeMap<Address, Account>,
}

impl Model {
    fn genesis(spec: &ChainSpec) -> Self {
        let account = |genesis: &alloy_genesis::GenesisAccount| Account {
            nonce: genesis.nonce.unwrap_or_default(),
            balance: genesis.balance,
            code: genesis.code.clone().unwrap_or_default(),
            storage: genesis.storage_slots().map(|(slot, value)| (slot.into(), value)).collect(),
        };
        let alloc = spec.genesis().alloc.iter();
        Self { accounts: alloc.map(|(address, genesis)| (*address, account(genesis))).collect() }
    }

    pub fn root(&self) -> B256 {
        state_root_unhashed(self.accounts.iter().map(|(address, account)| (*address, account.trie_account())))
    }
}

/// Plays the steps on a copy of `before`, and says in a bundle what changed.
fn play(before: &Model, steps: &[Step]) -> (Model, BundleState) {
    let mut model = before.clone();
    let mut destroyed = BTreeMap::<Address, bool>::new();
    for Step { address, op } in steps {
        let address = addresses()[*address];
        let wiped = destroyed.entry(address).or_default();
        let mut account = model.accounts.remove(&address).unwrap_or_default();
        account.nonce += 1;
        match op {
            Op::SetBalance(balance) => account.balance = U256::from(*balance),
            Op::SetCode(byte) => account.code = Bytes::from(vec![*byte; 3]),
            Op::SetSlot(slot, value) => {
                account.storage.insert(U256::from(*slot), U256::from(*value));
            }
            Op::Destroy => {
                *wiped = true;
                continue;
            }
            Op::Recreate(slot, value) => {
                *wiped = true;
                account = Account { nonce: 1, ..Default::default() };
                account.storage.insert(U256::from(*slot), U256::from(*value));
            }
        }
        account.storage.retain(|_, value| !value.is_zero());
        model.accounts.insert(address, account);
    }

    let mut bundle = BundleState::default();
    for (address, wiped) in destroyed {
        let old = before.accounts.get(&address);
        let new = model.accounts.get(&address);
        let status = match (wiped, old, new) {
            (true, _, None) => AccountStatus::Destroyed,
            (true, _, Some(_)) => AccountStatus::DestroyedChanged,
            (false, None, _) => AccountStatus::InMemoryChange,
            (false, Some(_), _) => AccountStatus::Changed,
        };
        let value = |account: Option<&Account>, slot: u64| {
            account.and_then(|account| account.storage.get(&U256::from(slot))).copied().unwrap_or_default()
        };
        let storage = (0..SLOTS)
            .map(|slot| (slot, if wiped { U256::ZERO } else { value(old, slot) }, value(new, slot)))
            .filter(|(_, old, new)| old != new)
            .map(|(slot, old, new)| (U256::from(slot), StorageSlot::new_changed(old, new)))
            .collect();
        let info = new.map(Account::info);
        if let Some(AccountInfo { code_hash, code: Some(code), .. }) = &info {
            bundle.contracts.insert(*code_hash, code.clone());
        }
        let account = BundleAccount::new(old.map(Account::info), info, storage, status);
        bundle.state.insert(address, account);
    }
    (model, bundle)
}

/// Three steps that follow from the number alone, so that a chain can be played again.
pub fn steps_of(number: u64) -> Vec<Step> {
    let random = keccak256(number.to_be_bytes());
    let step = |bytes: &[u8]| {
        let (slot, value) = (u64::from(bytes[2]) % SLOTS, u64::from(bytes[3]));
        let op = match bytes[1] % 8 {
            0 => Op::Destroy,
            1 => Op::Recreate(slot, value),
            2 => Op::SetCode(bytes[3] % 4),
            3 => Op::SetBalance(value),
            _ => Op::SetSlot(slot, value % 4),
        };
        Step { address: usize::from(bytes[0]) % ADDRESSES, op }
    };
    random.chunks_exact(4).take(3).map(step).collect()
}

pub struct TestChain {
    pub db: Database,
    pub models: Vec<Model>,
    pub blocks: Vec<Block>,
}

impl TestChain {
    pub fn open(path: &Path) -> Self {
        let spec = spec();
        let db = Database::open(path, Arc::clone(&spec)).unwrap();
        let genesis = db.block_by_number(0).unwrap().unwrap();
        Self { db, models: vec![Model::genesis(&spec)], blocks: vec![genesis] }
    }

    /// Opens a chain whose every block was made of [`steps_of`] its number.
    pub fn resume(path: &Path) -> Self {
        let mut chain = Self::open(path);
        for number in 1..=chain.db.heads().latest.number {
            let (model, _) = play(chain.models.last().unwrap(), &steps_of(number));
            chain.models.push(model);
            chain.blocks.push(chain.db.block_by_number(number).unwrap().unwrap());
        }
        chain
    }

    pub fn unwind_to(&mut self, number: u64) {
        self.db.unwind_to(number).unwrap();
        self.blocks.truncate(number as usize + 1);
        self.models.truncate(number as usize + 1);
    }

    /// The block that `steps` make on the head, not yet appended.
    pub fn build(&self, steps: &[Step]) -> (NewBlock, Model) {
        build_on(&self.db.state().unwrap(), self.models.last().unwrap(), steps)
    }

    pub fn append(&mut self, steps: &[Step]) {
        let (new, model) = self.build(steps);
        self.blocks.push(new.block.clone());
        self.db.persist(&[new]).unwrap();
        self.models.push(model);
    }

    /// Makes blocks one on the other, reads and proves the state of each before it is stored, and stores
    /// them together.
    pub fn append_range(&mut self, blocks: &[Vec<Step>]) {
        let mut state = self.db.state().unwrap();
        let mut range = Vec::new();
        for steps in blocks {
            let (new, model) = build_on(&state, self.models.last().unwrap(), steps);
            state = state.after((new.block.header.number, new.hash).into(), &new.update).unwrap();
            views::assert_state(&state, &model);
            self.blocks.push(new.block.clone());
            self.models.push(model);
            range.push(Arc::new(new));
        }
        self.db.persist(&range).unwrap();
        // Read through blocks that are stored meanwhile.
        let updates = range.iter().map(|new| ((new.block.header.number, new.hash).into(), &new.update));
        views::assert_state(&self.db.state_over(updates).unwrap(), self.models.last().unwrap());
        views::assert_state(&state, self.models.last().unwrap());
    }
}

/// The block that `steps` make of `state`, which `model` is.
pub fn build_on(state: &StateView, model: &Model, steps: &[Step]) -> (NewBlock, Model) {
    let (model, bundle) = play(model, steps);
    let update = state.update(&bundle).unwrap();
    assert_eq!(update.state_root(), model.root());
    let number = state.block().number + 1;
    let deposit = TxDeposit { source_hash: keccak256(update.state_root()), ..Default::default() };
    let header = Header {
        number,
        parent_hash: state.block().hash,
        timestamp: 100 + 2 * number,
        state_root: update.state_root(),
        ..Default::default()
    };
    let deposit = TxDeposit { mint: number.into(), ..deposit };
    let transactions = vec![OpenTxEnvelope::from(deposit)];
    let block = Block { header, body: BlockBody { transactions, ..Default::default() } };
    let hash = block.header.hash_slow();
    let (senders, receipts) = (vec![addresses()[0]], vec![receipt()]);
    (NewBlock { block, hash, senders, receipts, update }, model)
}
