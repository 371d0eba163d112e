// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IAttribution} from "../../src/interfaces/IAttribution.sol";

/// @dev The bonds of the Attribution precompile, and what a test says of models and receipts.
contract AttributionStandIn {
    uint64 public constant challengeWindow = 3600;

    uint64 public modelCount;
    mapping(address => uint256) private bonds;
    mapping(bytes32 => uint256) private fees;

    /// @dev Only here: models 1 to `count` exist.
    function setModelCount(uint64 count) external {
        modelCount = count;
    }

    /// @dev Only here: the fee that the request's receipt shows.
    function setFee(bytes32 requestId, uint256 fee) external {
        fees[requestId] = fee;
    }

    function bond() external payable {
        bonds[msg.sender] += msg.value;
        emit IAttribution.Bonded(msg.sender, msg.value, bonds[msg.sender]);
    }

    function unbond(uint256 amount) external {
        uint256 free = bonds[msg.sender];
        require(amount <= free, IAttribution.BondTooSmall(free, amount));
        bonds[msg.sender] = free - amount;
        emit IAttribution.Unbonded(msg.sender, amount, free - amount);
        (bool paid,) = msg.sender.call{value: amount}("");
        require(paid);
    }

    function bondOf(address attestor) external view returns (uint256 total, uint256 locked) {
        return (bonds[attestor], 0);
    }

    function receiptOf(bytes32 requestId) external view returns (IAttribution.ReceiptInfo memory receipt) {
        require(fees[requestId] != 0, IAttribution.UnknownReceipt(requestId));
        receipt.fee = fees[requestId];
    }
}
