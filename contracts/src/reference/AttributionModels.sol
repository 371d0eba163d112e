// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IDatanets} from "../interfaces/IDatanets.sol";
import {AttributionStorage} from "./AttributionStorage.sol";
import {IDatanetsInternal} from "./Internal.sol";

/// @title Attribution: registration of models, and what the licences allow them.
abstract contract AttributionModels is AttributionStorage {
    /// What is gathered while a model is looked at.
    struct Candidate {
        uint64 number;
        uint64[] datanets;
        uint32[] versions;
        uint32[] checkedTo;
        uint256 count;
        uint64 until;
        uint64 by;
        /// Contributions that are used by a grant, in the order found.
        uint64[] relying;
        uint256 relyingCount;
        uint8 depth;
    }

    function registerModel(ModelSpec memory spec) public override returns (uint64 model) {
        checkText(spec.metadataURI);
        ModelExtras memory none;
        return register(spec, none);
    }

    function registerModelWith(ModelSpec memory spec, ModelExtras memory extras)
        public
        override
        returns (uint64 model)
    {
        checkText(spec.metadataURI);
        model = register(spec, extras);
        emit ModelDescribed(model, extras);
    }

    function register(ModelSpec memory spec, ModelExtras memory extras) private returns (uint64 model) {
        checkSpec(spec);
        Candidate memory c;
        c.number = _models + 1;
        c.depth = checkParents(extras.parents);
        for (uint256 i = 0; i < spec.datasets.length; i++) {
            DatasetRef memory d = spec.datasets[i];
            if (datanets().ownerOfDatanet(d.datanet) == address(0)) revert UnknownDatanet(d.datanet);
            if (!datanets().version(d.datanet, d.version).exists) revert UnknownVersion(d.datanet, d.version);
        }
        gather(c, spec, extras);
        checkRestricted(c);
        c.relying = new uint64[](256 + 16 * 64);
        c.checkedTo = new uint32[](c.count);
        for (uint256 i = 0; i < c.count; i++) {
            checkLicences(c, i, extras);
        }
        for (uint256 i = 0; i < c.relyingCount; i++) {
            (, uint8 models) = IDatanets(DATANETS).grantOf(c.relying[i], msg.sender);
            if (models == 32) revert GrantFull(c.relying[i], msg.sender);
            datanets().relyOnGrant(c.relying[i], msg.sender, c.number);
        }
        model = c.number;
        _models = model;
        storeModel(c, spec, extras);
        emit ModelRegistered(model, msg.sender, spec.base, spec.adapterHash, spec.metadataURI);
        emit AttestorSet(model, msg.sender, true);
    }

    function checkSpec(ModelSpec memory spec) private pure {
        if (spec.datasets.length == 0) revert NoDatasets();
        if (spec.datasets.length > 16) revert TooManyDatasets(16, spec.datasets.length);
        for (uint256 i = 1; i < spec.datasets.length; i++) {
            uint64 datanet = spec.datasets[i].datanet;
            if (datanet <= spec.datasets[i - 1].datanet) revert DatasetsNotAscending(datanet);
        }
        uint256 sum = uint256(spec.split.platform) + spec.split.model + spec.split.stakers + spec.split.contributors;
        if (sum != 10_000) revert WrongSplit(sum);
        if (spec.bandPpm > 10_000) revert BandTooWide(10_000, spec.bandPpm);
        if (bytes(spec.metadataURI).length > 256) revert TooLong(256, bytes(spec.metadataURI).length);
    }

    function checkParents(uint64[] memory parents) private view returns (uint8 depth) {
        if (parents.length > 8) revert TooManyParents(8, parents.length);
        uint64 before = 0;
        for (uint256 i = 0; i < parents.length; i++) {
            if (parents[i] <= before) revert ParentsNotAscending(parents[i]);
            uint8 under = 1 + (modelAt(parents[i]).depth & ~SHARE_ALIKE_BIT);
            if (under > depth) depth = under;
            before = parents[i];
        }
        if (depth > 8) revert TooDeep(8);
    }

    /// The Datanets given, their ancestors, and the parents' datasets; of each the latest version, ascending.
    function gather(Candidate memory c, ModelSpec memory spec, ModelExtras memory extras) private view {
        c.datanets = new uint64[](16 + 16 * 16 + 8 * 16);
        c.versions = new uint32[](c.datanets.length);
        for (uint256 i = 0; i < spec.datasets.length; i++) {
            merge(c, spec.datasets[i].datanet, spec.datasets[i].version);
            (, IDatanets.Ancestor[] memory ancestors) = IDatanets(DATANETS).ancestorsOf(spec.datasets[i].datanet);
            for (uint256 j = 0; j < ancestors.length; j++) {
                merge(c, ancestors[j].datanet, ancestors[j].version);
            }
        }
        for (uint256 i = 0; i < extras.parents.length; i++) {
            for (uint256 j = 0; j < _modelOf[extras.parents[i]].datasets; j++) {
                (uint64 datanet, uint32 version,) = datasetAt(extras.parents[i], j);
                merge(c, datanet, version);
            }
        }
        if (c.count > 16) revert TooManyDatasets(16, c.count);
    }

    function merge(Candidate memory c, uint64 datanet, uint32 version) private pure {
        uint256 place = 0;
        while (place < c.count && c.datanets[place] < datanet) place++;
        if (place < c.count && c.datanets[place] == datanet) {
            if (c.versions[place] < version) c.versions[place] = version;
            return;
        }
        for (uint256 k = c.count; k > place; k--) {
            c.datanets[k] = c.datanets[k - 1];
            c.versions[k] = c.versions[k - 1];
        }
        c.datanets[place] = datanet;
        c.versions[place] = version;
        c.count += 1;
    }

    function checkRestricted(Candidate memory c) private view {
        uint256 sum = 0;
        for (uint256 i = 0; i < c.count; i++) {
            sum += datanets().version(c.datanets[i], c.versions[i]).specials;
        }
        if (sum > 256) revert TooManyRestricted(256, sum);
    }

    function checkLicences(Candidate memory c, uint256 i, ModelExtras memory extras) private view {
        uint64 datanet = c.datanets[i];
        IDatanetsInternal.VersionView memory v = datanets().version(datanet, c.versions[i]);
        for (uint32 k = 0; k < v.specials; k++) {
            uint64 x = datanets().special(datanet, k);
            checkSpecial(c, x, TRAIN, extras);
            checkSpecial(c, x, SERVE, extras);
        }
        if (v.expiry != 0 && now64() > v.expiry) revert LicenceForbids(v.firstToExpire, TRAIN);
        lower(c, v.expiry, v.firstToExpire);
        uint32 looked = uint32(min(datanets().withdrawalsOf(datanet), 64));
        for (uint32 k = 0; k < looked; k++) {
            uint64 x = datanets().withdrawal(datanet, k);
            if (concerns(x, c.versions[i], now64())) checkWithdrawn(c, x, extras);
        }
        c.checkedTo[i] = looked;
    }

    function checkSpecial(Candidate memory c, uint64 x, uint16 use, ModelExtras memory extras) private view {
        (bool good, uint64 until) = datanets().permitted(x, use, extras.purposes, extras.regions, extras.shareAlike);
        if (!good) {
            (good, until) = datanets().granted(x, msg.sender, use, extras.purposes, extras.regions);
            if (!good) revert LicenceForbids(x, use);
            rely(c, x);
        }
        lower(c, until, x);
    }

    function checkWithdrawn(Candidate memory c, uint64 x, ModelExtras memory extras) private view {
        (bool train, uint64 until) = datanets().granted(x, msg.sender, TRAIN, extras.purposes, extras.regions);
        (bool serve,) = datanets().granted(x, msg.sender, SERVE, extras.purposes, extras.regions);
        if (train && serve) {
            lower(c, until, x);
            rely(c, x);
            return;
        }
        (uint64 withdrawnAfter,) = IDatanets(DATANETS).endOf(x);
        if (now64() > withdrawnAfter) revert LicenceForbids(x, TRAIN);
        lower(c, withdrawnAfter, x);
    }

    /// Whether a withdrawn contribution is in a version of its Datanet, and was not erased before a model was made of it.
    function concerns(uint64 x, uint32 version, uint64 registeredAt) private view returns (bool) {
        uint32 since = datanets().earner(x).sinceVersion;
        (, uint64 tombstonedAt) = IDatanets(DATANETS).endOf(x);
        return since >= 1 && since <= version && !(tombstonedAt != 0 && tombstonedAt <= registeredAt);
    }

    function lower(Candidate memory c, uint64 until, uint64 by) private pure {
        if (until != 0 && (c.until == 0 || until < c.until)) {
            c.until = until;
            c.by = by;
        }
    }

    function rely(Candidate memory c, uint64 x) private pure {
        for (uint256 i = 0; i < c.relyingCount; i++) {
            if (c.relying[i] == x) return;
        }
        c.relying[c.relyingCount] = x;
        c.relyingCount += 1;
    }

    function storeModel(Candidate memory c, ModelSpec memory spec, ModelExtras memory extras) private {
        StoredModel storage m = _modelOf[c.number];
        m.owner = msg.sender;
        m.registeredAt = now64();
        m.bandPpm = spec.bandPpm;
        m.platformBps = spec.split.platform;
        m.modelBps = spec.split.model;
        m.stakersBps = spec.split.stakers;
        m.datasets = uint8(c.count);
        m.depth = c.depth | (extras.shareAlike ? SHARE_ALIKE_BIT : 0);
        m.validUntil = c.until;
        m.endedBy = c.by;
        m.base = spec.base;
        m.adapterHash = spec.adapterHash;
        m.trainingHash = spec.trainingHash;
        m.method = spec.method;
        m.perTokenIn = spec.price.perTokenIn;
        m.perTokenOut = spec.price.perTokenOut;
        m.platformFee = spec.price.platformFee;
        m.purposes = extras.purposes;
        m.regions = extras.regions;
        m.metadataURI = spec.metadataURI;
        m.dataOrderSeed = extras.dataOrderSeed;
        m.hyperParameters = extras.hyperParameters;
        m.checkpointRoot = extras.checkpointRoot;
        for (uint256 i = 0; i < extras.parents.length; i++) {
            m.parents[i] = extras.parents[i];
        }
        for (uint256 i = 0; i < c.count; i++) {
            _datasets[c.number][i] =
                uint128(c.datanets[i]) | uint128(c.versions[i]) << 64 | uint128(c.checkedTo[i]) << 96;
        }
        _isAttestor[c.number][msg.sender] = true;
    }

    // ── Standing ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// How far a model has looked, and what ends it; in memory, so that a request can look without keeping it.
    struct Look {
        uint32[] checkedTo;
        uint64 validUntil;
        uint64 endedBy;
        uint256 left;
        /// The limits found, in order.
        uint64[] ends;
        uint64[] by;
        uint256 found;
    }

    /// Looks at up to `most` withdrawals that the model has not looked at.
    function look(uint64 model, uint256 most) internal view returns (Look memory l) {
        StoredModel storage m = _modelOf[model];
        l.checkedTo = new uint32[](m.datasets);
        l.validUntil = m.validUntil;
        l.endedBy = m.endedBy;
        l.ends = new uint64[](most);
        l.by = new uint64[](most);
        for (uint256 i = 0; i < m.datasets; i++) {
            (uint64 datanet, uint32 version, uint32 checked) = datasetAt(model, i);
            uint32 all = datanets().withdrawalsOf(datanet);
            while (checked < all && most > 0) {
                uint64 x = datanets().withdrawal(datanet, checked);
                if (concerns(x, version, m.registeredAt)) lookAt(l, m, x);
                checked += 1;
                most -= 1;
            }
            l.checkedTo[i] = checked;
            l.left += all - checked;
        }
    }

    function lookAt(Look memory l, StoredModel storage m, uint64 x) private view {
        (uint64 last,) = IDatanets(DATANETS).endOf(x);
        (bool good, uint64 until) = datanets().granted(x, m.owner, SERVE, m.purposes, m.regions);
        if (good && until == 0) return;
        if (good) last = until;
        if (l.validUntil != 0 && last >= l.validUntil) return;
        l.validUntil = last;
        l.endedBy = x;
        l.ends[l.found] = last;
        l.by[l.found] = x;
        l.found += 1;
    }

    function keep(uint64 model, Look memory l) internal {
        StoredModel storage m = _modelOf[model];
        for (uint256 i = 0; i < l.checkedTo.length; i++) {
            uint128 d = _datasets[model][i];
            _datasets[model][i] = uint128(uint96(d)) | uint128(l.checkedTo[i]) << 96;
        }
        m.validUntil = l.validUntil;
        m.endedBy = l.endedBy;
        for (uint256 i = 0; i < l.found; i++) {
            emit ModelLimited(model, l.by[i], l.ends[i]);
        }
    }

    /// Reverts where the model may not serve now.
    function checkStanding(uint64 model, Look memory l) internal view {
        if (l.left != 0) revert RefreshNeeded(model);
        if (l.validUntil != 0 && now64() > l.validUntil) revert LicenceForbids(l.endedBy, SERVE);
    }

    function checkServing(uint64 model) external view {
        checkStanding(model, look(model, 32));
    }

    function refreshModel(uint64 model) external override returns (uint64 pending) {
        modelAt(model);
        Look memory l = look(model, 256);
        keep(model, l);
        return uint64(l.left);
    }

    function limit(uint64 model, uint64 last, uint64 contribution) external onlyPrecompiles {
        StoredModel storage m = _modelOf[model];
        if (m.validUntil != 0 && last >= m.validUntil) return;
        m.validUntil = last;
        m.endedBy = contribution;
        emit ModelLimited(model, contribution, last);
    }

    function standingOf(uint64 model) external view override returns (Standing memory s) {
        StoredModel storage m = modelAt(model);
        s.validUntil = m.validUntil;
        s.endedBy = m.endedBy;
        s.pending = uint64(look(model, 0).left);
        s.depth = m.depth & ~SHARE_ALIKE_BIT;
        uint256 parents = 0;
        while (parents < 8 && m.parents[parents] != 0) parents++;
        s.extras.parents = new uint64[](parents);
        for (uint256 i = 0; i < parents; i++) {
            s.extras.parents[i] = m.parents[i];
        }
        s.extras.dataOrderSeed = m.dataOrderSeed;
        s.extras.hyperParameters = m.hyperParameters;
        s.extras.checkpointRoot = m.checkpointRoot;
        s.extras.purposes = m.purposes;
        s.extras.regions = m.regions;
        s.extras.shareAlike = m.depth & SHARE_ALIKE_BIT != 0;
    }

    function purposesOf(uint64 model) external view returns (uint32) {
        return _modelOf[model].purposes;
    }

    function isInModel(uint64 contribution, uint64 model) external view returns (bool) {
        return isIn(datanets().earner(contribution), model);
    }

    /// Whether a contribution is in the versions that the model has.
    function isIn(IDatanetsInternal.EarnerView memory e, uint64 model) internal view returns (bool) {
        return e.sinceVersion >= 1 && e.sinceVersion <= versionIn(model, e.datanet);
    }

    // ── What the owner says of it ──────────────────────────────────────────────────────────────────────────────────

    function checkOwner(uint64 model) private view returns (StoredModel storage m) {
        m = modelAt(model);
        if (m.owner != msg.sender) revert NotModelOwner(model, msg.sender);
    }

    function setAttestor(uint64 model, address attestor, bool allowed) external override {
        checkOwner(model);
        if (attestor == address(0)) revert ZeroAddress();
        _isAttestor[model][attestor] = allowed;
        emit AttestorSet(model, attestor, allowed);
    }

    function isAttestor(uint64 model, address account) external view override returns (bool) {
        return _isAttestor[model][account];
    }

    function publishFaithfulness(uint64 model, int32 ldsPpm, uint32 errorPpm, uint32 samples, bytes32 evidence)
        external
        override
    {
        StoredModel storage m = checkOwner(model);
        m.ldsPpm = ldsPpm;
        m.errorPpm = errorPpm;
        m.samples = samples;
        m.publishedAt = now64();
        m.evidence = evidence;
        emit FaithfulnessPublished(model, ldsPpm, errorPpm, samples, evidence);
    }

    function faithfulnessOf(uint64 model) external view override returns (Faithfulness memory) {
        StoredModel storage m = modelAt(model);
        return Faithfulness(m.ldsPpm, m.errorPpm, m.samples, m.publishedAt, m.evidence);
    }

    function modelOf(uint64 model) external view override returns (Model memory shown) {
        StoredModel storage m = modelAt(model);
        shown.owner = m.owner;
        shown.registeredAt = m.registeredAt;
        shown.receipts = m.receipts;
        shown.spec.base = m.base;
        shown.spec.adapterHash = m.adapterHash;
        shown.spec.trainingHash = m.trainingHash;
        shown.spec.method = m.method;
        shown.spec.bandPpm = m.bandPpm;
        shown.spec.price = Price(m.perTokenIn, m.perTokenOut, m.platformFee);
        uint16 contributors = 10_000 - m.platformBps - m.modelBps - m.stakersBps;
        shown.spec.split = Split(m.platformBps, m.modelBps, m.stakersBps, contributors);
        shown.spec.datasets = datasetsOf(model);
        shown.spec.metadataURI = m.metadataURI;
    }

    function datasetsOf(uint64 model) internal view returns (DatasetRef[] memory datasets) {
        datasets = new DatasetRef[](_modelOf[model].datasets);
        for (uint256 i = 0; i < datasets.length; i++) {
            (datasets[i].datanet, datasets[i].version,) = datasetAt(model, i);
        }
    }

    function modelCount() external view override returns (uint64) {
        return _models;
    }
}
