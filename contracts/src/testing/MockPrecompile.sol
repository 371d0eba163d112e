// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {IPayouts} from "../interfaces/IPayouts.sol";
import {IPrecompile} from "../interfaces/IPrecompile.sol";

/// @title MockPrecompile
/// @notice Stands at a precompile's address in a test: refuses what the precompile's frame refuses, and has everything
/// else done by the reference implementation, on its own account and storage.
/// @dev Refused as on the chain: delegate calls, and value sent to a function that takes none. Not as on the chain: a
/// static call of a function that changes the state fails without `StaticCallRefused`.
contract MockPrecompile {
    /// @notice The reference implementation.
    address public immutable implementation;
    address private immutable self;

    /// @param self_ the precompile's address, where this code is etched to.
    constructor(address implementation_, address self_) {
        (implementation, self) = (implementation_, self_);
    }

    receive() external payable {
        _run();
    }

    fallback() external payable {
        _run();
    }

    function _run() private {
        require(address(this) == self, IPrecompile.DelegateCallRefused());
        bool refused = msg.value != 0 && msg.data.length >= 4 && !_takesValue(msg.sig);
        require(!refused, IPrecompile.ValueRefused(msg.value));
        address target = implementation;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if done { return(0, returndatasize()) }
            revert(0, returndatasize())
        }
    }

    /// @dev The payable functions of all three; they have no selector in common.
    function _takesValue(bytes4 selector) private pure returns (bool) {
        return selector == IDatanets.commit.selector || selector == IDatanets.challengeContribution.selector
            || selector == IDatanets.challengeCluster.selector || selector == IDatanets.buyGrant.selector
            || selector == IAttribution.bond.selector || selector == IAttribution.freezeReceipt.selector
            || selector == IPayouts.request.selector || selector == IPayouts.openChannel.selector
            || selector == IPayouts.fundChannel.selector || selector == IPayouts.openStream.selector
            || selector == IPayouts.fundStream.selector;
    }
}
