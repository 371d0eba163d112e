// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DatanetsContributions} from "./DatanetsContributions.sol";

/// @title Datanets: near-duplicate rows.
abstract contract DatanetsClusters is DatanetsContributions {
    function checkRow(RowRef memory r) private view returns (StoredContribution storage c) {
        c = contributionAt(r.contribution);
        checkInRange(c, r);
    }

    function checkInRange(StoredContribution storage c, RowRef memory r) private view {
        if (r.row >= c.rows) revert RowOutOfRange(r.contribution, r.row);
    }

    function checkNoCopy(RowRef memory r) private view {
        uint64 cluster = _copyOf[r.contribution][r.row].cluster;
        if (cluster != 0) revert AlreadyMerged(r.contribution, r.row, cluster);
    }

    function recordCluster(uint64 datanet, RowRef memory canonical, RowRef[] memory copies, bytes32 evidence)
        public
        override
        returns (uint64 cluster)
    {
        datanetAt(datanet);
        checkCurator(datanet);
        if (copies.length == 0) revert NoCopies();
        if (copies.length > 32) revert TooManyCopies(32, copies.length);
        uint64 first = checkRow(canonical).priority;
        checkNoCopy(canonical);
        cluster = _clusters + 1;
        for (uint256 i = 0; i < copies.length; i++) {
            RowRef memory r = copies[i];
            StoredContribution storage c = contributionAt(r.contribution);
            if (c.datanet != datanet) revert WrongDatanet(r.contribution, datanet);
            checkInRange(c, r);
            bool later = c.priority > first || (c.priority == first && r.row > canonical.row);
            if (!later) revert NotLater(r.contribution, r.row);
            // One that stands earlier in the list is a copy already: of this cluster.
            checkNoCopy(r);
            _copyOf[r.contribution][r.row] = Copy(cluster, canonical.contribution, canonical.row);
            _copies[cluster][i] = uint96(r.contribution) | uint96(r.row) << 64;
            _earnerOf[r.contribution].flags |= HAS_COPIES;
        }
        _clusters = cluster;
        StoredCluster storage s = _clusterOf[cluster];
        s.datanet = datanet;
        s.contribution = canonical.contribution;
        s.row = canonical.row;
        s.copies = uint32(copies.length);
        s.status = uint8(ClusterStatus.Recorded);
        s.evidence = evidence;
        emit ClusterRecorded(cluster, datanet, canonical, copies, evidence);
    }

    function clusterAt(uint64 cluster) private view returns (StoredCluster storage s) {
        s = _clusterOf[cluster];
        if (s.status == uint8(ClusterStatus.None)) revert UnknownCluster(cluster);
    }

    function checkClusterStatus(uint64 cluster, ClusterStatus wanted) private view {
        ClusterStatus status = ClusterStatus(_clusterOf[cluster].status);
        if (status != wanted) revert WrongClusterStatus(cluster, status);
    }

    function challengeCluster(uint64 cluster, bytes32 evidence) external payable override {
        StoredCluster storage s = clusterAt(cluster);
        checkDeposit();
        checkClusterStatus(cluster, ClusterStatus.Recorded);
        s.status = uint8(ClusterStatus.Challenged);
        s.challenger = msg.sender;
        s.deposit = msg.value;
        emit ClusterChallenged(cluster, msg.sender, msg.value, evidence);
    }

    function resolveCluster(uint64 cluster, bool upheld) external override {
        StoredCluster storage s = clusterAt(cluster);
        checkModerator(s.datanet);
        checkClusterStatus(cluster, ClusterStatus.Challenged);
        address to = upheld ? s.challenger : platformAccount();
        uint256 deposit = s.deposit;
        s.status = uint8(upheld ? ClusterStatus.Dissolved : ClusterStatus.Recorded);
        s.challenger = address(0);
        s.deposit = 0;
        for (uint256 i = 0; upheld && i < s.copies; i++) {
            uint96 r = _copies[cluster][i];
            delete _copyOf[uint64(r)][uint32(r >> 64)];
        }
        emit ClusterResolved(cluster, upheld, to, deposit);
        pay(to, deposit);
    }

    function clusterOf(uint64 cluster) external view override returns (Cluster memory) {
        StoredCluster storage s = clusterAt(cluster);
        return Cluster(
            s.datanet, s.contribution, s.row, s.copies, ClusterStatus(s.status), s.challenger, s.deposit, s.evidence
        );
    }

    function clusterCount() external view override returns (uint64) {
        return _clusters;
    }

    function canonicalOf(uint64 contribution, uint32 row)
        external
        view
        override
        returns (RowRef memory canonical, uint64 cluster)
    {
        canonical = RowRef(contribution, row);
        checkRow(canonical);
        cluster = _copyOf[contribution][row].cluster;
        for (uint256 i = 0; i < 8; i++) {
            Copy storage c = _copyOf[canonical.contribution][canonical.row];
            if (c.cluster == 0) break;
            canonical = RowRef(c.contribution, c.row);
        }
    }
}
