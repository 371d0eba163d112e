// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanetsInternal} from "./Internal.sol";
import {Reference} from "./Reference.sol";

/// @title Storage of Attribution, as docs/precompiles/attribution.md has it.
abstract contract AttributionStorage is Reference, IAttribution {
    struct StoredModel {
        address owner;
        uint64 registeredAt;
        uint32 bandPpm;
        uint64 receipts;
        uint16 platformBps;
        uint16 modelBps;
        uint16 stakersBps;
        uint8 datasets;
        uint8 depth;
        uint64 validUntil;
        uint64 endedBy;
        bytes32 base;
        bytes32 adapterHash;
        bytes32 trainingHash;
        bytes32 method;
        uint128 perTokenIn;
        uint128 perTokenOut;
        uint128 platformFee;
        uint32 purposes;
        uint32 regions;
        string metadataURI;
        bytes32 dataOrderSeed;
        bytes32 hyperParameters;
        bytes32 checkpointRoot;
        uint64[8] parents;
        int32 ldsPpm;
        uint32 errorPpm;
        uint32 samples;
        uint64 publishedAt;
        bytes32 evidence;
    }

    struct StoredBond {
        uint128 total;
        uint128 locked;
        uint128 frozen;
        uint64 first;
        uint64 last;
    }

    struct StoredReceipt {
        uint64 model;
        address attestor;
        uint32 tokensIn;
        uint40 settledAt;
        uint40 blockNumber;
        uint40 number;
        uint40 base;
        uint16 shares;
        uint24 unattributedPpm;
        uint24 tailPpm;
        uint8 status;
        uint8 contributionBits;
        uint8 rowBits;
        uint8 ppmBits;
        bytes32 answerHash;
        bytes32 scoreRoot;
        uint112 fee;
        uint112 contributorsWei;
        uint32 tokensOut;
    }

    struct StoredTail {
        bytes32 root;
        uint112 amount;
        uint112 claimed;
        uint32 leaves;
    }

    struct StoredChallenge {
        address challenger;
        uint256 stake;
    }

    uint64 internal _challengeWindow;
    uint64 internal _models;
    uint64 internal _receipts;
    mapping(uint64 => StoredModel) internal _modelOf;
    mapping(uint64 => mapping(address => bool)) internal _isAttestor;
    mapping(address => StoredBond) internal _bondOf;
    mapping(address => uint256[32]) internal _locks;
    mapping(bytes32 => StoredReceipt) internal _receiptOf;
    mapping(bytes32 => uint256[2 ** 32]) internal _shares;
    mapping(uint64 => uint128[16]) internal _datasets;
    mapping(uint64 => mapping(uint64 => bytes32)) internal _receiptsOfModel;
    mapping(bytes32 => StoredTail) internal _tailOf;
    mapping(bytes32 => StoredChallenge) internal _challengeOf;

    uint8 internal constant SHARE_ALIKE_BIT = 0x80;
    uint256 internal constant MOST_SHARES = 256;
    uint256 internal constant MOST_LEAVES = 2 ** 20;

    function datanets() internal pure returns (IDatanetsInternal) {
        return IDatanetsInternal(DATANETS);
    }

    /// A model that exists.
    function modelAt(uint64 model) internal view returns (StoredModel storage m) {
        m = _modelOf[model];
        if (m.owner == address(0)) revert UnknownModel(model);
    }

    /// A receipt that exists.
    function receiptAt(bytes32 requestId) internal view returns (StoredReceipt storage r) {
        r = _receiptOf[requestId];
        if (r.settledAt == 0) revert UnknownReceipt(requestId);
    }

    /// Datanet, version, and how many of the Datanet's withdrawals the model has looked at.
    function datasetAt(uint64 model, uint256 i) internal view returns (uint64 datanet, uint32 version, uint32 checked) {
        uint128 d = _datasets[model][i];
        return (uint64(d), uint32(d >> 64), uint32(d >> 96));
    }

    /// The version of a Datanet that the model has; 0 where it has none.
    function versionIn(uint64 model, uint64 datanet) internal view returns (uint32) {
        for (uint256 i = 0; i < _modelOf[model].datasets; i++) {
            (uint64 d, uint32 version,) = datasetAt(model, i);
            if (d == datanet) return version;
        }
        return 0;
    }

    /// Part of `whole` by the first `weight` of `all`.
    function share(uint256 whole, uint256 weight, uint256 all) internal pure returns (uint256) {
        return whole * weight / all;
    }
}
