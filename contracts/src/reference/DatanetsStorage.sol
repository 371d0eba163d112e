// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IDatanets} from "../interfaces/IDatanets.sol";
import {Reference} from "./Reference.sol";

/// @title Storage of Datanets, as docs/precompiles/datanets.md has it.
abstract contract DatanetsStorage is Reference, IDatanets {
    struct StoredDatanet {
        address owner;
        uint32 contributions;
        uint32 versions;
        uint32 withdrawals;
        uint64 createdAt;
        uint32 specials;
        uint8 depth;
        uint8 ancestors;
        uint8 ruleFlags;
        uint16 requiredUses;
        uint32 maxRows;
        bytes32 schemaHash;
        string domain;
        string metadataURI;
    }

    struct StoredContribution {
        address owner;
        uint64 datanet;
        uint32 rows;
        uint16 uses;
        uint64 expiry;
        uint64 priority;
        uint32 sinceVersion;
        uint8 status;
        uint8 flags;
        uint32 sets;
        bytes32 root;
        uint32 purposes;
        uint32 regions;
        uint128 fee;
        uint64 withdrawnAfter;
        uint64 tombstonedAt;
    }

    struct StoredCommitment {
        uint64 priority;
        uint64 committedBlock;
        uint256 deposit;
    }

    struct StoredVersion {
        bytes32 root;
        bytes32 clusterRoot;
        uint64 publishedAt;
        uint64 rows;
        uint32 contributions;
        uint32 clusters;
        uint16 licence;
        uint64 expiry;
        uint64 firstToExpire;
        uint64 forbidsDeriving;
        uint32 specials;
    }

    struct StoredEarner {
        uint96 accrued;
        uint40 datanet;
        uint40 receipts;
        uint32 sinceVersion;
        uint24 rows;
        uint8 flags;
    }

    struct CoOwner {
        address account;
        uint16 bps;
    }

    struct OwnerSet {
        address title;
        uint16 titleBps;
        uint8 coOwners;
        uint64 sinceReceipt;
        CoOwner[15] others;
    }

    struct StoredChallenge {
        address challenger;
        uint256 deposit;
    }

    struct StoredCluster {
        uint64 datanet;
        uint64 contribution;
        uint32 row;
        uint32 copies;
        uint8 status;
        address challenger;
        uint256 deposit;
        bytes32 evidence;
    }

    struct Copy {
        uint64 cluster;
        uint64 contribution;
        uint32 row;
    }

    struct StoredGrant {
        uint64 until;
        uint32 purposes;
        uint32 regions;
        uint16 uses;
        uint8 models;
    }

    uint256 internal _commitDeposit;
    uint64 internal _revealWindow;
    uint64 internal _datanets;
    uint64 internal _contributions;
    uint64 internal _commitments;
    mapping(uint64 => StoredDatanet) internal _datanetOf;
    mapping(uint64 => mapping(address => bool)) internal _isCurator;
    mapping(uint64 => StoredContribution) internal _contributionOf;
    mapping(address => mapping(bytes32 => StoredCommitment)) internal _commitmentOf;
    mapping(uint64 => mapping(uint32 => StoredVersion)) internal _versionOf;
    mapping(address => uint256) internal _datanetBalanceOf;
    mapping(address => uint256) internal _contributionBalanceOf;
    mapping(uint64 => uint64[2 ** 32]) internal _withdrawals;
    mapping(uint64 => mapping(uint32 => OwnerSet)) internal _ownerSets;
    mapping(uint64 => mapping(address => bool)) internal _isModerator;
    mapping(uint64 => StoredChallenge) internal _challengeOf;
    uint64 internal _clusters;
    mapping(uint64 => StoredCluster) internal _clusterOf;
    mapping(uint64 => uint96[32]) internal _copies;
    mapping(uint64 => mapping(uint32 => Copy)) internal _copyOf;
    mapping(uint64 => mapping(address => StoredGrant)) internal _grantOf;
    mapping(uint64 => mapping(address => uint64[32])) internal _grantModels;
    mapping(uint64 => uint128[16]) internal _ancestors;
    mapping(uint64 => uint64[2 ** 32]) internal _specials;
    StoredEarner[2 ** 40] internal _earnerOf;

    uint8 internal constant CLOSED = 1;
    uint8 internal constant APPROVAL_REQUIRED = 2;
    uint8 internal constant REVOCABLE_ALLOWED = 4;
    uint8 internal constant SHARE_ALIKE = 1;
    uint8 internal constant REVOCABLE = 2;
    uint8 internal constant ERASED = 1;
    uint8 internal constant HAS_COPIES = 2;
    uint32 internal constant MOST_ROWS = 16_777_215;

    /// A Datanet that exists.
    function datanetAt(uint64 datanet) internal view returns (StoredDatanet storage d) {
        d = _datanetOf[datanet];
        if (d.owner == address(0)) revert UnknownDatanet(datanet);
    }

    /// A contribution that exists.
    function contributionAt(uint64 contribution) internal view returns (StoredContribution storage c) {
        c = _contributionOf[contribution];
        if (c.owner == address(0)) revert UnknownContribution(contribution);
    }

    /// A version that exists; of a Datanet that need not.
    function versionAt(uint64 datanet, uint32 version) internal view returns (StoredVersion storage v) {
        v = _versionOf[datanet][version];
        if (v.publishedAt == 0 && v.root == 0) revert UnknownVersion(datanet, version);
    }

    function moderates(uint64 datanet, address account) internal view returns (bool) {
        address owner = _datanetOf[datanet].owner;
        return owner != address(0) && (owner == account || _isModerator[datanet][account]);
    }

    function checkModerator(uint64 datanet) internal view {
        if (!moderates(datanet, msg.sender)) revert NotModerator(datanet, msg.sender);
    }

    function checkCurator(uint64 datanet) internal view {
        if (!_isCurator[datanet][msg.sender]) revert NotCurator(datanet, msg.sender);
    }

    function checkLength(uint256 maximum, uint256 given) internal pure {
        if (given > maximum) revert TooLong(maximum, given);
    }

    function checkUses(uint16 uses) internal pure {
        if (uses & ~ALL_USES != 0) revert UnknownLicence(uses);
    }

    function checkDeposit() internal view {
        if (msg.value != _commitDeposit) revert WrongDeposit(_commitDeposit, msg.value);
    }
}
