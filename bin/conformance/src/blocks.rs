//! `conformance blocks`: chains of blocks, valid and invalid, through the engine.

use std::{collections::BTreeMap, fs, path::Path};

use alloy_consensus::Header;
use alloy_genesis::Genesis;
use alloy_primitives::{B256, Bytes};
use alloy_rlp::Decodable;
use eyre::{Result, WrapErr, bail, ensure};
use openledger_chainspec::ChainSpec;
use openledger_engine::EngineError;
use openledger_primitives::Block;
use serde::Deserialize;

use crate::{
    Case,
    chain::Chain,
    fixture::{Accounts, FixtureConfig, allocation},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockchainTest {
    network: String,
    #[serde(default)]
    config: FixtureConfig,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Bytes,
    pre: Accounts,
    post_state: Option<Accounts>,
    post_state_hash: Option<B256>,
    lastblockhash: B256,
    blocks: Vec<TestBlock>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestBlock {
    rlp: Bytes,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

impl TestBlock {
    /// Why it must be refused: `expectException`, with or without the fork's name.
    fn expected_exception(&self) -> Option<String> {
        let named = self.other.iter().find(|(key, _)| key.starts_with("expectException"));
        named.map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

/// Runs every case of the file: each is one chain, with a database of its own.
pub fn run_blocks(file: &Path) -> Result<Vec<Case>> {
    let tests: BTreeMap<String, BlockchainTest> = serde_json::from_slice(&fs::read(file)?)?;
    Ok(tests.iter().map(|(name, test)| Case::new(file, name, run(test))).collect())
}

fn run(test: &BlockchainTest) -> Result<()> {
    let chain = Chain::start(spec_of(test)?)?;
    let result = insert_all(test, &chain);
    chain.stop()?;
    result
}

fn insert_all(test: &BlockchainTest, chain: &Chain) -> Result<()> {
    for (index, block) in test.blocks.iter().enumerate() {
        let expected = block.expected_exception();
        let outcome = insert(chain, &block.rlp);
        match (expected, outcome) {
            (None, outcome) => outcome.wrap_err_with(|| format!("block {index}"))?,
            (Some(exception), Ok(())) => bail!("block {index} is accepted, must fail with {exception}"),
            // An error of the machine is no refusal.
            (Some(_), Err(error)) => match error.downcast_ref::<EngineError>() {
                None | Some(EngineError::Invalid(_)) => {}
                Some(_) => return Err(error.wrap_err(format!("block {index}"))),
            },
        }
    }
    let database = chain.handle.database();
    let head = database.heads().latest;
    ensure!(
        head.hash == test.lastblockhash,
        "the head is block {} ({}), must be {}",
        head.number,
        head.hash,
        test.lastblockhash
    );
    let state = database.state()?;
    if let Some(root) = test.post_state_hash {
        ensure!(state.state_root() == root, "state root {}, must be {root}", state.state_root());
    }
    let accounts = test.post_state.iter().flatten();
    accounts.into_iter().try_for_each(|(address, account)| account.check(*address, &state))
}

fn insert(chain: &Chain, rlp: &[u8]) -> Result<()> {
    let mut rest = rlp;
    let block = Block::decode(&mut rest).wrap_err("it is not a block")?;
    ensure!(rest.is_empty(), "{} bytes after the block", rest.len());
    chain.wait(chain.handle.insert(block))?;
    Ok(())
}

fn spec_of(test: &BlockchainTest) -> Result<ChainSpec> {
    let header = Block::decode(&mut &test.genesis_rlp[..]).wrap_err("genesis")?.header;
    let config = test.config.chain_config(&test.network)?;
    let genesis = genesis_of(&header, Genesis { config, alloc: allocation(&test.pre), ..Default::default() });
    let spec = ChainSpec::from_genesis(genesis)?;
    let (found, expected) = (spec.genesis_header(), &header);
    ensure!(found == expected, "the genesis header is {found:?}, must be {expected:?}");
    Ok(spec)
}

fn genesis_of(header: &Header, rest: Genesis) -> Genesis {
    Genesis {
        nonce: header.nonce.into(),
        timestamp: header.timestamp,
        extra_data: header.extra_data.clone(),
        gas_limit: header.gas_limit,
        difficulty: header.difficulty,
        mix_hash: header.mix_hash,
        coinbase: header.beneficiary,
        base_fee_per_gas: header.base_fee_per_gas.map(u128::from),
        excess_blob_gas: header.excess_blob_gas,
        blob_gas_used: header.blob_gas_used,
        number: Some(header.number),
        parent_hash: Some(header.parent_hash),
        ..rest
    }
}
