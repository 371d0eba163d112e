// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {IPayouts} from "../interfaces/IPayouts.sol";
import {IAttributionInternal, IDatanetsInternal, IPayoutsInternal} from "./Internal.sol";
import {Reference} from "./Reference.sol";

/// @title Storage of Payouts, as docs/precompiles/payouts.md has it.
abstract contract PayoutsStorage is Reference, IPayouts {
    struct StoredRequest {
        address payer;
        uint64 model;
        uint8 status;
        uint64 deadline;
        uint64 createdAt;
        uint128 maxFee;
        bytes32 promptHash;
    }

    struct StoredChannel {
        address payer;
        uint64 expiry;
        bool closed;
        address provider;
        address signer;
        uint256 deposit;
        uint256 redeemed;
    }

    struct StoredStream {
        address payer;
        uint64 start;
        bool closed;
        address to;
        uint128 weiPerSecond;
        uint256 deposit;
        uint256 drawn;
    }

    address internal _platform;
    uint64 internal _minimumDeadline;
    uint64 internal _maximumDeadline;
    mapping(bytes32 => StoredRequest) internal _requestOf;
    mapping(address => uint256) internal _creditOf;
    mapping(bytes32 => mapping(uint256 => uint256)) internal _tailClaims;
    mapping(address => uint256) internal _nonces;
    mapping(bytes32 => StoredChannel) internal _channelOf;
    mapping(bytes32 => StoredStream) internal _streamOf;

    function datanets() internal pure returns (IDatanetsInternal) {
        return IDatanetsInternal(DATANETS);
    }

    function attribution() internal pure returns (IAttributionInternal) {
        return IAttributionInternal(ATTRIBUTION);
    }

    function credit(address account, uint256 amount) internal {
        _creditOf[account] += amount;
    }
}
