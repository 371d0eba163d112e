//! Creation at an address that has storage but neither code nor nonce fails (EIP-7610).
//!
//! The EVM library looks at code and nonce only, and a state that is read account by account does not tell it
//! of storage. From Spurious Dragon on no such account comes into being, so the genesis names them all.

use alloy_primitives::{Address, Bytes};
use openledger_chainspec::ChainSpec;
use revm::{
    Inspector,
    context::JournalTr,
    context_interface::{ContextTr, journaled_state::account::JournaledAccountTr},
    interpreter::{CreateInputs, CreateOutcome, Gas, InstructionResult, InterpreterResult},
    primitives::constants::CALL_STACK_LIMIT,
};

/// Ends creations at such addresses as the EVM ends those at addresses with code.
#[derive(Debug, Clone, Copy)]
pub(super) struct StorageCollisions<'a>(&'a ChainSpec);

impl<'a> StorageCollisions<'a> {
    pub(super) const fn new(spec: &'a ChainSpec) -> Self {
        Self(spec)
    }

    /// Whether the chain has any such address.
    pub(super) fn can_happen(&self) -> bool {
        !self.0.storage_only_accounts().is_empty()
    }

    fn is_taken(&self, address: &Address) -> bool {
        self.0.storage_only_accounts().contains(address)
    }
}

impl<CTX: ContextTr> Inspector<CTX> for StorageCollisions<'_> {
    fn create(&mut self, context: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let journal = context.journal_mut();
        // What fails before the address is looked at is left to the EVM, errors of the database too.
        let caller = journal.load_account_mut(inputs.caller()).ok()?;
        let nonce = caller.nonce();
        if *caller.balance() < inputs.value() || nonce == u64::MAX {
            return None;
        }
        drop(caller);
        let address = inputs.created_address(nonce);
        if journal.depth() > CALL_STACK_LIMIT as usize || !self.is_taken(&address) {
            return None;
        }
        journal.load_account(address).ok()?;
        journal.load_account_mut(inputs.caller()).ok()?.bump_nonce();
        let result = InterpreterResult {
            result: InstructionResult::CreateCollision,
            gas: Gas::new_with_regular_gas_and_reservoir(inputs.gas_limit(), inputs.reservoir()),
            output: Bytes::new(),
        };
        Some(CreateOutcome { result, address: None })
    }
}
