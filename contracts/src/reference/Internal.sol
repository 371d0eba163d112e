// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title What the three reference contracts ask of each other; nobody else may.

interface IDatanetsInternal {
    /// One slot that says all of a contribution that a settlement must know; rows are 0 where there is none.
    struct EarnerView {
        uint96 accrued;
        uint64 datanet;
        uint64 receipts;
        uint32 sinceVersion;
        uint32 rows;
        bool erased;
        bool hasCopies;
    }

    struct VersionView {
        bool exists;
        uint32 specials;
        uint64 rows;
        uint64 expiry;
        uint64 firstToExpire;
        bytes32 root;
    }

    function earner(uint64 contribution) external view returns (EarnerView memory);
    function version(uint64 datanet, uint32 number) external view returns (VersionView memory);
    function ownerOfDatanet(uint64 datanet) external view returns (address);
    function special(uint64 datanet, uint32 index) external view returns (uint64 contribution);
    function withdrawalsOf(uint64 datanet) external view returns (uint32);
    function withdrawal(uint64 datanet, uint32 index) external view returns (uint64 contribution);
    function isCopy(uint64 contribution, uint32 row) external view returns (bool);
    function permitted(uint64 contribution, uint16 use, uint32 purposes, uint32 regions, bool shareAlike)
        external
        view
        returns (bool open, uint64 until);
    function granted(uint64 contribution, address account, uint16 use, uint32 purposes, uint32 regions)
        external
        view
        returns (bool holds, uint64 until);

    function relyOnGrant(uint64 contribution, address grantee, uint64 model) external;
    /// `counted` where a receipt paid it.
    function accrue(uint64 contribution, uint256 amount, bool counted) external;
    function drawEarner(uint64 contribution) external returns (uint256 amount);
}

interface IAttributionInternal {
    function receipts() external view returns (uint64);
    function purposesOf(uint64 model) external view returns (uint32);
    function limit(uint64 model, uint64 last, uint64 contribution) external;
    /// What a request must know of a model: reverts where it may not serve.
    function checkServing(uint64 model) external view;
    function isInModel(uint64 contribution, uint64 model) external view returns (bool);
    function addClaimed(bytes32 requestId, uint256 amount) external;
}

interface IPayoutsInternal {
    struct Contributed {
        uint64 contribution;
        uint256 amount;
    }

    struct Answer {
        bytes32 requestId;
        uint256 fee;
        uint256 platformWei;
        uint256 modelWei;
        uint256 stakersWei;
        uint256 contributorsWei;
        address modelOwner;
        address attestor;
        /// Ascending, each contribution once.
        Contributed[] contributed;
        uint256 unattributed;
        uint64[] datanets;
        uint32[] versions;
    }

    function creditDrawn(uint64 contribution, address account, uint256 amount) external;
    function payAnswer(Answer calldata answer) external;
}
