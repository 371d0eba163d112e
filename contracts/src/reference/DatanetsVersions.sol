// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DatanetsStorage} from "./DatanetsStorage.sol";

/// @title Datanets: versions.
abstract contract DatanetsVersions is DatanetsStorage {
    function publishVersion(uint64 datanet, uint64[] memory contributions, bytes32 clusterRoot, uint32 clusters)
        public
        override
        returns (uint32 version)
    {
        StoredDatanet storage d = datanetAt(datanet);
        checkCurator(datanet);
        checkLength(256, contributions.length);
        if (d.versions == 0 && contributions.length == 0) revert NoRows();
        for (uint256 i = 0; i < contributions.length; i++) {
            checkAddable(datanet, contributions[i]);
        }
        version = d.versions + 1;
        checkDistinct(contributions, version);

        StoredVersion memory v = _versionOf[datanet][d.versions];
        if (d.versions == 0) v.licence = ALL_USES;
        bytes memory hashed = abi.encodePacked(v.root);
        for (uint256 i = 0; i < contributions.length; i++) {
            uint64 number = contributions[i];
            addTo(v, number);
            hashed = abi.encodePacked(hashed, _contributionOf[number].root);
            if (isSpecial(_contributionOf[number])) {
                _specials[datanet][d.specials] = number;
                d.specials += 1;
            }
            _contributionOf[number].sinceVersion = version;
            _earnerOf[number].sinceVersion = version;
        }
        v.root = keccak256(abi.encodePacked(hashed, clusterRoot));
        v.clusterRoot = clusterRoot;
        v.publishedAt = now64();
        v.clusters = clusters;
        v.specials = d.specials;
        d.versions = version;
        _versionOf[datanet][version] = v;
        emit VersionPublished(datanet, version, v.root, clusterRoot, clusters, contributions);
    }

    function checkAddable(uint64 datanet, uint64 contribution) private view {
        StoredContribution storage c = contributionAt(contribution);
        if (c.datanet != datanet) revert WrongDatanet(contribution, datanet);
        if (c.sinceVersion != 0) revert AlreadyVersioned(contribution, c.sinceVersion);
        ContributionStatus status = ContributionStatus(c.status);
        bool approvalRequired = _datanetOf[datanet].ruleFlags & APPROVAL_REQUIRED != 0;
        bool good = status == ContributionStatus.Approved || (status == ContributionStatus.Pending && !approvalRequired);
        if (!good) revert WrongStatus(contribution, status);
        if (c.expiry != 0 && now64() > c.expiry) revert LicenceExpired(contribution, c.expiry);
    }

    /// Names the smallest that is given twice.
    function checkDistinct(uint64[] memory contributions, uint32 version) private pure {
        uint64 smallest = 0;
        for (uint256 i = 0; i < contributions.length; i++) {
            for (uint256 j = 0; j < i; j++) {
                bool twice = contributions[i] == contributions[j];
                if (twice && (smallest == 0 || contributions[i] < smallest)) smallest = contributions[i];
            }
        }
        if (smallest != 0) revert AlreadyVersioned(smallest, version);
    }

    function addTo(StoredVersion memory v, uint64 number) private view {
        StoredContribution storage c = _contributionOf[number];
        uint16 uses = c.fee > 0 ? 0 : c.uses;
        v.rows += c.rows;
        v.contributions += 1;
        v.licence &= uses;
        if (uses & DERIVE == 0 && v.forbidsDeriving == 0) v.forbidsDeriving = number;
        if (c.expiry != 0 && (v.expiry == 0 || v.expiry > c.expiry)) {
            v.expiry = c.expiry;
            v.firstToExpire = number;
        }
    }

    function isSpecial(StoredContribution storage c) private view returns (bool) {
        bool limited = c.uses & TRAIN == 0 || c.uses & SERVE == 0;
        return limited || c.fee != 0 || c.purposes != 0 || c.regions != 0 || c.flags & SHARE_ALIKE != 0;
    }

    function versionOf(uint64 datanet, uint32 version) external view override returns (Version memory) {
        StoredVersion storage v = versionAt(datanet, version);
        return Version(v.root, v.clusterRoot, v.publishedAt, v.rows, v.contributions, v.clusters, v.licence, v.expiry);
    }
}
