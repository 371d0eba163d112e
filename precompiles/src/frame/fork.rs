//! Which functions there are at a block: by the chain's own named forks.

use openledger_chainspec::{ChainSpec, OpenLedgerHardfork};

/// When each of the chain's own forks activates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activations(Vec<(OpenLedgerHardfork, u64)>);

impl Activations {
    /// As the chain's specification says.
    pub fn of(spec: &ChainSpec) -> Self {
        let times = OpenLedgerHardfork::VARIANTS
            .iter()
            .filter_map(|fork| Some((*fork, spec.openledger_fork_activation(*fork).as_timestamp()?)));
        Self(times.collect())
    }

    /// Every fork from genesis on.
    pub fn at_genesis() -> Self {
        Self(OpenLedgerHardfork::VARIANTS.iter().map(|fork| (*fork, 0)).collect())
    }

    /// The forks that are active at a block's timestamp.
    pub fn at(&self, timestamp: u64) -> ActiveForks {
        let active = self.0.iter().filter(|(_, time)| *time <= timestamp);
        active.fold(ActiveForks::NONE, |forks, (fork, _)| forks.with(*fork))
    }
}

impl FromIterator<(OpenLedgerHardfork, u64)> for Activations {
    /// Forks and their times in seconds; what is left out never activates.
    fn from_iter<I: IntoIterator<Item = (OpenLedgerHardfork, u64)>>(times: I) -> Self {
        Self(times.into_iter().collect())
    }
}

/// The chain's own forks that are active at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveForks(u64);

impl ActiveForks {
    /// None is.
    pub const NONE: Self = Self(0);
    /// Every fork that this crate knows is.
    pub const ALL: Self = Self(u64::MAX);

    /// These, and `fork`.
    pub const fn with(self, fork: OpenLedgerHardfork) -> Self {
        Self(self.0 | 1 << fork as u64)
    }

    /// Whether `fork` is active.
    pub const fn has(self, fork: OpenLedgerHardfork) -> bool {
        self.0 >> fork as u64 & 1 == 1
    }
}
