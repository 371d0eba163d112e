//! The state a precompile works on.

use super::Result;
use alloy_primitives::{Address, Log, U256};
use revm::interpreter::SStoreResult;

/// A loaded value, and whether this was the transaction's first access to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// First access in this transaction (EIP-2929).
    pub is_cold: bool,
}

/// Work of a call that leaves the state alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Hashing so many bytes.
    Hash(usize),
    /// Decoding so many bytes of calldata.
    Decode(usize),
    /// Encoding so many bytes of return data.
    Encode(usize),
    /// Recovering a signer.
    Recover,
}

/// One account's storage.
///
/// With `skip_cold`, `None` instead of a cold load that the caller cannot pay for.
pub trait Slots {
    /// Reads a storage slot.
    fn sload(&mut self, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>>;
    /// Writes a storage slot.
    fn sstore(&mut self, slot: U256, value: U256, skip_cold: bool) -> Result<Option<Loaded<SStoreResult>>>;
}

/// An account of a backend that has no better way to its slots.
struct OneByOne<'a, B: ?Sized> {
    backend: &'a mut B,
    account: Address,
}

impl<B: Backend + ?Sized> Slots for OneByOne<'_, B> {
    fn sload(&mut self, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>> {
        self.backend.sload(self.account, slot, skip_cold)
    }

    fn sstore(&mut self, slot: U256, value: U256, skip_cold: bool) -> Result<Option<Loaded<SStoreResult>>> {
        self.backend.sstore(self.account, slot, value, skip_cold)
    }
}

/// The state a precompile works on: the EVM's journal, or memory in tests.
///
/// Methods with `skip_cold` return `None` instead of doing a cold load that the caller cannot pay for.
/// Nothing here charges gas: [`super::Frame`] does, before it calls.
pub trait Backend {
    /// Reads a storage slot.
    fn sload(&mut self, account: Address, slot: U256, skip_cold: bool) -> Result<Option<Loaded<U256>>>;
    /// Writes a storage slot.
    fn sstore(
        &mut self,
        account: Address,
        slot: U256,
        value: U256,
        skip_cold: bool,
    ) -> Result<Option<Loaded<SStoreResult>>>;
    /// Lets `work` use the slots of one account, which is looked for once.
    fn with_slots(
        &mut self,
        account: Address,
        work: &mut dyn FnMut(&mut dyn Slots) -> Result<()>,
    ) -> Result<()> {
        work(&mut OneByOne { backend: self, account })
    }
    /// Warms an account and says whether it is empty (EIP-161).
    fn is_empty(&mut self, account: Address, skip_cold: bool) -> Result<Option<Loaded<bool>>>;
    /// The balance of an account in wei.
    fn balance(&mut self, account: Address) -> Result<U256>;
    /// Moves wei; runs no code. False when `from` has too little.
    fn transfer(&mut self, from: Address, to: Address, wei: U256) -> Result<bool>;
    /// Emits a log.
    fn log(&mut self, log: Log);
    /// Is told of work that was paid for, for those who count it.
    fn note(&mut self, _work: Work) {}
    /// The number of the block.
    fn block_number(&self) -> u64;
    /// The timestamp of the block in seconds.
    fn timestamp(&self) -> u64;
    /// The chain identifier.
    fn chain_id(&self) -> u64;
}
