// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IAttribution} from "../src/interfaces/IAttribution.sol";

/// @dev Of the Attribution precompile what the court asks for: one receipt, its model, and its status.
contract JudgedReceipts {
    bytes32 private id;
    address private owner;
    address private court;
    IAttribution.ReceiptInfo private receipt;

    address public challenger;
    bool public resolved;
    bool public wrong;
    uint256 public correctedCount;
    bool private refusing;

    function set(bytes32 requestId, uint64 model, address owner_, address attestor, address court_) external {
        (id, owner, court) = (requestId, owner_, court_);
        (receipt.model, receipt.attestor) = (model, attestor);
    }

    function refuseShares() external {
        refusing = true;
    }

    function modelOf(uint64) external view returns (IAttribution.Model memory model) {
        model.owner = owner;
    }

    function receiptOf(bytes32 requestId) external view returns (IAttribution.ReceiptInfo memory) {
        require(requestId == id, IAttribution.UnknownReceipt(requestId));
        return receipt;
    }

    function freezeReceipt(bytes32 requestId, address challenger_) external payable {
        require(msg.sender == court, IAttribution.NotCourt(msg.sender));
        require(
            receipt.status == IAttribution.ReceiptStatus.Settled,
            IAttribution.WrongReceiptStatus(requestId, receipt.status)
        );
        receipt.status = IAttribution.ReceiptStatus.Frozen;
        challenger = challenger_;
    }

    function resolveReceipt(bytes32 requestId, bool wrong_, IAttribution.ClusterShare[] calldata corrected) external {
        require(msg.sender == court, IAttribution.NotCourt(msg.sender));
        require(
            receipt.status == IAttribution.ReceiptStatus.Frozen,
            IAttribution.WrongReceiptStatus(requestId, receipt.status)
        );
        require(!refusing || corrected.length == 0, IAttribution.WrongShareSum(1));
        receipt.status = wrong_ ? IAttribution.ReceiptStatus.Slashed : IAttribution.ReceiptStatus.Upheld;
        (resolved, wrong, correctedCount) = (true, wrong_, corrected.length);
    }
}
