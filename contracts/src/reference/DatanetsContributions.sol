// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IPayouts} from "../interfaces/IPayouts.sol";
import {DatanetsStorage} from "./DatanetsStorage.sol";

/// @title Datanets: commit, reveal, forfeit, and what is judged of a contribution.
abstract contract DatanetsContributions is DatanetsStorage {
    function commitDeposit() external view override returns (uint256) {
        return _commitDeposit;
    }

    function revealWindow() external view override returns (uint64) {
        return _revealWindow;
    }

    function commit(bytes32 commitment) external payable override returns (uint64 priority) {
        checkDeposit();
        StoredCommitment storage c = _commitmentOf[msg.sender][commitment];
        if (c.priority != 0) revert CommitmentExists(msg.sender, commitment);
        _commitments += 1;
        priority = _commitments;
        c.priority = priority;
        c.committedBlock = uint64(block.number);
        c.deposit = msg.value;
        emit Committed(msg.sender, commitment, priority, msg.value);
    }

    function commitmentOf(address owner, bytes32 commitment)
        external
        view
        override
        returns (uint64 priority, uint64 committedBlock, uint256 deposit)
    {
        StoredCommitment storage c = _commitmentOf[owner][commitment];
        return (c.priority, c.committedBlock, c.deposit);
    }

    function reveal(uint64 datanet, bytes32 root, bytes32 salt, uint32 rows, uint16 licence, uint64 expiry)
        external
        override
        returns (uint64 contribution)
    {
        Terms memory terms = Terms(licence, 0, 0, expiry, 0, false, false);
        uint256 deposit;
        (contribution, deposit) = add(datanet, root, salt, rows, terms, new OwnerShare[](0));
        pay(msg.sender, deposit);
    }

    function revealWith(
        uint64 datanet,
        bytes32 root,
        bytes32 salt,
        uint32 rows,
        Terms memory terms,
        OwnerShare[] memory coOwners
    ) public override returns (uint64 contribution) {
        uint256 deposit;
        (contribution, deposit) = add(datanet, root, salt, rows, terms, coOwners);
        emit TermsSet(contribution, terms);
        emit OwnersSet(contribution, 0, ownersIn(contribution, 0));
        pay(msg.sender, deposit);
    }

    function add(
        uint64 datanet,
        bytes32 root,
        bytes32 salt,
        uint32 rows,
        Terms memory terms,
        OwnerShare[] memory coOwners
    ) private returns (uint64 contribution, uint256 deposit) {
        bytes32 commitment = keccak256(abi.encode(block.chainid, datanet, msg.sender, root, salt));
        uint64 priority;
        (priority, deposit) = checkCommitment(commitment);
        contribution = _contributions + 1;
        checkTerms(contribution, datanet, rows, terms);
        uint16 sum = checkCoOwners(coOwners);

        delete _commitmentOf[msg.sender][commitment];
        _contributions = contribution;
        _datanetOf[datanet].contributions += 1;
        StoredContribution storage c = _contributionOf[contribution];
        c.owner = msg.sender;
        c.datanet = datanet;
        c.rows = rows;
        c.uses = terms.uses;
        c.expiry = terms.expiry;
        c.priority = priority;
        c.flags = (terms.shareAlike ? SHARE_ALIKE : 0) | (terms.revocable ? REVOCABLE : 0);
        c.sets = 1;
        c.root = root;
        c.purposes = terms.purposes;
        c.regions = terms.regions;
        c.fee = terms.fee;
        OwnerSet storage set = _ownerSets[contribution][0];
        set.title = msg.sender;
        set.titleBps = 10_000 - sum;
        set.coOwners = uint8(coOwners.length);
        for (uint256 i = 0; i < coOwners.length; i++) {
            set.others[i] = CoOwner(coOwners[i].account, coOwners[i].bps);
        }
        StoredEarner storage earner = _earnerOf[contribution];
        earner.datanet = uint40(datanet);
        earner.rows = uint24(rows);
        _contributionBalanceOf[msg.sender] += 1;
        emit Revealed(contribution, datanet, msg.sender, root, rows, terms.uses, terms.expiry, priority);
    }

    function checkCommitment(bytes32 commitment) private view returns (uint64 priority, uint256 deposit) {
        StoredCommitment storage open = _commitmentOf[msg.sender][commitment];
        if (open.priority == 0) revert UnknownCommitment(msg.sender, commitment);
        if (block.number <= open.committedBlock) revert RevealTooEarly(open.committedBlock + 1);
        uint64 last = open.committedBlock + _revealWindow;
        if (block.number > last) revert RevealTooLate(last);
        return (open.priority, open.deposit);
    }

    function checkTerms(uint64 contribution, uint64 datanet, uint32 rows, Terms memory terms) private view {
        StoredDatanet storage d = datanetAt(datanet);
        if (d.ruleFlags & CLOSED != 0) revert DatanetClosed(datanet);
        if (rows == 0) revert NoRows();
        uint32 most = d.maxRows == 0 ? MOST_ROWS : d.maxRows;
        if (rows > most) revert TooManyRows(most, rows);
        checkUses(terms.uses);
        if (terms.expiry != 0 && now64() > terms.expiry) revert LicenceExpired(contribution, terms.expiry);
        bool lacks = d.requiredUses & ~terms.uses != 0;
        bool sells = d.requiredUses & terms.uses != 0 && terms.fee > 0;
        if (lacks || sells) revert UsesRequired(d.requiredUses, terms.uses);
        if (terms.revocable && d.ruleFlags & REVOCABLE_ALLOWED == 0) revert RevocableNotAllowed(datanet);
    }

    function checkCoOwners(OwnerShare[] memory coOwners) private view returns (uint16 sum) {
        if (coOwners.length > 15) revert TooManyOwners(15, coOwners.length);
        uint256 total = 0;
        for (uint256 i = 0; i < coOwners.length; i++) {
            address account = coOwners[i].account;
            bool wrong = account == address(0) || account == msg.sender || coOwners[i].bps == 0;
            for (uint256 j = 0; j < i; j++) {
                if (coOwners[j].account == account) wrong = true;
            }
            total += coOwners[i].bps;
            if (wrong || total >= 10_000) revert WrongOwnerShares(i);
        }
        return uint16(total);
    }

    /// The title holder first.
    function ownersIn(uint64 contribution, uint32 index) internal view returns (OwnerShare[] memory owners) {
        OwnerSet storage set = _ownerSets[contribution][index];
        owners = new OwnerShare[](1 + set.coOwners);
        owners[0] = OwnerShare(set.title, set.titleBps);
        for (uint256 i = 1; i < owners.length; i++) {
            owners[i] = OwnerShare(set.others[i - 1].account, set.others[i - 1].bps);
        }
    }

    function forfeit(address owner, bytes32 commitment) external override {
        StoredCommitment storage open = _commitmentOf[owner][commitment];
        if (open.priority == 0) revert UnknownCommitment(owner, commitment);
        uint64 last = open.committedBlock + _revealWindow;
        if (block.number <= last) revert RevealWindowOpen(last);
        uint256 deposit = open.deposit;
        delete _commitmentOf[owner][commitment];
        emit Forfeited(owner, commitment, deposit);
        pay(platformAccount(), deposit);
    }

    function platformAccount() internal view returns (address) {
        return IPayouts(PAYOUTS).platform();
    }

    // ── Status ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function statusOf(uint64 contribution) private view returns (ContributionStatus) {
        return ContributionStatus(_contributionOf[contribution].status);
    }

    function checkPendingOrApproved(uint64 contribution) private view {
        ContributionStatus s = statusOf(contribution);
        if (s != ContributionStatus.Pending && s != ContributionStatus.Approved) revert WrongStatus(contribution, s);
    }

    function setStatus(uint64 contribution, ContributionStatus to, string memory reason) private {
        _contributionOf[contribution].status = uint8(to);
        if (to == ContributionStatus.Tombstoned) {
            _contributionOf[contribution].tombstonedAt = now64();
            _earnerOf[contribution].flags |= ERASED;
        }
        emit StatusSet(contribution, to, msg.sender, reason);
    }

    function approveContribution(uint64 contribution) external override {
        StoredContribution storage c = contributionAt(contribution);
        checkCurator(c.datanet);
        if (statusOf(contribution) != ContributionStatus.Pending) {
            revert WrongStatus(contribution, statusOf(contribution));
        }
        setStatus(contribution, ContributionStatus.Approved, "");
    }

    function rejectContribution(uint64 contribution, string memory reason) public override {
        checkText(reason);
        checkLength(256, bytes(reason).length);
        StoredContribution storage c = contributionAt(contribution);
        if (!_isCurator[c.datanet][msg.sender]) checkModerator(c.datanet);
        checkPendingOrApproved(contribution);
        if (c.sinceVersion != 0) revert AlreadyVersioned(contribution, c.sinceVersion);
        setStatus(contribution, ContributionStatus.Rejected, reason);
    }

    function challengeContribution(uint64 contribution, string memory reason) public payable override {
        checkText(reason);
        checkLength(256, bytes(reason).length);
        contributionAt(contribution);
        checkDeposit();
        checkPendingOrApproved(contribution);
        _challengeOf[contribution] = StoredChallenge(msg.sender, msg.value);
        emit ContributionChallenged(contribution, msg.sender, msg.value, reason);
        setStatus(contribution, ContributionStatus.Challenged, reason);
    }

    function resolveContribution(uint64 contribution, bool upheld, string memory reason) public override {
        checkText(reason);
        checkLength(256, bytes(reason).length);
        StoredContribution storage c = contributionAt(contribution);
        checkModerator(c.datanet);
        if (statusOf(contribution) != ContributionStatus.Challenged) {
            revert WrongStatus(contribution, statusOf(contribution));
        }
        StoredChallenge memory challenge = _challengeOf[contribution];
        delete _challengeOf[contribution];
        address to = upheld ? challenge.challenger : platformAccount();
        if (!upheld) setStatus(contribution, ContributionStatus.Approved, reason);
        else if (c.sinceVersion == 0) setStatus(contribution, ContributionStatus.Rejected, reason);
        else setStatus(contribution, ContributionStatus.Tombstoned, reason);
        emit ChallengeResolved(contribution, upheld, to, challenge.deposit);
        pay(to, challenge.deposit);
    }

    function tombstone(uint64 contribution, string memory reason) public override {
        checkText(reason);
        checkLength(256, bytes(reason).length);
        StoredContribution storage c = contributionAt(contribution);
        if (c.owner != msg.sender) checkModerator(c.datanet);
        ContributionStatus before = statusOf(contribution);
        if (before == ContributionStatus.Tombstoned) revert WrongStatus(contribution, before);
        StoredChallenge memory challenge = _challengeOf[contribution];
        delete _challengeOf[contribution];
        setStatus(contribution, ContributionStatus.Tombstoned, reason);
        if (before == ContributionStatus.Challenged) {
            emit ChallengeResolved(contribution, true, challenge.challenger, challenge.deposit);
            pay(challenge.challenger, challenge.deposit);
        }
    }

    // ── Views ──────────────────────────────────────────────────────────────────────────────────────────────────────

    function contributionOf(uint64 contribution) external view override returns (Contribution memory shown) {
        StoredContribution storage c = contributionAt(contribution);
        shown.owner = c.owner;
        shown.datanet = c.datanet;
        shown.rows = c.rows;
        shown.licence = c.uses;
        shown.expiry = c.expiry;
        shown.root = c.root;
        shown.priority = c.priority;
        shown.sinceVersion = c.sinceVersion;
        shown.status = statusOf(contribution);
    }

    function termsOf(uint64 contribution) external view override returns (Terms memory terms) {
        StoredContribution storage c = contributionAt(contribution);
        terms.uses = c.uses;
        terms.purposes = c.purposes;
        terms.regions = c.regions;
        terms.expiry = c.expiry;
        terms.fee = c.fee;
        terms.shareAlike = c.flags & SHARE_ALIKE != 0;
        terms.revocable = c.flags & REVOCABLE != 0;
    }

    function endOf(uint64 contribution) external view override returns (uint64 withdrawnAfter, uint64 tombstonedAt) {
        StoredContribution storage c = contributionAt(contribution);
        return (c.withdrawnAfter, c.tombstonedAt);
    }

    function contributionCount() external view override returns (uint64) {
        return _contributions;
    }

    function contributionBalanceOf(address owner) external view override returns (uint256) {
        if (owner == address(0)) revert ZeroAddress();
        return _contributionBalanceOf[owner];
    }
}
