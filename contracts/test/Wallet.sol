// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @dev A contract wallet: accepts the one signature that it was told of, for the one digest.
contract Wallet is IERC1271 {
    bytes32 private accepted;

    function accept(bytes32 digest, bytes calldata signature) external {
        accepted = keccak256(abi.encodePacked(digest, signature));
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        bool ok = keccak256(abi.encodePacked(digest, signature)) == accepted;
        return ok ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    receive() external payable {}
}
