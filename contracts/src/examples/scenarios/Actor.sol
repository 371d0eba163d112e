// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// @title Actor
/// @notice An account of a scenario: does what the scenario that made it says.
contract Actor {
    address private immutable scenario = msg.sender;

    receive() external payable {}

    /// @notice Calls, and says how much gas the call cost its caller.
    function measure(address target, uint256 value, bytes calldata data)
        external
        payable
        returns (uint256 gasUsed, bytes memory result)
    {
        require(msg.sender == scenario);
        bytes memory input = data;
        bool done;
        uint256 before = gasleft();
        (done, result) = target.call{value: value}(input);
        gasUsed = before - gasleft();
        if (done) return (gasUsed, result);
        assembly ("memory-safe") {
            revert(add(result, 0x20), mload(result))
        }
    }

    /// @notice Calls with `value` of its own wei; fails as the call fails.
    function run(address target, uint256 value, bytes calldata data) external payable returns (bytes memory result) {
        require(msg.sender == scenario);
        bool done;
        (done, result) = target.call{value: value}(data);
        if (done) return result;
        assembly ("memory-safe") {
            revert(add(result, 0x20), mload(result))
        }
    }
}
