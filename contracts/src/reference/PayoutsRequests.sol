// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {PayoutsStorage, IPayoutsInternal} from "./PayoutsStorage.sol";

/// @title Payouts: requests and the payment of answers.
abstract contract PayoutsRequests is PayoutsStorage {
    function deadlineBounds() external view override returns (uint64 minimum, uint64 maximum) {
        return (_minimumDeadline, _maximumDeadline);
    }

    function platform() external view override returns (address) {
        return _platform;
    }

    function request(uint64 model, bytes32 promptHash, uint64 deadline)
        external
        payable
        override
        returns (bytes32 requestId)
    {
        // Attribution says UnknownModel by itself.
        uint256 minimum = quoted(model, 1, 1).fee;
        if (msg.value < minimum) revert FeeBelowPrice(minimum, msg.value);
        if (msg.value >= 2 ** 112) revert FeeAboveMaximum(2 ** 112 - 1, msg.value);
        uint64 earliest = now64() + _minimumDeadline;
        uint64 latest = now64() + _maximumDeadline;
        if (deadline < earliest) revert DeadlineTooSoon(earliest, deadline);
        if (deadline > latest) revert DeadlineTooFar(latest, deadline);
        attribution().checkServing(model);
        requestId = keccak256(abi.encode(block.chainid, msg.sender, model, promptHash, deadline));
        StoredRequest storage r = _requestOf[requestId];
        if (r.status != uint8(Status.None)) revert RequestExists(requestId);
        r.payer = msg.sender;
        r.model = model;
        r.status = uint8(Status.Open);
        r.deadline = deadline;
        r.createdAt = now64();
        r.maxFee = uint128(msg.value);
        r.promptHash = promptHash;
        emit Requested(requestId, model, msg.sender, promptHash, msg.value, deadline);
    }

    function known(bytes32 requestId) private view returns (StoredRequest storage r) {
        r = _requestOf[requestId];
        if (r.status == uint8(Status.None)) revert UnknownRequest(requestId);
    }

    function requestOf(bytes32 requestId) external view override returns (Request memory) {
        StoredRequest storage r = known(requestId);
        return Request(r.payer, r.model, r.deadline, r.createdAt, Status(r.status), r.maxFee, r.promptHash);
    }

    function refund(bytes32 requestId) external override {
        StoredRequest storage r = known(requestId);
        if (r.status != uint8(Status.Open)) revert RequestClosed(requestId, Status(r.status));
        if (now64() <= r.deadline) revert DeadlineNotPassed(r.deadline);
        r.status = uint8(Status.Refunded);
        emit Refunded(requestId, r.payer, r.maxFee);
        pay(r.payer, r.maxFee);
    }

    function quote(uint64 model, uint32 tokensIn, uint32 tokensOut) external view override returns (Quote memory) {
        return quoted(model, tokensIn, tokensOut);
    }

    function quoted(uint64 model, uint32 tokensIn, uint32 tokensOut) private view returns (Quote memory q) {
        IAttribution.ModelSpec memory spec = IAttribution(ATTRIBUTION).modelOf(model).spec;
        uint256 shared = uint256(tokensIn) * spec.price.perTokenIn + uint256(tokensOut) * spec.price.perTokenOut;
        uint256 ofPlatform = shared * spec.split.platform / 10_000;
        q.model = shared * spec.split.model / 10_000;
        q.stakers = shared * spec.split.stakers / 10_000;
        q.contributors = shared - ofPlatform - q.model - q.stakers;
        q.platform = ofPlatform + spec.price.platformFee;
        q.fee = shared + spec.price.platformFee;
    }

    function payAnswer(IPayoutsInternal.Answer calldata a) external onlyPrecompiles {
        StoredRequest storage r = _requestOf[a.requestId];
        r.status = uint8(Status.Settled);
        credit(_platform, a.platformWei);
        credit(a.modelOwner, a.modelWei);
        credit(a.attestor, a.stakersWei);
        for (uint256 i = 0; i < a.contributed.length; i++) {
            datanets().accrue(a.contributed[i].contribution, a.contributed[i].amount, true);
        }
        payUnattributed(a);
        uint256 refunded = r.maxFee - a.fee;
        emit Settled(
            a.requestId, r.model, r.payer, a.fee, refunded, a.platformWei, a.modelWei, a.stakersWei, a.contributorsWei
        );
        pay(r.payer, refunded);
    }

    function payUnattributed(IPayoutsInternal.Answer calldata a) private {
        uint256 all = 0;
        for (uint256 i = 0; i < a.datanets.length; i++) {
            all += datanets().version(a.datanets[i], a.versions[i]).rows;
        }
        uint256 rows = 0;
        uint256 given = 0;
        for (uint256 i = 0; i < a.datanets.length; i++) {
            rows += datanets().version(a.datanets[i], a.versions[i]).rows;
            uint256 part = a.unattributed * rows / all - given;
            if (part == 0) continue;
            given += part;
            address owner = datanets().ownerOfDatanet(a.datanets[i]);
            credit(owner, part);
            emit UnattributedCredited(a.requestId, a.datanets[i], owner, part);
        }
    }
}
