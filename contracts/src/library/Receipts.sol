// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, OpenLedger} from "../OpenLedger.sol";
import {IAttribution} from "../interfaces/IAttribution.sol";

/// @title Receipts
/// @notice Whether an answer was settled, still stands, can still be challenged, and is what someone says it is.
/// @dev Get the receipt once, then ask about it in memory: `using Receipts for IAttribution.ReceiptInfo`.
library Receipts {
    error NotSettled(bytes32 requestId);
    /// The receipt is challenged, or was found wrong.
    error Disputed(IAttribution.ReceiptStatus status);
    /// The receipt has not stood long enough.
    error TooYoung(uint64 readyAt);
    error TooOld(uint64 staleAt);
    /// Another answer, or another salt, than the receipt's.
    error AnotherAnswer(bytes32 expected, bytes32 given);

    /// @notice The receipt, or `NotSettled`. One call.
    function get(bytes32 requestId) internal view returns (IAttribution.ReceiptInfo memory receipt) {
        bool settled;
        (settled, receipt) = find(requestId);
        require(settled, NotSettled(requestId));
    }

    /// @notice The receipt where there is one. One call; reverts for no name.
    function find(bytes32 requestId) internal view returns (bool settled, IAttribution.ReceiptInfo memory receipt) {
        try ATTRIBUTION.receiptOf(requestId) returns (IAttribution.ReceiptInfo memory found) {
            return (true, found);
        } catch (bytes memory reason) {
            bool unknown = reason.length >= 4 && bytes4(reason) == IAttribution.UnknownReceipt.selector;
            if (unknown) return (false, receipt);
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
    }

    /// @notice Nobody disputes it now, or the court found it right. No call.
    function stands(IAttribution.ReceiptInfo memory receipt) internal pure returns (bool) {
        return
            receipt.status == IAttribution.ReceiptStatus.Settled || receipt.status == IAttribution.ReceiptStatus.Upheld;
    }

    /// @notice First second at which nothing can change it any more; the largest number while it is before the court, and
    /// after the court found it wrong. One call, none where the court has decided.
    function finalAt(IAttribution.ReceiptInfo memory receipt) internal view returns (uint64) {
        if (receipt.status == IAttribution.ReceiptStatus.Upheld) return receipt.settledAt;
        if (receipt.status != IAttribution.ReceiptStatus.Settled) return type(uint64).max;
        return receipt.settledAt + ATTRIBUTION.challengeWindow();
    }

    /// @notice It stands, and nothing can change it any more. One call at most.
    function isFinal(IAttribution.ReceiptInfo memory receipt) internal view returns (bool) {
        return block.timestamp >= finalAt(receipt);
    }

    /// @notice Reverts with `Disputed` unless it stands. No call.
    function requireStanding(IAttribution.ReceiptInfo memory receipt) internal pure {
        require(stands(receipt), Disputed(receipt.status));
    }

    /// @notice Reverts with `TooYoung` or `TooOld` unless it was settled from `minimumSeconds` to `maximumSeconds` ago.
    /// One that the court found right is never too young. No call.
    function requireAge(IAttribution.ReceiptInfo memory receipt, uint64 minimumSeconds, uint64 maximumSeconds)
        internal
        view
    {
        uint64 readyAt = receipt.settledAt + minimumSeconds;
        bool upheld = receipt.status == IAttribution.ReceiptStatus.Upheld;
        require(upheld || block.timestamp >= readyAt, TooYoung(readyAt));
        uint64 staleAt = receipt.settledAt + maximumSeconds;
        require(block.timestamp <= staleAt, TooOld(staleAt));
    }

    /// @notice Reverts with `AnotherAnswer` unless the receipt is for this answer. No call.
    function requireAnswer(IAttribution.ReceiptInfo memory receipt, bytes32 salt, uint32[] memory tokens)
        internal
        pure
    {
        bytes32 given = OpenLedger.answerHashOf(salt, tokens);
        require(receipt.answerHash == given, AnotherAnswer(receipt.answerHash, given));
    }
}
