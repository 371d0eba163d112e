// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, PAYOUTS} from "../OpenLedger.sol";
import {IPayouts} from "../interfaces/IPayouts.sol";

/// @title Requests
/// @notice For contracts that pay for answers: ask with a maximum fee and a deadline, then learn what came back.
/// @dev Escrow, refund and change are paid to the contract that asked, without running its code: nothing happens in its
/// `receive` when they come. Each function says which precompile calls it makes.
library Requests {
    enum Outcome {
        /// No contract of this chain asked so.
        Unknown,
        /// In escrow, and in time.
        Waiting,
        /// In escrow, and too late to be answered: anyone may send it back.
        Expired,
        /// Answered; what the answer did not cost is back.
        Answered,
        /// Sent back whole.
        Refunded
    }

    /// Neither answered nor expired; it is one of them after `deadline` at the latest.
    error StillWaiting(bytes32 requestId, uint64 deadline);

    /// @notice Escrows `maxFee` wei of the calling contract for an answer that settles within so many seconds.
    /// @dev One call. Reverts as `IPayouts.request` does: `UnknownModel`, `FeeBelowPrice`, `DeadlineTooSoon`,
    /// `DeadlineTooFar`, `LicenceForbids`, `RefreshNeeded`, `RequestExists`.
    /// @param promptHash `OpenLedger.promptHashOf`; a salt of its own for every request keeps the names apart.
    function ask(uint64 model, bytes32 promptHash, uint256 maxFee, uint64 withinSeconds)
        internal
        returns (bytes32 requestId, uint64 deadline)
    {
        deadline = uint64(block.timestamp) + withinSeconds;
        requestId = PAYOUTS.request{value: maxFee}(model, promptHash, deadline);
    }

    /// @notice Wei that an answer of so many tokens costs: a maximum fee for `ask`. One call.
    function priceOf(uint64 model, uint32 tokensIn, uint32 tokensOut) internal view returns (uint256) {
        return PAYOUTS.quote(model, tokensIn, tokensOut).fee;
    }

    /// @notice What became of a request. One call; never reverts for a name that nothing has.
    function outcomeOf(bytes32 requestId) internal view returns (Outcome) {
        try PAYOUTS.requestOf(requestId) returns (IPayouts.Request memory request) {
            return _outcome(request);
        } catch (bytes memory reason) {
            bool unknown = reason.length >= 4 && bytes4(reason) == IPayouts.UnknownRequest.selector;
            if (unknown) return Outcome.Unknown;
            assembly ("memory-safe") {
                revert(add(reason, 0x20), mload(reason))
            }
        }
    }

    /// @notice Wei that came back to the payer: what the answer did not cost, or all where none came in time. Sends an
    /// expired escrow back first, if nobody has.
    /// @dev Two calls. It says the same each time: remember that it was asked. Reverts with `StillWaiting`, and with
    /// `UnknownRequest`.
    function settleUp(bytes32 requestId) internal returns (uint256 returned) {
        IPayouts.Request memory request = PAYOUTS.requestOf(requestId);
        Outcome outcome = _outcome(request);
        require(outcome != Outcome.Waiting, StillWaiting(requestId, request.deadline));
        if (outcome == Outcome.Expired) PAYOUTS.refund(requestId);
        returned = request.maxFee;
        if (outcome == Outcome.Answered) returned -= ATTRIBUTION.receiptOf(requestId).fee;
    }

    function _outcome(IPayouts.Request memory request) private view returns (Outcome) {
        if (request.status == IPayouts.Status.Settled) return Outcome.Answered;
        if (request.status == IPayouts.Status.Refunded) return Outcome.Refunded;
        return block.timestamp > request.deadline ? Outcome.Expired : Outcome.Waiting;
    }
}
