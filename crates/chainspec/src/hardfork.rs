//! OpenLedger's own forks: one name a protocol change, activated by timestamp.

use std::fmt;

use alloy_hardforks::ForkCondition;
use alloy_primitives::Address;
use serde::Deserialize;

/// A fork of OpenLedger's own rules, in activation order.
///
/// A released fork's behaviour is frozen: a change of rules is a new variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum OpenLedgerHardfork {
    /// The precompiles Datanets, Attribution and Payouts as first released. Its accounts are part of
    /// genesis, so it activates there or never.
    Meridian,
}

impl OpenLedgerHardfork {
    /// Every fork, oldest first.
    pub const VARIANTS: &'static [Self] = &[Self::Meridian];

    /// The fork's name in logs and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meridian => "Meridian",
        }
    }

    /// The fork's key in the `openledger` object of `genesis.json`.
    pub const fn config_key(self) -> &'static str {
        match self {
            Self::Meridian => "meridianTime",
        }
    }
}

impl fmt::Display for OpenLedgerHardfork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The `openledger` object in the `config` of `genesis.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OpenLedgerConfig {
    /// Activation time of Meridian in seconds; genesis where it is left out.
    meridian_time: Option<u64>,
}

impl OpenLedgerConfig {
    /// When `fork` activates on a chain whose configuration has this object.
    pub(crate) fn activation(self, fork: OpenLedgerHardfork) -> ForkCondition {
        match fork {
            OpenLedgerHardfork::Meridian => ForkCondition::Timestamp(self.meridian_time.unwrap_or_default()),
        }
    }

    /// Adds what is wrong with the schedule to `problems`.
    pub(crate) fn validate(self, genesis_timestamp: u64, problems: &mut Vec<String>) {
        if let Some(time) = self.meridian_time
            && time > genesis_timestamp
        {
            problems.push(format!(
                "config.openledger.meridianTime is {time}, after the genesis timestamp \
                 {genesis_timestamp}: Meridian's accounts are part of genesis, set it to 0 or leave \
                 it out"
            ));
        }
    }
}

/// The precompiles that Meridian brings, whose accounts must be in genesis.
pub(crate) const MERIDIAN_PRECOMPILES: [Address; 3] = {
    const fn at(index: u8) -> Address {
        let mut bytes = [0; 20];
        bytes[0] = 0x4f;
        bytes[1] = 0x50;
        bytes[2] = 0x45;
        bytes[3] = 0x4e;
        bytes[19] = index;
        Address::new(bytes)
    }
    [at(1), at(2), at(3)]
};
