//! The rules that a fixture names: `Cancun`, `ShanghaiToCancunAtTime15k`, `HomesteadToDaoAt5`.

use std::collections::BTreeMap;

use alloy_eips::{eip6110::MAINNET_DEPOSIT_CONTRACT_ADDRESS, eip7840::BlobParams};
use alloy_genesis::ChainConfig;
use alloy_primitives::U256;
use eyre::{OptionExt, Result, bail};

/// Forks that activate at a block, in order, up to the merge.
const BLOCK_FORKS: [&str; 14] = [
    "Frontier",
    "Homestead",
    "DAO",
    "EIP150",
    "EIP158",
    "Byzantium",
    "Constantinople",
    "ConstantinopleFix",
    "Istanbul",
    "MuirGlacier",
    "Berlin",
    "London",
    "ArrowGlacier",
    "GrayGlacier",
];
/// Forks that activate at a time, in order, after the merge.
const TIME_FORKS: [&str; 9] =
    ["Shanghai", "Cancun", "Prague", "Osaka", "BPO1", "BPO2", "BPO3", "BPO4", "BPO5"];

/// The chain configuration of a fixture's network.
pub(crate) fn chain_config(
    network: &str,
    chain_id: u64,
    blob_schedule: BTreeMap<String, BlobParams>,
) -> Result<ChainConfig> {
    let mut config = ChainConfig {
        chain_id,
        blob_schedule,
        deposit_contract_address: Some(MAINNET_DEPOSIT_CONTRACT_ADDRESS),
        ..Default::default()
    };
    match network.split_once("To").and_then(|(from, rest)| Some((from, rest.split_once("At")?))) {
        Some((from, (to, at))) => {
            set_active(&mut config, from, 0)?;
            if let Some(time) = at.strip_prefix("Time") {
                set_active(&mut config, to, parse_thousands(time)?)?;
            } else if let Some(difficulty) = at.strip_prefix("Diff") {
                config.terminal_total_difficulty = Some(U256::from_str_radix(difficulty, 16)?);
            } else {
                set_active(&mut config, to, parse_thousands(at)?)?;
            }
        }
        None => set_active(&mut config, network, 0)?,
    }
    Ok(config)
}

/// Activates `fork` at block or time `at`, and those before it from the start where they are not yet.
fn set_active(config: &mut ChainConfig, fork: &str, at: u64) -> Result<()> {
    let fork = match fork {
        "TangerineWhistle" => "EIP150",
        "SpuriousDragon" => "EIP158",
        "Petersburg" => "ConstantinopleFix",
        "Merge" => "Paris",
        "Dao" => "DAO",
        fork => fork,
    };
    if let Some(index) = BLOCK_FORKS.iter().position(|name| *name == fork) {
        for earlier in &BLOCK_FORKS[..index] {
            activate(config, earlier, 0, fork == "DAO");
        }
        activate(config, fork, at, true);
        return Ok(());
    }
    for earlier in BLOCK_FORKS {
        activate(config, earlier, 0, false);
    }
    if fork == "Paris" {
        config.terminal_total_difficulty = Some(U256::ZERO);
        return Ok(());
    }
    let index = TIME_FORKS.iter().position(|name| *name == fork);
    let Some(index) = index else { bail!("the network names the fork {fork}, which is not known") };
    config.terminal_total_difficulty.get_or_insert(U256::ZERO);
    for earlier in &TIME_FORKS[..index] {
        activate(config, earlier, 0, false);
    }
    activate(config, fork, at, true);
    Ok(())
}

fn activate(config: &mut ChainConfig, fork: &str, at: u64, with_dao: bool) {
    let fields: &mut [&mut Option<u64>] = match fork {
        "Homestead" => &mut [&mut config.homestead_block],
        "DAO" if with_dao => {
            config.dao_fork_support = true;
            &mut [&mut config.dao_fork_block]
        }
        "EIP150" => &mut [&mut config.eip150_block],
        "EIP158" => &mut [&mut config.eip155_block, &mut config.eip158_block],
        "Byzantium" => &mut [&mut config.byzantium_block],
        "Constantinople" => &mut [&mut config.constantinople_block],
        "ConstantinopleFix" => &mut [&mut config.constantinople_block, &mut config.petersburg_block],
        "Istanbul" => &mut [&mut config.istanbul_block],
        "MuirGlacier" => &mut [&mut config.muir_glacier_block],
        "Berlin" => &mut [&mut config.berlin_block],
        "London" => &mut [&mut config.london_block],
        "ArrowGlacier" => &mut [&mut config.arrow_glacier_block],
        "GrayGlacier" => &mut [&mut config.gray_glacier_block],
        "Shanghai" => &mut [&mut config.shanghai_time],
        "Cancun" => &mut [&mut config.cancun_time],
        "Prague" => &mut [&mut config.prague_time],
        "Osaka" => &mut [&mut config.osaka_time],
        "BPO1" => &mut [&mut config.bpo1_time],
        "BPO2" => &mut [&mut config.bpo2_time],
        "BPO3" => &mut [&mut config.bpo3_time],
        "BPO4" => &mut [&mut config.bpo4_time],
        "BPO5" => &mut [&mut config.bpo5_time],
        _ => &mut [],
    };
    for field in fields {
        field.get_or_insert(at);
    }
}

/// `15k` is 15,000.
fn parse_thousands(number: &str) -> Result<u64> {
    let (digits, factor) = match number.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => (number, 1),
    };
    digits.parse::<u64>()?.checked_mul(factor).ok_or_eyre("the fork's time does not fit 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(network: &str) -> ChainConfig {
        #[allow(clippy::unwrap_used)]
        chain_config(network, 1, BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_fork_brings_those_before_it() {
        let cancun = config("Cancun");
        assert_eq!((cancun.shanghai_time, cancun.cancun_time, cancun.prague_time), (Some(0), Some(0), None));
        assert_eq!(cancun.london_block, Some(0));
        assert_eq!(cancun.terminal_total_difficulty, Some(U256::ZERO));
        let byzantium = config("Byzantium");
        assert_eq!((byzantium.byzantium_block, byzantium.constantinople_block), (Some(0), None));
        assert_eq!(byzantium.terminal_total_difficulty, None);
        assert!(!byzantium.dao_fork_support);
    }

    #[test]
    fn a_transition_activates_its_fork_later() {
        let at_time = config("ShanghaiToCancunAtTime15k");
        assert_eq!((at_time.shanghai_time, at_time.cancun_time), (Some(0), Some(15_000)));
        let at_block = config("BerlinToLondonAt5");
        assert_eq!((at_block.berlin_block, at_block.london_block), (Some(0), Some(5)));
        let dao = config("HomesteadToDaoAt5");
        assert_eq!((dao.homestead_block, dao.dao_fork_block), (Some(0), Some(5)));
        assert!(dao.dao_fork_support);
        let merge = config("ArrowGlacierToParisAtDiffC0000");
        assert_eq!(merge.terminal_total_difficulty, Some(U256::from(0xc0000)));
        let bpo = config("OsakaToBPO1AtTime15k");
        assert_eq!((bpo.osaka_time, bpo.bpo1_time), (Some(0), Some(15_000)));
    }

    #[test]
    fn an_unknown_fork_is_named() {
        let error = chain_config("Atlantis", 1, BTreeMap::new()).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("Atlantis")));
    }
}
