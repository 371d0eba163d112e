//! The EVM's journal as a backend.

use super::{Backend, Failure, Loaded, Result, Slots};
use alloy_evm::{EvmInternals, EvmInternalsError};
use alloy_primitives::{Address, Log, U256};
use revm::context_interface::journaled_state::JournalLoadError;
use revm::context_interface::journaled_state::account::JournaledAccountTr;
use revm::interpreter::SStoreResult;

/// The EVM's journal as a backend.
#[derive(Debug)]
pub struct EvmBackend<'a, 'b>(pub &'a mut EvmInternals<'b>);

fn fatal(error: impl std::fmt::Display) -> Failure {
    Failure::Fatal(error.to_string())
}

/// `None` for a cold load that was to be skipped.
fn skipped<T, E: std::fmt::Display>(
    result: std::result::Result<T, JournalLoadError<E>>,
) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(JournalLoadError::ColdLoadSkipped) => Ok(None),
        Err(JournalLoadError::DBError(error)) => Err(fatal(error)),
    }
}

/// An account of the journal.
struct Journaled<'a>(Box<dyn JournaledAccountTr + 'a>);

impl Slots for Journaled<'_> {
    fn sload(&mut self, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>> {
        let value = skipped(self.0.sload(slot, skip_cold))?;
        Ok(value.map(|slot| Loaded { value: slot.data.present_value(), is_cold: slot.is_cold }))
    }

    fn sstore(&mut self, slot: U256, value: U256, skip_cold: bool) -> Result<Option<Loaded<SStoreResult>>> {
        // A change to the storage of an untouched account would not be committed.
        self.0.touch();
        let stored = skipped(self.0.sstore(slot, value, skip_cold))?;
        Ok(stored.map(|stored| Loaded { value: stored.data, is_cold: stored.is_cold }))
    }
}

impl EvmBackend<'_, '_> {
    fn account(&mut self, account: Address) -> Result<Journaled<'_>> {
        Ok(Journaled(self.0.load_account_mut(account).map_err(fatal)?.data))
    }
}

impl Backend for EvmBackend<'_, '_> {
    fn sload(&mut self, account: Address, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>> {
        self.account(account)?.sload(slot, skip_cold)
    }

    fn sstore(
        &mut self,
        account: Address,
        slot: U256,
        value: U256,
        skip_cold: bool,
    ) -> Result<Option<Loaded<SStoreResult>>> {
        self.account(account)?.sstore(slot, value, skip_cold)
    }

    fn with_slots(
        &mut self,
        account: Address,
        work: &mut dyn FnMut(&mut dyn Slots) -> Result<()>,
    ) -> Result<()> {
        work(&mut self.account(account)?)
    }

    fn is_empty(&mut self, account: Address, skip_cold: bool) -> Result<Option<Loaded<bool>>> {
        let loaded =
            skipped::<_, EvmInternalsError>(self.0.load_account_mut_skip_cold_load(account, skip_cold))?;
        let Some(is_cold) = loaded.map(|account| account.is_cold) else { return Ok(None) };
        let account = self.0.load_account(account).map_err(fatal)?;
        Ok(Some(Loaded { value: account.data.info.is_empty(), is_cold }))
    }

    fn balance(&mut self, account: Address) -> Result<U256> {
        Ok(self.0.load_account(account).map_err(fatal)?.data.info.balance)
    }

    fn transfer(&mut self, from: Address, to: Address, wei: U256) -> Result<bool> {
        Ok(self.0.transfer(from, to, wei).map_err(fatal)?.is_none())
    }

    fn log(&mut self, log: Log) {
        self.0.log(log);
    }

    fn block_number(&self) -> u64 {
        self.0.block_number().saturating_to()
    }

    fn timestamp(&self) -> u64 {
        self.0.block_timestamp().saturating_to()
    }

    fn chain_id(&self) -> u64 {
        self.0.chain_id()
    }
}
