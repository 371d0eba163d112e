//! Dynamic arrays where Solidity puts them: the length in the slot, elements packed from `keccak256(slot)` on.

use super::packed::{Cursor, Field};
use super::{Frame, Result};
use alloy_primitives::{Address, U256};
use std::marker::PhantomData;

/// A dynamic array of a value type in storage.
pub(crate) struct Array<F> {
    account: Address,
    slot: U256,
    first: U256,
    length: u64,
    element: PhantomData<F>,
}

impl<F: Field> Array<F> {
    const PER_SLOT: u64 = 32 / F::BYTES as u64;

    /// The array at `slot`: one load and one hash.
    pub(crate) fn open(frame: &mut Frame<'_>, account: Address, slot: U256) -> Result<Self> {
        let length = frame.sload(account, slot)?.saturating_to();
        let first = frame.keccak(&slot.to_be_bytes::<32>())?.into();
        Ok(Self { account, slot, first, length, element: PhantomData })
    }

    /// How many elements there are.
    pub(crate) const fn len(&self) -> u64 {
        self.length
    }

    /// Slot of an element and its first byte in it.
    fn place(&self, index: u64) -> (U256, usize) {
        let slot = self.first.wrapping_add(U256::from(index / Self::PER_SLOT));
        (slot, F::BYTES * (index % Self::PER_SLOT) as usize)
    }

    /// The elements from `start` on, at most `limit`: one load a slot.
    pub(crate) fn page(&self, frame: &mut Frame<'_>, start: u64, limit: u64) -> Result<Vec<F>> {
        let end = start.saturating_add(limit).min(self.length);
        let (mut elements, mut loaded) = (Vec::new(), None);
        for index in start..end {
            let (slot, byte) = self.place(index);
            let word = match loaded {
                Some((at, word)) if at == slot => word,
                _ => frame.sload(self.account, slot)?,
            };
            loaded = Some((slot, word));
            elements.push(Cursor { slot: 0, byte }.take(&[word]));
        }
        Ok(elements)
    }

    /// Appends an element.
    pub(crate) fn push(&mut self, frame: &mut Frame<'_>, element: F) -> Result<()> {
        let (slot, byte) = self.place(self.length);
        // A slot that no element is in yet is empty, as elements are never taken away.
        let mut words = [if byte == 0 { U256::ZERO } else { frame.sload(self.account, slot)? }];
        Cursor { slot: 0, byte }.put(&mut words, element);
        self.length += 1;
        frame.sstore(self.account, self.slot, U256::from(self.length))?;
        frame.sstore(self.account, slot, words[0])
    }
}
