// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IPayouts} from "../interfaces/IPayouts.sol";
import {AttributionBonds} from "./AttributionBonds.sol";
import {AttributionModels} from "./AttributionModels.sol";
import {IDatanetsInternal, IPayoutsInternal} from "./Internal.sol";

/// @title Attribution: settlement.
abstract contract AttributionReceipts is AttributionBonds, AttributionModels {
    function settle(Receipt memory receipt) public override {
        Tail memory none;
        settleReceipt(receipt, none, false);
    }

    function settleTail(Receipt memory receipt, Tail memory tail) public override {
        settleReceipt(receipt, tail, true);
    }

    function settleReceipt(Receipt memory receipt, Tail memory tail, bool withTail) private {
        IPayouts.Request memory request = checkRequest(receipt.requestId);
        checkShares(receipt.shares);
        if (withTail) {
            if (tail.root == 0 || tail.ppm == 0 || tail.leaves == 0) revert EmptyTail();
            if (tail.leaves > MOST_LEAVES) revert TooManyLeaves(MOST_LEAVES, tail.leaves);
        }
        uint256 sum = ppmOf(receipt.shares) + receipt.unattributedPpm + tail.ppm;
        if (sum != PPM) revert WrongShareSum(sum);
        IPayoutsInternal.Answer memory answer = priced(receipt, request);
        Look memory l = look(request.model, 32);
        checkStanding(request.model, l);
        keep(request.model, l);
        for (uint256 i = 0; i < receipt.shares.length; i++) {
            checkShare(request.model, receipt.shares[i]);
        }
        lock(msg.sender, answer.contributorsWei);
        uint256 tailWei = record(receipt, tail, request.model, answer);
        emit ReceiptSettled(
            receipt.requestId,
            request.model,
            msg.sender,
            receipt.answerHash,
            receipt.scoreRoot,
            receipt.unattributedPpm,
            receipt.shares
        );
        if (withTail) emit TailSettled(receipt.requestId, tail.root, tail.ppm, tail.leaves, tailWei);
        payAnswer(receipt, request.model, answer, tailWei);
    }

    function checkRequest(bytes32 requestId) private view returns (IPayouts.Request memory request) {
        // Payouts says UnknownRequest by itself.
        request = IPayouts(PAYOUTS).requestOf(requestId);
        if (request.status != IPayouts.Status.Open) revert RequestClosed(requestId, uint8(request.status));
        if (now64() > request.deadline) revert DeadlinePassed(request.deadline);
        if (!_isAttestor[request.model][msg.sender]) revert NotAttestor(request.model, msg.sender);
    }

    function checkShares(ClusterShare[] memory shares) internal pure {
        if (shares.length > MOST_SHARES) revert TooManyShares(MOST_SHARES, shares.length);
        for (uint256 i = 0; i < shares.length; i++) {
            if (shares[i].ppm == 0) revert ZeroShare(i);
            if (i == 0) continue;
            ClusterShare memory a = shares[i - 1];
            ClusterShare memory b = shares[i];
            bool above = b.contribution > a.contribution || (b.contribution == a.contribution && b.row > a.row);
            if (!above) revert SharesNotAscending(i);
        }
    }

    function ppmOf(ClusterShare[] memory shares) internal pure returns (uint256 sum) {
        for (uint256 i = 0; i < shares.length; i++) {
            sum += shares[i].ppm;
        }
    }

    function priced(Receipt memory receipt, IPayouts.Request memory request)
        private
        view
        returns (IPayoutsInternal.Answer memory answer)
    {
        StoredModel storage m = _modelOf[request.model];
        uint256 platformFee = m.platformFee;
        uint256 shared = uint256(receipt.tokensIn) * m.perTokenIn + uint256(receipt.tokensOut) * m.perTokenOut;
        answer.requestId = receipt.requestId;
        answer.fee = shared + platformFee;
        if (answer.fee > request.maxFee) revert FeeAboveMaximum(request.maxFee, answer.fee);
        uint256 platform = share(shared, m.platformBps, 10_000);
        answer.modelWei = share(shared, m.modelBps, 10_000);
        answer.stakersWei = share(shared, m.stakersBps, 10_000);
        answer.contributorsWei = shared - platform - answer.modelWei - answer.stakersWei;
        answer.platformWei = platform + platformFee;
        answer.modelOwner = m.owner;
        answer.attestor = msg.sender;
    }

    function checkShare(uint64 model, ClusterShare memory s) private view {
        IDatanetsInternal.EarnerView memory e = checkPlace(model, s);
        if (e.erased) revert Erased(s.contribution);
        if (e.hasCopies && datanets().isCopy(s.contribution, s.row)) revert NotCanonical(s.contribution, s.row);
    }

    function checkPlace(uint64 model, ClusterShare memory s)
        internal
        view
        returns (IDatanetsInternal.EarnerView memory e)
    {
        e = datanets().earner(s.contribution);
        if (e.rows == 0) revert UnknownContribution(s.contribution);
        if (!isIn(e, model)) revert NotInModel(s.contribution, model);
        if (s.row >= e.rows) revert RowOutOfRange(s.contribution, s.row);
    }

    function record(Receipt memory receipt, Tail memory tail, uint64 model, IPayoutsInternal.Answer memory answer)
        private
        returns (uint256 tailWei)
    {
        uint256 inlinePpm = ppmOf(receipt.shares);
        uint256 whole = answer.contributorsWei;
        tailWei = share(whole, inlinePpm + tail.ppm, PPM) - share(whole, inlinePpm, PPM);
        _receipts += 1;
        StoredReceipt storage r = _receiptOf[receipt.requestId];
        r.model = model;
        r.attestor = msg.sender;
        r.tokensIn = receipt.tokensIn;
        r.settledAt = uint40(block.timestamp);
        r.blockNumber = uint40(block.number);
        r.number = uint40(_receipts);
        r.shares = uint16(receipt.shares.length);
        r.unattributedPpm = uint24(receipt.unattributedPpm);
        r.tailPpm = uint24(tail.ppm);
        r.status = uint8(ReceiptStatus.Settled);
        r.answerHash = receipt.answerHash;
        r.scoreRoot = receipt.scoreRoot;
        r.fee = uint112(answer.fee);
        r.contributorsWei = uint112(whole);
        r.tokensOut = receipt.tokensOut;
        storeShares(r, receipt.requestId, receipt.shares);
        if (tail.leaves != 0) _tailOf[receipt.requestId] = StoredTail(tail.root, uint112(tailWei), 0, tail.leaves);
        StoredModel storage m = _modelOf[model];
        _receiptsOfModel[model][m.receipts] = receipt.requestId;
        m.receipts += 1;
    }

    function bits(uint256 x) private pure returns (uint8 n) {
        while (x != 0) {
            x >>= 1;
            n++;
        }
    }

    function storeShares(StoredReceipt storage r, bytes32 requestId, ClusterShare[] memory shares) private {
        if (shares.length == 0) return;
        uint64 base = shares[0].contribution;
        uint256 furthest = 0;
        uint256 row = 0;
        uint256 ppm = 0;
        for (uint256 i = 0; i < shares.length; i++) {
            furthest = shares[i].contribution - base;
            if (shares[i].row > row) row = shares[i].row;
            if (shares[i].ppm > ppm) ppm = shares[i].ppm;
        }
        r.base = uint40(base);
        r.contributionBits = bits(furthest);
        r.rowBits = bits(row);
        r.ppmBits = bits(ppm);
        uint256 width = uint256(r.contributionBits) + r.rowBits + r.ppmBits;
        uint256 perWord = 256 / width;
        for (uint256 i = 0; i < shares.length; i++) {
            uint256 packed = uint256(shares[i].contribution - base) | uint256(shares[i].row) << r.contributionBits
                | uint256(shares[i].ppm) << (r.contributionBits + r.rowBits);
            _shares[requestId][i / perWord] |= packed << (i % perWord * width);
        }
    }

    /// The inline shares of a receipt.
    function sharesOf(bytes32 requestId) internal view returns (ClusterShare[] memory shares) {
        StoredReceipt storage r = _receiptOf[requestId];
        shares = new ClusterShare[](r.shares);
        uint256 width = uint256(r.contributionBits) + r.rowBits + r.ppmBits;
        for (uint256 i = 0; i < shares.length; i++) {
            uint256 perWord = 256 / width;
            uint256 packed = _shares[requestId][i / perWord] >> (i % perWord * width);
            shares[i].contribution = r.base + uint64(packed & (2 ** r.contributionBits - 1));
            packed >>= r.contributionBits;
            shares[i].row = uint32(packed & (2 ** r.rowBits - 1));
            packed >>= r.rowBits;
            shares[i].ppm = uint32(packed & (2 ** r.ppmBits - 1));
        }
    }

    /// Wei of each share of `whole`, in order.
    function amountsOf(ClusterShare[] memory shares, uint256 whole) internal pure returns (uint256[] memory amounts) {
        amounts = new uint256[](shares.length);
        uint256 ppm = 0;
        for (uint256 i = 0; i < shares.length; i++) {
            amounts[i] = share(whole, ppm + shares[i].ppm, PPM) - share(whole, ppm, PPM);
            ppm += shares[i].ppm;
        }
    }

    function payAnswer(Receipt memory receipt, uint64 model, IPayoutsInternal.Answer memory answer, uint256 tailWei)
        private
    {
        uint256[] memory amounts = amountsOf(receipt.shares, answer.contributorsWei);
        answer.unattributed = answer.contributorsWei - tailWei;
        IPayoutsInternal.Contributed[] memory all = new IPayoutsInternal.Contributed[](amounts.length);
        uint256 count = 0;
        for (uint256 i = 0; i < amounts.length; i++) {
            uint64 contribution = receipt.shares[i].contribution;
            if (count == 0 || all[count - 1].contribution != contribution) {
                all[count].contribution = contribution;
                count += 1;
            }
            all[count - 1].amount += amounts[i];
            answer.unattributed -= amounts[i];
        }
        answer.contributed = new IPayoutsInternal.Contributed[](count);
        for (uint256 i = 0; i < count; i++) {
            answer.contributed[i] = all[i];
        }
        DatasetRef[] memory datasets = datasetsOf(model);
        answer.datanets = new uint64[](datasets.length);
        answer.versions = new uint32[](datasets.length);
        for (uint256 i = 0; i < datasets.length; i++) {
            (answer.datanets[i], answer.versions[i]) = (datasets[i].datanet, datasets[i].version);
        }
        IPayoutsInternal(PAYOUTS).payAnswer(answer);
    }
}
