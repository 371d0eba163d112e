//! Where Solidity puts a mapping's entries.

use super::{Frame, Result};
use alloy_primitives::U256;

/// `keccak256(key ++ slot)`: the slot of `mapping[key]`.
pub(crate) fn entry(frame: &mut Frame<'_>, slot: U256, key: impl Into<U256>) -> Result<U256> {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&key.into().to_be_bytes::<32>());
    bytes[32..].copy_from_slice(&slot.to_be_bytes::<32>());
    Ok(frame.keccak(&bytes)?.into())
}

/// The slot of `mapping[first][second]`.
pub(crate) fn entry2(
    frame: &mut Frame<'_>,
    slot: U256,
    first: impl Into<U256>,
    second: impl Into<U256>,
) -> Result<U256> {
    let inner = entry(frame, slot, first)?;
    entry(frame, inner, second)
}
