//! `conformance op-block`: blocks of OP chains on the preimages that they read, to the exact hash.

use std::{collections::BTreeMap, fs, path::Path};

use alloy_consensus::Header;
use alloy_op_hardforks::OpHardfork;
use alloy_primitives::{B256, Bytes};
use eyre::{Result, ensure};
use op_alloy_rpc_types_engine::OpPayloadAttributes;
use openledger_chainspec::{ChainSpec, OptimismConfig};
use openledger_stateless::{Witness, execute_payload};
use serde::Deserialize;

use crate::Case;

#[derive(Debug, Deserialize)]
struct OpBlockTest {
    fixture: Fixture,
    preimages: BTreeMap<String, Bytes>,
}

#[derive(Debug, Deserialize)]
struct Fixture {
    rollup_config: RollupConfig,
    parent_header: Header,
    executing_payload: OpPayloadAttributes,
    expected_block_hash: B256,
}

/// As much of the rollup's configuration as execution takes.
#[derive(Debug, Deserialize)]
struct RollupConfig {
    l2_chain_id: u64,
    chain_op_config: Option<OptimismConfig>,
    #[serde(flatten)]
    other: BTreeMap<String, serde_json::Value>,
}

impl RollupConfig {
    fn spec(&self) -> ChainSpec {
        let time = |fork: &OpHardfork| {
            let time = self.other.get(&format!("{}_time", fork.name().to_lowercase()))?;
            Some((*fork, time.as_u64()?))
        };
        // Of the chains that have no such key, Regolith is active from the start.
        let regolith = (!self.other.contains_key("regolith_time")).then_some((OpHardfork::Regolith, 0));
        let times = OpHardfork::VARIANTS.iter().filter_map(time).chain(regolith);
        ChainSpec::of_op_chain(self.l2_chain_id, self.chain_op_config.unwrap_or_default(), times)
    }
}

/// Runs the file's block.
pub fn run_op_block(file: &Path) -> Result<Vec<Case>> {
    let test: OpBlockTest = serde_json::from_slice(&fs::read(file)?)?;
    Ok(vec![Case::new(file, "", run(test))])
}

fn run(test: OpBlockTest) -> Result<()> {
    let OpBlockTest { fixture, preimages } = test;
    let witness: Witness = preimages.into_values().collect();
    let spec = fixture.rollup_config.spec();
    let block = execute_payload(&spec, &witness, &fixture.parent_header, &fixture.executing_payload)?;
    let (found, expected) = (block.header.hash_slow(), fixture.expected_block_hash);
    ensure!(found == expected, "the block is {found}, must be {expected}: {:?}", block.header);
    Ok(())
}
