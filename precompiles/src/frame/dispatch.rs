//! What is the same for every call: gas for the calldata, purity, bounds, decoding.

use super::error::IPrecompile::{
    CalldataTooLong, DelegateCallRefused, StaticCallRefused, UnknownSelector, ValueRefused,
};
use super::gas::CALL_GAS;
use super::{Frame, Purity, Result, Table, revert};
use alloy_primitives::{Bytes, FixedBytes, U256};

/// Most calldata that a call may have; the largest useful one (a receipt of 256 shares) takes 25 kB.
pub const MAX_CALLDATA: usize = 1 << 16;

/// Runs a call of the precompile that has the functions of `table`: charges for the calldata, refuses what may be refused without
/// knowing the function's rules, and hands the rest to the function.
pub(crate) fn dispatch(frame: &mut Frame<'_>, table: &Table, calldata: &[u8]) -> Result<Bytes> {
    frame.charge(CALL_GAS)?;
    frame.charge_decode(calldata.len())?;
    if !frame.call().is_direct {
        revert!(DelegateCallRefused {});
    }
    let (selector, arguments) = split(calldata);
    // Less than a selector names nothing, even where a selector ends in zeros.
    let known = table.find(selector, frame.forks()).filter(|_| calldata.len() >= selector.len());
    let Some(function) = known else {
        revert!(UnknownSelector { selector: FixedBytes(selector) });
    };
    if function.purity != Purity::Payable && !frame.value().is_zero() {
        revert!(ValueRefused { value: frame.value() });
    }
    if function.purity.writes() && frame.call().is_static {
        revert!(StaticCallRefused {});
    }
    if calldata.len() > MAX_CALLDATA {
        revert!(CalldataTooLong { maximum: U256::from(MAX_CALLDATA), given: U256::from(calldata.len()) });
    }
    frame.restrict(function.purity);
    (function.run)(frame, arguments)
}

/// Selector and arguments; less than a selector is filled up with zeros, as `msg.sig` is.
fn split(calldata: &[u8]) -> ([u8; 4], &[u8]) {
    if let Some((selector, arguments)) = calldata.split_first_chunk() {
        return (*selector, arguments);
    }
    let mut selector = [0; 4];
    for (to, from) in selector.iter_mut().zip(calldata) {
        *to = *from;
    }
    (selector, &[])
}
