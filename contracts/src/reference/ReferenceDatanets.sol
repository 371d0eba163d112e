// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DatanetsClusters} from "./DatanetsClusters.sol";
import {DatanetsGrants} from "./DatanetsGrants.sol";
import {DatanetsRegistry} from "./DatanetsRegistry.sol";
import {DatanetsVersions} from "./DatanetsVersions.sol";
import {IDatanetsInternal} from "./Internal.sol";

/// @title Datanets in plain Solidity: docs/precompiles/datanets.md.
contract ReferenceDatanets is DatanetsRegistry, DatanetsVersions, DatanetsClusters, DatanetsGrants {
    function LICENCE_TRAIN() external pure override returns (uint16) {
        return TRAIN;
    }

    function LICENCE_SERVE() external pure override returns (uint16) {
        return SERVE;
    }

    function LICENCE_RESELL() external pure override returns (uint16) {
        return RESELL;
    }

    function LICENCE_DERIVE() external pure override returns (uint16) {
        return DERIVE;
    }

    function PURPOSE_COMMERCIAL() external pure override returns (uint32) {
        return 1;
    }

    function PURPOSE_RESEARCH() external pure override returns (uint32) {
        return 2;
    }

    function PURPOSE_EDUCATION() external pure override returns (uint32) {
        return 4;
    }

    function PURPOSE_PUBLIC_SECTOR() external pure override returns (uint32) {
        return 8;
    }

    function PURPOSE_MEDICAL() external pure override returns (uint32) {
        return 16;
    }

    function PURPOSE_PERSONAL() external pure override returns (uint32) {
        return 32;
    }

    function MAX_ROWS() external pure override returns (uint32) {
        return MOST_ROWS;
    }

    // ── For the other two ──────────────────────────────────────────────────────────────────────────────────────────

    function earner(uint64 contribution) external view returns (IDatanetsInternal.EarnerView memory none) {
        if (contribution >= _earnerOf.length) return none;
        StoredEarner storage e = _earnerOf[contribution];
        return IDatanetsInternal.EarnerView(
            e.accrued, e.datanet, e.receipts, e.sinceVersion, e.rows, e.flags & ERASED != 0, e.flags & HAS_COPIES != 0
        );
    }

    function version(uint64 datanet, uint32 number) external view returns (IDatanetsInternal.VersionView memory) {
        StoredVersion storage v = _versionOf[datanet][number];
        bool exists = v.publishedAt != 0 || v.root != 0;
        return IDatanetsInternal.VersionView(exists, v.specials, v.rows, v.expiry, v.firstToExpire, v.root);
    }

    function ownerOfDatanet(uint64 datanet) external view returns (address) {
        return _datanetOf[datanet].owner;
    }

    function special(uint64 datanet, uint32 index) external view returns (uint64) {
        return _specials[datanet][index];
    }

    function withdrawalsOf(uint64 datanet) external view returns (uint32) {
        return _datanetOf[datanet].withdrawals;
    }

    function withdrawal(uint64 datanet, uint32 index) external view returns (uint64) {
        return _withdrawals[datanet][index];
    }

    function isCopy(uint64 contribution, uint32 row) external view returns (bool) {
        return _copyOf[contribution][row].cluster != 0;
    }

    function permitted(uint64 contribution, uint16 use, uint32 purposes, uint32 regions, bool shareAlike)
        external
        view
        returns (bool, uint64)
    {
        return isOpen(contribution, use, purposes, regions, shareAlike);
    }

    function granted(uint64 contribution, address account, uint16 use, uint32 purposes, uint32 regions)
        external
        view
        returns (bool, uint64)
    {
        return isGranted(contribution, account, use, purposes, regions);
    }

    function relyOnGrant(uint64 contribution, address grantee, uint64 model) external onlyPrecompiles {
        StoredGrant storage g = _grantOf[contribution][grantee];
        _grantModels[contribution][grantee][g.models] = model;
        g.models += 1;
    }
}
