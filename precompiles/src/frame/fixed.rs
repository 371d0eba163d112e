//! Fixed arrays of a value type, packed from a slot on, whose length is kept elsewhere.

use super::packed::{Cursor, Field};
use super::{Frame, Result};
use alloy_primitives::{Address, U256};

/// Where element `index` is: its slot and its first byte in it.
fn place<F: Field>(first: U256, index: u64) -> (U256, usize) {
    let per_slot = (32 / F::BYTES) as u64;
    (first.wrapping_add(U256::from(index / per_slot)), F::BYTES * (index % per_slot) as usize)
}

/// `count` elements from `start` on: one load a slot.
pub(crate) fn load_elements<F: Field>(
    frame: &mut Frame<'_>,
    account: Address,
    first: U256,
    start: u64,
    count: u64,
) -> Result<Vec<F>> {
    let (mut elements, mut loaded) = (Vec::new(), None);
    for index in start..start.saturating_add(count) {
        let (slot, byte) = place::<F>(first, index);
        let word = match loaded {
            Some((at, word)) if at == slot => word,
            _ => frame.sload(account, slot)?,
        };
        loaded = Some((slot, word));
        elements.push(Cursor { slot: 0, byte }.take(&[word]));
    }
    Ok(elements)
}

/// Stores `elements` from `start` on; the other elements of their slots stay.
pub(crate) fn store_elements<F: Field>(
    frame: &mut Frame<'_>,
    account: Address,
    first: U256,
    start: u64,
    elements: &[F],
) -> Result<()> {
    let mut pending: Option<(U256, U256)> = None;
    for (offset, element) in elements.iter().enumerate() {
        let (slot, byte) = place::<F>(first, start.saturating_add(offset as u64));
        let word = match pending {
            Some((at, word)) if at == slot => word,
            other => {
                if let Some((at, word)) = other {
                    frame.sstore(account, at, word)?;
                }
                frame.sload(account, slot)?
            }
        };
        let mask = if F::BYTES == 32 { U256::MAX } else { (U256::ONE << (8 * F::BYTES)) - U256::ONE };
        let word = (word & !(mask << (8 * byte))) | (element.to_word() << (8 * byte));
        pending = Some((slot, word));
    }
    match pending {
        Some((slot, word)) => frame.sstore(account, slot, word),
        None => Ok(()),
    }
}
