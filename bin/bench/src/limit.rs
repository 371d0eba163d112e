//! The most that any client could do with the same blocks: decode them, recover senders on all cores, and execute them
//! on bare revm over a state in memory; no roots, no receipts, nothing stored.

use std::{
    sync::{Mutex, mpsc},
    thread,
};

use alloy_consensus::Transaction;
use alloy_primitives::{Address, U256};
use alloy_rlp::Decodable;
use eyre::{OptionExt, Result, ensure, eyre};
use openledger_engine::Block;
use openledger_primitives::{OpenTxEnvelope, recover_senders};
use rayon::prelude::*;
use revm::{
    Context, ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{BlockEnv, TxEnv},
    database::{CacheDB, EmptyDB},
    precompile::{Crypto, DefaultCrypto},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};

use crate::genesis::{CHAIN_ID, Chain};

/// Blocks that recovery may be ahead.
const AHEAD: usize = 4;

/// How senders are recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// One after the other, by libsecp256k1, which all clients use.
    OneByOne,
    /// As the node does it: side by side where the processor can.
    Together,
}

/// A state in memory.
#[derive(Debug)]
pub(crate) struct Limit {
    database: CacheDB<EmptyDB>,
    cores: usize,
    recovery: Recovery,
}

/// A block, and the senders of its signed transactions with them.
type Prepared = (Block, Vec<Address>);

impl Limit {
    pub(crate) fn new(chain: &Chain, cores: usize, recovery: Recovery) -> Result<Self> {
        let mut database = CacheDB::new(EmptyDB::new());
        for (address, account) in &chain.spec.genesis().alloc {
            let code = account.code.clone().map(Bytecode::new_raw);
            let info = AccountInfo {
                balance: account.balance,
                nonce: account.nonce.unwrap_or_default(),
                code_hash: code.as_ref().map_or(alloy_primitives::KECCAK256_EMPTY, Bytecode::hash_slow),
                code,
                ..Default::default()
            };
            database.insert_account_info(*address, info);
            for (slot, value) in account.storage.iter().flatten() {
                database.insert_account_storage(*address, (*slot).into(), (*value).into())?;
            }
        }
        Ok(Self { database, cores, recovery })
    }

    /// Runs blocks in RLP; gives the gas that their signed transactions used.
    pub(crate) fn run(&mut self, blocks: &[Vec<u8>]) -> Result<u64> {
        let queue = Mutex::new(blocks.iter().enumerate());
        let (sender, prepared) = mpsc::channel::<(usize, Result<Prepared>)>();
        let (permits, permit) = mpsc::sync_channel::<()>(blocks.len().max(AHEAD));
        (0..AHEAD.max(self.cores)).for_each(|_| _ = permits.try_send(()));
        let permit = Mutex::new(permit);
        let recovery = self.recovery;
        thread::scope(|scope| {
            for _ in 0..self.cores {
                let (queue, permit, sender) = (&queue, &permit, sender.clone());
                scope.spawn(move || {
                    loop {
                        let free = permit.lock().is_ok_and(|permit| permit.recv().is_ok());
                        let next = queue.lock().ok().and_then(|mut queue| queue.next());
                        let Some((index, rlp)) = next.filter(|_| free) else { return };
                        if sender.send((index, prepare(rlp, recovery))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut early: Vec<Option<Prepared>> = (0..blocks.len()).map(|_| None).collect();
            let mut gas = 0;
            for index in 0..blocks.len() {
                while early[index].is_none() {
                    let (found, prepared) = prepared.recv()?;
                    early[found] = Some(prepared?);
                }
                let (block, senders) = early[index].take().ok_or_eyre("a block was taken twice")?;
                let _ = permits.try_send(());
                gas += self.execute(&block, &senders)?;
            }
            drop(permits);
            Ok(gas)
        })
    }

    fn execute(&mut self, block: &Block, senders: &[Address]) -> Result<u64> {
        let header = &block.header;
        let mut evm = Context::mainnet()
            .with_db(&mut self.database)
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::PRAGUE);
                cfg.chain_id = CHAIN_ID;
            })
            .with_block(BlockEnv {
                number: U256::from(header.number),
                beneficiary: header.beneficiary,
                timestamp: U256::from(header.timestamp),
                gas_limit: header.gas_limit,
                basefee: header.base_fee_per_gas.unwrap_or_default(),
                prevrandao: Some(header.mix_hash),
                ..Default::default()
            })
            .build_mainnet();
        let mut gas = 0;
        let signed = block.body.transactions.iter().filter(|tx| !tx.is_deposit());
        for (tx, caller) in signed.zip(senders) {
            let result = evm.transact_one(TxEnv {
                tx_type: 2,
                caller: *caller,
                gas_limit: tx.gas_limit(),
                gas_price: tx.max_fee_per_gas(),
                gas_priority_fee: tx.max_priority_fee_per_gas(),
                kind: tx.kind(),
                value: tx.value(),
                data: tx.input().clone(),
                nonce: tx.nonce(),
                chain_id: Some(CHAIN_ID),
                ..Default::default()
            });
            let result = result.map_err(|error| eyre!("block {}: {error:?}", header.number))?;
            ensure!(result.is_success(), "block {}: a transaction fails: {result:?}", header.number);
            gas += result.tx_gas_used();
        }
        let state = evm.finalize();
        evm.commit(state);
        Ok(gas)
    }
}

fn prepare(rlp: &[u8], recovery: Recovery) -> Result<Prepared> {
    let block = Block::decode(&mut &rlp[..])?;
    let signed: Vec<_> = block.body.transactions.iter().filter(|tx| !tx.is_deposit()).collect();
    let senders = match recovery {
        Recovery::OneByOne => signed.into_iter().map(recover).collect::<Result<_>>()?,
        Recovery::Together => recover_senders(&signed).into_iter().collect::<Result<_, _>>()?,
    };
    Ok((block, senders))
}

/// The sender, by libsecp256k1.
pub(crate) fn recover(tx: &OpenTxEnvelope) -> Result<Address> {
    let OpenTxEnvelope::Eip1559(signed) = tx else { return Err(eyre!("not of type 2")) };
    let signature = signed.signature();
    let bytes: [u8; 64] = {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&signature.r().to_be_bytes::<32>());
        bytes[32..].copy_from_slice(&signature.s().to_be_bytes::<32>());
        bytes
    };
    let hash = signed.signature_hash();
    let word = DefaultCrypto.secp256k1_ecrecover(&bytes, u8::from(signature.v()), &hash.0);
    Ok(Address::from_slice(&word.map_err(|error| eyre!("no sender: {error:?}"))?[12..]))
}

/// Recovers all senders on all cores.
pub(crate) fn recover_all(transactions: &[OpenTxEnvelope]) -> Result<Vec<Address>> {
    transactions.par_iter().map(recover).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        accounts::{addresses, sign},
        workload::{Kind, Uniform},
    };

    #[test]
    fn senders_are_recovered() {
        let accounts = addresses(5);
        let drafts = Uniform::new(&accounts, Address::ZERO).drafts(Kind::Erc20, 9);
        let senders: Vec<_> = drafts.iter().map(|draft| accounts[draft.from as usize]).collect();
        assert_eq!(recover_all(&sign(drafts).unwrap()).unwrap(), senders);
    }
}
