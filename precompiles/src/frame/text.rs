//! Strings as Solidity stores them: up to 31 bytes in the slot with twice the length in the lowest byte; longer ones
//! from `keccak256(slot)` on, with twice the length plus one in the slot.

use super::{Frame, Result};
use alloy_primitives::{Address, U256};

/// Stores a string where none is yet; the caller has bounded its length.
pub(crate) fn store_text(frame: &mut Frame<'_>, account: Address, slot: U256, text: &str) -> Result<()> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Ok(());
    }
    if bytes.len() < 32 {
        let word = left_aligned(bytes) | U256::from(2 * bytes.len());
        return frame.sstore(account, slot, word);
    }
    frame.sstore(account, slot, U256::from(2 * bytes.len() + 1))?;
    let data: U256 = frame.keccak(&slot.to_be_bytes::<32>())?.into();
    for (index, chunk) in bytes.chunks(32).enumerate() {
        frame.sstore(account, data.wrapping_add(U256::from(index)), left_aligned(chunk))?;
    }
    Ok(())
}

/// Loads a string of at most `maximum` bytes, which is what was stored at most.
pub(crate) fn load_text(
    frame: &mut Frame<'_>,
    account: Address,
    slot: U256,
    maximum: usize,
) -> Result<String> {
    let head = frame.sload(account, slot)?;
    let mut bytes = Vec::new();
    if head.bit(0) {
        let length = usize::try_from(head >> 1).unwrap_or(usize::MAX).min(maximum);
        let data: U256 = frame.keccak(&slot.to_be_bytes::<32>())?.into();
        for index in 0..length.div_ceil(32) {
            let word = frame.sload(account, data.wrapping_add(U256::from(index)))?;
            bytes.extend_from_slice(&word.to_be_bytes::<32>());
        }
        bytes.truncate(length);
    } else {
        let length = (usize::from(head.byte(0)) / 2).min(31);
        bytes.extend_from_slice(&head.to_be_bytes::<32>()[..length]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn left_aligned(bytes: &[u8]) -> U256 {
    let mut word = [0; 32];
    word[..bytes.len()].copy_from_slice(bytes);
    U256::from_be_bytes(word)
}
