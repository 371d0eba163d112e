// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IDatanets} from "../interfaces/IDatanets.sol";
import {AttributionChallenges} from "./AttributionChallenges.sol";

/// @title Attribution in plain Solidity: docs/precompiles/attribution.md.
contract ReferenceAttribution is AttributionChallenges {
    function MAX_INLINE_SHARES() external pure override returns (uint256) {
        return MOST_SHARES;
    }

    function MAX_TAIL_LEAVES() external pure override returns (uint256) {
        return MOST_LEAVES;
    }

    function receipts() external view returns (uint64) {
        return _receipts;
    }

    function receiptCount() external view override returns (uint64) {
        return _receipts;
    }

    function receiptOf(bytes32 requestId) external view override returns (ReceiptInfo memory shown) {
        StoredReceipt storage r = receiptAt(requestId);
        shown.model = r.model;
        shown.attestor = r.attestor;
        shown.settledAt = r.settledAt;
        shown.blockNumber = r.blockNumber;
        shown.shareCount = r.shares;
        shown.unattributedPpm = r.unattributedPpm;
        shown.tokensIn = r.tokensIn;
        shown.tokensOut = r.tokensOut;
        shown.answerHash = r.answerHash;
        shown.scoreRoot = r.scoreRoot;
        shown.fee = r.fee;
        shown.contributorsWei = r.contributorsWei;
        shown.number = r.number;
        shown.tailPpm = r.tailPpm;
        shown.status = ReceiptStatus(r.status);
    }

    function tailOf(bytes32 requestId) external view override returns (TailInfo memory) {
        receiptAt(requestId);
        StoredTail storage t = _tailOf[requestId];
        if (t.root == 0) revert UnknownTail(requestId);
        return TailInfo(t.root, t.leaves, t.amount, t.claimed);
    }

    /// For Payouts: `amount` more of a tail is claimed.
    function addClaimed(bytes32 requestId, uint256 amount) external onlyPrecompiles {
        _tailOf[requestId].claimed += uint112(amount);
    }

    function lineageOf(bytes32 requestId, uint256 offset, uint256 limit)
        external
        view
        override
        returns (Lineage memory shown)
    {
        StoredReceipt storage r = receiptAt(requestId);
        StoredModel storage m = _modelOf[r.model];
        shown.answerHash = r.answerHash;
        shown.model = r.model;
        shown.adapterHash = m.adapterHash;
        shown.datasets = datasetsOf(r.model);
        shown.datasetRoots = new bytes32[](shown.datasets.length);
        for (uint256 i = 0; i < shown.datasets.length; i++) {
            shown.datasetRoots[i] = datanets().version(shown.datasets[i].datanet, shown.datasets[i].version).root;
        }
        ClusterShare[] memory shares = sharesOf(requestId);
        shown.total = shares.length;
        uint256 start = min(offset, shares.length);
        uint256 count = min(min(limit, 256), shares.length - start);
        shown.entries = new LineageEntry[](count);
        for (uint256 i = 0; i < count; i++) {
            ClusterShare memory s = shares[start + i];
            IDatanets.Contribution memory c = IDatanets(DATANETS).contributionOf(s.contribution);
            shown.entries[i] = LineageEntry(s.contribution, s.row, s.ppm, c.datanet, c.owner, c.root);
        }
    }

    function receiptsOfModel(uint64 model, uint256 offset, uint256 limit)
        external
        view
        override
        returns (uint256 total, bytes32[] memory requestIds)
    {
        total = modelAt(model).receipts;
        uint256 start = min(offset, total);
        requestIds = new bytes32[](min(min(limit, 256), total - start));
        for (uint256 i = 0; i < requestIds.length; i++) {
            requestIds[i] = _receiptsOfModel[model][uint64(start + i)];
        }
    }

    function historyOf(uint64 contribution, uint64 model, uint64 before, uint256 limit)
        external
        view
        override
        returns (HistoryEntry[] memory entries, uint64 next)
    {
        // Datanets says UnknownContribution by itself.
        IDatanets(DATANETS).contributionOf(contribution);
        uint64 all = modelAt(model).receipts;
        uint64 end = before == 0 || before > all ? all : before;
        uint64 looked = uint64(min(min(limit, 64), end));
        next = end - looked;
        HistoryEntry[] memory found = new HistoryEntry[](uint256(looked) * 256);
        uint256 count = 0;
        for (uint64 i = end; i > next; i--) {
            bytes32 requestId = _receiptsOfModel[model][i - 1];
            ClusterShare[] memory shares = sharesOf(requestId);
            uint256[] memory amounts = amountsOf(shares, _receiptOf[requestId].contributorsWei);
            for (uint256 k = 0; k < shares.length; k++) {
                if (shares[k].contribution != contribution) continue;
                found[count++] = HistoryEntry(requestId, shares[k].row, shares[k].ppm, amounts[k]);
            }
        }
        entries = new HistoryEntry[](count);
        for (uint256 i = 0; i < count; i++) {
            entries[i] = found[i];
        }
    }
}
