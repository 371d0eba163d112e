// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AttributionReceipts} from "./AttributionReceipts.sol";

/// @title Attribution: challenges, as the court tells it.
abstract contract AttributionChallenges is AttributionReceipts {
    modifier onlyCourt() {
        if (msg.sender != COURT) revert NotCourt(msg.sender);
        _;
    }

    function checkReceiptStatus(bytes32 requestId, ReceiptStatus wanted)
        private
        view
        returns (StoredReceipt storage r)
    {
        r = receiptAt(requestId);
        if (r.status != uint8(wanted)) revert WrongReceiptStatus(requestId, ReceiptStatus(r.status));
    }

    function freezeReceipt(bytes32 requestId, address challenger) external payable override onlyCourt {
        StoredReceipt storage r = checkReceiptStatus(requestId, ReceiptStatus.Settled);
        uint64 end = r.settledAt + _challengeWindow;
        if (now64() >= end) revert ChallengeWindowOver(requestId, end - 1);
        if (challenger == address(0)) revert ZeroAddress();
        r.status = uint8(ReceiptStatus.Frozen);
        freeze(r.attestor, r.settledAt, r.contributorsWei);
        _challengeOf[requestId] = StoredChallenge(challenger, msg.value);
        emit ReceiptFrozen(requestId, r.attestor, challenger, r.contributorsWei, msg.value);
    }

    function resolveReceipt(bytes32 requestId, bool wrong, ClusterShare[] memory corrected) public override onlyCourt {
        StoredReceipt storage r = checkReceiptStatus(requestId, ReceiptStatus.Frozen);
        StoredChallenge storage c = _challengeOf[requestId];
        if (!wrong) {
            r.status = uint8(ReceiptStatus.Upheld);
            thaw(r.attestor, r.contributorsWei);
            emit ReceiptUpheld(requestId, r.attestor, c.stake);
            pay(address(0), c.stake);
            return;
        }
        checkShares(corrected);
        uint256 sum = ppmOf(corrected);
        if (sum > PPM) revert WrongShareSum(sum);
        for (uint256 i = 0; i < corrected.length; i++) {
            checkPlace(r.model, corrected[i]);
        }
        r.status = uint8(ReceiptStatus.Slashed);
        slash(r.attestor, r.contributorsWei);
        uint256 whole = makeWhole(requestId, corrected);
        uint256 rest = r.contributorsWei - whole;
        uint256 reward = rest * 3 / 10;
        uint256 burned = rest - reward;
        emit ReceiptSlashed(requestId, r.attestor, c.challenger, r.contributorsWei, whole, reward, burned);
        pay(PAYOUTS, whole);
        pay(c.challenger, c.stake + reward);
        pay(address(0), burned);
    }

    /// Accrues to each contribution what it was paid too little.
    function makeWhole(bytes32 requestId, ClusterShare[] memory corrected) private returns (uint256 whole) {
        uint256 held = _receiptOf[requestId].contributorsWei;
        ClusterShare[] memory given = sharesOf(requestId);
        uint256[] memory paid = amountsOf(given, held);
        uint256[] memory owed = amountsOf(corrected, held);
        uint256 i = 0;
        while (i < corrected.length) {
            uint64 contribution = corrected[i].contribution;
            uint256 due = 0;
            while (i < corrected.length && corrected[i].contribution == contribution) {
                due += owed[i];
                i++;
            }
            uint256 had = 0;
            for (uint256 k = 0; k < given.length; k++) {
                if (given[k].contribution == contribution) had += paid[k];
            }
            if (due <= had) continue;
            whole += due - had;
            emit MadeWhole(requestId, contribution, due - had);
            datanets().accrue(contribution, due - had, false);
        }
    }

    function challengeOf(bytes32 requestId) external view override returns (address challenger, uint256 stake) {
        StoredChallenge storage c = _challengeOf[requestId];
        return (c.challenger, c.stake);
    }
}
