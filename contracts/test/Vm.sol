// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Cheats} from "../src/testing/Cheats.sol";

/// @dev The cheatcodes that the tests use.
interface Vm is Cheats {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function getCode(string calldata artifact) external view returns (bytes memory);
    function load(address target, bytes32 slot) external view returns (bytes32);
    function chainId(uint256 chain) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    /// Matches the error's selector and arguments.
    function expectRevert(bytes calldata reason) external;
    /// Matches the selector; the arguments of the error may be anything.
    function expectPartialRevert(bytes4 selector) external;
    /// The next call emits, from that address, what the test emits after this.
    function expectEmit(address emitter) external;
    function recordLogs() external;
    /// Of the logs since `recordLogs`, those that were not got before.
    function getRecordedLogs() external returns (Log[] memory);
}

Vm constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
