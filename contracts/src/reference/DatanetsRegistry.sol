// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {DatanetsStorage} from "./DatanetsStorage.sol";

/// @title Datanets: creation, ancestors, rules, roles.
abstract contract DatanetsRegistry is DatanetsStorage {
    function createDatanet(bytes32 schemaHash, string memory domain, string memory metadataURI)
        public
        override
        returns (uint64 datanet)
    {
        checkText(domain);
        checkText(metadataURI);
        Rules memory none;
        return create(schemaHash, domain, metadataURI, none, new DatanetVersion[](0));
    }

    function createDatanetWith(
        bytes32 schemaHash,
        string memory domain,
        string memory metadataURI,
        Rules memory rules,
        DatanetVersion[] memory parents
    ) public override returns (uint64 datanet) {
        checkText(domain);
        checkText(metadataURI);
        datanet = create(schemaHash, domain, metadataURI, rules, parents);
        emit RulesSet(datanet, rules);
        for (uint256 i = 0; i < parents.length; i++) {
            emit ParentAdded(datanet, parents[i].datanet, parents[i].version);
        }
    }

    function create(
        bytes32 schemaHash,
        string memory domain,
        string memory metadataURI,
        Rules memory rules,
        DatanetVersion[] memory parents
    ) private returns (uint64 datanet) {
        checkLength(64, bytes(domain).length);
        checkLength(256, bytes(metadataURI).length);
        checkRules(rules);
        if (parents.length > 4) revert TooManyParents(4, parents.length);
        datanet = _datanets + 1;
        for (uint256 i = 0; i < parents.length; i++) {
            checkParent(datanet, parents, i);
        }
        uint8 depth = depthUnder(parents);
        (uint128[] memory found, uint256 count) = ancestorsUnder(parents);

        _datanets = datanet;
        StoredDatanet storage d = _datanetOf[datanet];
        d.owner = msg.sender;
        d.createdAt = now64();
        d.depth = depth;
        d.ancestors = uint8(count);
        d.schemaHash = schemaHash;
        d.domain = domain;
        d.metadataURI = metadataURI;
        storeRules(d, rules);
        for (uint256 i = 0; i < count; i++) {
            _ancestors[datanet][i] = found[i];
        }
        _datanetBalanceOf[msg.sender] += 1;
        _isCurator[datanet][msg.sender] = true;
        emit DatanetCreated(datanet, msg.sender, schemaHash, domain, metadataURI);
        emit CuratorSet(datanet, msg.sender, true);
    }

    function checkRules(Rules memory rules) private pure {
        checkUses(rules.requiredUses);
        if (rules.maxRows > MOST_ROWS) revert TooManyRows(MOST_ROWS, rules.maxRows);
    }

    function storeRules(StoredDatanet storage d, Rules memory rules) private {
        d.ruleFlags = (rules.closed ? CLOSED : 0) | (rules.approvalRequired ? APPROVAL_REQUIRED : 0)
            | (rules.revocableAllowed ? REVOCABLE_ALLOWED : 0);
        d.requiredUses = rules.requiredUses;
        d.maxRows = rules.maxRows;
    }

    function checkParent(uint64 datanet, DatanetVersion[] memory parents, uint256 i) private view {
        uint64 parent = parents[i].datanet;
        if (parent >= datanet) revert ParentCycle(parent);
        datanetAt(parent);
        StoredVersion storage v = versionAt(parent, parents[i].version);
        for (uint256 j = 0; j < i; j++) {
            if (parents[j].datanet == parent) revert ParentCycle(parent);
        }
        if (v.licence & DERIVE == 0) revert LicenceForbids(v.forbidsDeriving, DERIVE);
        if (v.expiry != 0 && now64() > v.expiry) revert LicenceForbids(v.firstToExpire, DERIVE);
    }

    function depthUnder(DatanetVersion[] memory parents) private view returns (uint8 depth) {
        for (uint256 i = 0; i < parents.length; i++) {
            uint8 under = 1 + _datanetOf[parents[i].datanet].depth;
            if (under > depth) depth = under;
        }
        if (depth > 8) revert TooDeep(8);
    }

    /// Parents and their ancestors, ascending by Datanet: datanet | version << 64 | direct << 96.
    function ancestorsUnder(DatanetVersion[] memory parents)
        private
        view
        returns (uint128[] memory found, uint256 count)
    {
        found = new uint128[](4 + 4 * 16);
        for (uint256 i = 0; i < parents.length; i++) {
            uint64 parent = parents[i].datanet;
            count = merge(found, count, parent, parents[i].version, true);
            for (uint256 j = 0; j < _datanetOf[parent].ancestors; j++) {
                uint128 a = _ancestors[parent][j];
                count = merge(found, count, uint64(a), uint32(a >> 64), false);
            }
        }
        if (count > 16) revert TooManyParents(16, count);
    }

    /// Adds one to the first `count` of `found`, which stay ascending; of the same Datanet the later version counts.
    function merge(uint128[] memory found, uint256 count, uint64 datanet, uint32 version, bool direct)
        private
        pure
        returns (uint256)
    {
        uint256 place = 0;
        while (place < count && uint64(found[place]) < datanet) place++;
        if (place < count && uint64(found[place]) == datanet) {
            if (uint32(found[place] >> 64) > version) version = uint32(found[place] >> 64);
            if (found[place] >> 96 == 1) direct = true;
        } else {
            for (uint256 k = count; k > place; k--) {
                found[k] = found[k - 1];
            }
            count += 1;
        }
        found[place] = uint128(datanet) | uint128(version) << 64 | (direct ? uint128(1) << 96 : 0);
        return count;
    }

    function setRules(uint64 datanet, Rules memory rules) public override {
        StoredDatanet storage d = datanetAt(datanet);
        if (d.owner != msg.sender) revert NotOwner(d.owner, msg.sender);
        checkRules(rules);
        storeRules(d, rules);
        emit RulesSet(datanet, rules);
    }

    function rulesOf(uint64 datanet) external view override returns (Rules memory rules) {
        StoredDatanet storage d = datanetAt(datanet);
        rules.closed = d.ruleFlags & CLOSED != 0;
        rules.approvalRequired = d.ruleFlags & APPROVAL_REQUIRED != 0;
        rules.revocableAllowed = d.ruleFlags & REVOCABLE_ALLOWED != 0;
        rules.requiredUses = d.requiredUses;
        rules.maxRows = d.maxRows;
    }

    function ancestorsOf(uint64 datanet) external view override returns (uint8 depth, Ancestor[] memory ancestors) {
        StoredDatanet storage d = datanetAt(datanet);
        depth = d.depth;
        ancestors = new Ancestor[](d.ancestors);
        for (uint256 i = 0; i < ancestors.length; i++) {
            uint128 a = _ancestors[datanet][i];
            ancestors[i] = Ancestor(uint64(a), uint32(a >> 64), a >> 96 == 1);
        }
    }

    function setCurator(uint64 datanet, address curator, bool allowed) external override {
        checkOwnerSets(datanet, curator);
        _isCurator[datanet][curator] = allowed;
        emit CuratorSet(datanet, curator, allowed);
    }

    function setModerator(uint64 datanet, address moderator, bool allowed) external override {
        checkOwnerSets(datanet, moderator);
        _isModerator[datanet][moderator] = allowed;
        emit ModeratorSet(datanet, moderator, allowed);
    }

    function checkOwnerSets(uint64 datanet, address account) private view {
        address owner = datanetAt(datanet).owner;
        if (owner != msg.sender) revert NotOwner(owner, msg.sender);
        if (account == address(0)) revert ZeroAddress();
    }

    function isCurator(uint64 datanet, address account) external view override returns (bool) {
        return _isCurator[datanet][account];
    }

    function isModerator(uint64 datanet, address account) external view override returns (bool) {
        return moderates(datanet, account);
    }

    function transferDatanet(address from, address to, uint64 datanet) external override {
        if (msg.sender != DATANET_TOKEN) revert NotFacade(msg.sender);
        StoredDatanet storage d = datanetAt(datanet);
        if (d.owner != from) revert NotOwner(d.owner, from);
        if (to == address(0)) revert ZeroAddress();
        d.owner = to;
        _datanetBalanceOf[from] -= 1;
        _datanetBalanceOf[to] += 1;
        emit DatanetTransferred(datanet, from, to);
    }

    function datanetOf(uint64 datanet) external view override returns (Datanet memory) {
        StoredDatanet storage d = datanetAt(datanet);
        return Datanet(d.owner, d.createdAt, d.contributions, d.versions, d.schemaHash, d.domain, d.metadataURI);
    }

    function datanetCount() external view override returns (uint64) {
        return _datanets;
    }

    function datanetBalanceOf(address owner) external view override returns (uint256) {
        if (owner == address(0)) revert ZeroAddress();
        return _datanetBalanceOf[owner];
    }
}
