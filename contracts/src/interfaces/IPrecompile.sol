// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title What each of the three precompiles answers to a call that reaches none of its functions' rules.
/// @notice Calldata that does not decode is answered without data, as Solidity's own decoder does.
interface IPrecompile {
    /// No function of the precompile has this selector, or none has at this block's time.
    error UnknownSelector(bytes4 selector);
    /// DELEGATECALL and CALLCODE: a precompile works on its own account alone.
    error DelegateCallRefused();
    /// STATICCALL of a function that changes the state.
    error StaticCallRefused();
    /// Value sent to a function that takes none.
    error ValueRefused(uint256 value);
    error CalldataTooLong(uint256 maximum, uint256 given);
}
