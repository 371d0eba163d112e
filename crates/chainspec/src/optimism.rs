//! The `optimism` object in the `config` of `genesis.json`, also `chain_op_config` in `rollup.json`.

use alloy_eips::eip1559::BaseFeeParams;
use serde::{Deserialize, Serialize};

/// The chain's default EIP-1559 parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OptimismConfig {
    /// How many times its target a block may hold.
    pub eip1559_elasticity: u64,
    /// The largest change of the base fee in one block is one part in this many, before Canyon.
    pub eip1559_denominator: u64,
    /// The same from Canyon on; `eip1559_denominator` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eip1559_denominator_canyon: Option<u64>,
}

impl Default for OptimismConfig {
    /// OP Mainnet's parameters.
    fn default() -> Self {
        Self { eip1559_elasticity: 6, eip1559_denominator: 50, eip1559_denominator_canyon: Some(250) }
    }
}

impl OptimismConfig {
    /// The parameters in force since Canyon, which is active from genesis here.
    pub fn base_fee_params(&self) -> BaseFeeParams {
        let denominator = self.eip1559_denominator_canyon.unwrap_or(self.eip1559_denominator);
        BaseFeeParams::new(u128::from(denominator), u128::from(self.eip1559_elasticity))
    }

    /// Adds what is wrong to `problems`; `at` is where the object stands in its file.
    ///
    /// The header holds both numbers as `u32`, and zero there means "use the default".
    pub(crate) fn validate(&self, at: &str, problems: &mut Vec<String>) {
        let mut check = |name: &str, value: u64| {
            if value == 0 || value > u64::from(u32::MAX) {
                problems.push(format!("{at}.{name} is {value}: it must be from 1 to {}", u32::MAX));
            }
        };
        check("eip1559Elasticity", self.eip1559_elasticity);
        check("eip1559Denominator", self.eip1559_denominator);
        if let Some(denominator) = self.eip1559_denominator_canyon {
            check("eip1559DenominatorCanyon", denominator);
        }
    }
}
