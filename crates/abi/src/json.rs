//! The interfaces of the precompiles and the court as JSON ABIs, for tools that read no Solidity.

use crate::{IAttribution, ICourt, IDatanets, IPayouts};
use alloy_json_abi::{JsonAbi, ToSolConfig};

/// The name and JSON ABI of each interface.
pub fn json_abis() -> Vec<(&'static str, String)> {
    abis().into_iter().map(|(name, abi)| (name, to_json(&abi))).collect()
}

fn abis() -> [(&'static str, JsonAbi); 4] {
    [
        ("IDatanets", IDatanets::abi::contract()),
        ("IAttribution", IAttribution::abi::contract()),
        ("IPayouts", IPayouts::abi::contract()),
        ("ICourt", ICourt::abi::contract()),
    ]
}

/// An ABI of names and types has no value that JSON cannot hold, so this never falls back.
fn to_json(abi: &JsonAbi) -> String {
    serde_json::to_string_pretty(abi).unwrap_or_else(|_| abi.to_sol("Interface", Some(ToSolConfig::new())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{B256, Selector, keccak256};
    use alloy_sol_types::{SolError, SolEvent, SolInterface};

    #[test]
    fn json_abi_reads_back_as_what_sol_knows() {
        for (name, text) in json_abis() {
            let read: JsonAbi = serde_json::from_str(&text).unwrap();
            let (_, abi) = abis().into_iter().find(|(other, _)| *other == name).unwrap();
            assert_eq!(read, abi, "{name}");
        }
    }

    #[test]
    fn every_selector_of_the_json_abi_is_bound() {
        let selectors = |abi: &JsonAbi| {
            let mut all: Vec<Selector> = abi.functions().map(alloy_json_abi::Function::selector).collect();
            all.sort();
            all
        };
        let bound = |mut all: Vec<[u8; 4]>| {
            all.sort();
            all.into_iter().map(Selector::from).collect::<Vec<_>>()
        };
        assert_eq!(
            selectors(&IDatanets::abi::contract()),
            bound(IDatanets::IDatanetsCalls::selectors().collect())
        );
        assert_eq!(
            selectors(&IAttribution::abi::contract()),
            bound(IAttribution::IAttributionCalls::selectors().collect())
        );
        assert_eq!(
            selectors(&IPayouts::abi::contract()),
            bound(IPayouts::IPayoutsCalls::selectors().collect())
        );
        assert_eq!(selectors(&ICourt::abi::contract()), bound(ICourt::ICourtCalls::selectors().collect()));
    }

    #[test]
    fn enum_of_an_interface_is_a_uint8_in_signatures() {
        let signature = b"RequestClosed(bytes32,uint8)";
        assert_eq!(IPayouts::RequestClosed::SELECTOR, keccak256(signature)[..4]);
    }

    #[test]
    fn config_update_has_the_topic_that_derivation_filters_by() {
        let topic: B256 = keccak256("ConfigUpdate(uint256,uint8,bytes)");
        assert_eq!(crate::op::ISystemConfig::ConfigUpdate::SIGNATURE_HASH, topic);
        let deposited = keccak256("TransactionDeposited(address,address,uint256,bytes)");
        assert_eq!(crate::op::IOptimismPortal::TransactionDeposited::SIGNATURE_HASH, deposited);
    }
}
