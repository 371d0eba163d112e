//! What is the same for every call: gas for the calldata, purity, bounds, decoding.

use super::gas::CALL_GAS;
use super::{Failure, Frame, Result};
use alloy_primitives::Bytes;
use alloy_sol_types::abi::AbiDecoderConfig;
use alloy_sol_types::{SolCall, SolInterface};

/// Most calldata that a call may have; the largest useful one (a receipt of 256 shares) takes 25 kB.
const MAX_CALLDATA: usize = 1 << 16;

/// What a function may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purity {
    /// Reads nothing.
    Pure,
    /// Changes nothing.
    View,
    /// Takes no value.
    Write,
    /// Takes value.
    Payable,
}

/// Charges for a call, checks what may be checked without knowing it, and decodes it.
pub(crate) fn enter<C: SolInterface>(
    frame: &mut Frame<'_>,
    calldata: &[u8],
    purity: fn([u8; 4]) -> Option<Purity>,
) -> Result<C> {
    frame.charge(CALL_GAS)?;
    // Twice: it is read, and what is decoded is written.
    frame.charge_copy(calldata.len())?;
    frame.charge_copy(calldata.len())?;
    if !frame.call().is_direct {
        return Err(Failure::because("delegate call to a precompile"));
    }
    let Some((selector, arguments)) = calldata.split_first_chunk::<4>() else {
        return Err(Failure::empty());
    };
    let Some(purity) = purity(*selector) else {
        return Err(Failure::empty());
    };
    if purity != Purity::Payable && !frame.value().is_zero() {
        return Err(Failure::because("value sent to a function that takes none"));
    }
    if matches!(purity, Purity::Write | Purity::Payable) && frame.call().is_static {
        return Err(Failure::because("state change in a static call"));
    }
    if calldata.len() > MAX_CALLDATA {
        return Err(Failure::because("calldata above 65,536 bytes"));
    }
    let config = AbiDecoderConfig::new().validate(true).validate_allow_trailing_bytes(true);
    C::abi_decode_raw_with_config(*selector, arguments, config).map_err(|_| Failure::empty())
}

/// Encodes what a call returns and charges for it.
pub(crate) fn reply<C: SolCall>(frame: &mut Frame<'_>, returns: &C::Return) -> Result<Bytes> {
    let bytes = C::abi_encode_returns(returns);
    frame.charge_copy(bytes.len())?;
    Ok(bytes.into())
}
