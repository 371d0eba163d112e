// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION} from "./OpenLedger.sol";
import {IAttribution} from "./interfaces/IAttribution.sol";
import {ICourt} from "./interfaces/ICourt.sol";

/// @title Court: judges challenged receipts.
/// @notice Predeploy at 0x4F50454E00000000000000000000000000000104. The rules are in docs/precompiles/court.md.
/// @dev Attribution holds the challenged part of the bond and the challenger's stake; here are judges' stakes and appeal
/// bonds. Parameters are immutable: the constructor's, run when genesis is computed. Money leaves as a function's last
/// step; Attribution runs no code of others.
contract Court is ICourt {
    /// A judge of a case, with its stake when its set was called.
    struct Seat {
        uint256 weight;
        bool sits;
        bool voted;
    }

    struct Sitting {
        mapping(address => Seat) seats;
        address[] judges;
        /// Stake behind each hash of corrected shares, and the hash that has most.
        mapping(bytes32 => uint256) behind;
        bytes32 leading;
    }

    struct Record {
        Case shown;
        bool executed;
        /// The first set's verdict, which an appeal without two thirds leaves standing.
        Verdict first;
        bytes32 firstCorrected;
        /// The model's appeal set of when the case was opened.
        address[] larger;
        /// The first set, and the one that hears the appeal.
        Sitting[2] sittings;
    }

    uint256 private constant MOST_JUDGES = 32;
    /// Gas for an appellant that is a contract and gets its bond back.
    uint256 private constant RECEIVER_GAS = 50_000;
    /// keccak256(abi.encode(no shares)).
    bytes32 private constant NO_SHARES = keccak256(abi.encode(new CorrectedShare[](0)));

    uint256 public immutable challengeStake;
    uint256 public immutable appealBond;
    uint64 private immutable evidencePeriod;
    uint64 private immutable votingPeriod;
    uint64 private immutable appealPeriod;

    struct Stake {
        uint256 total;
        uint256 openCases;
    }

    mapping(address => Stake) private stakes;
    /// By model: the first set, and the one for appeals.
    mapping(uint64 => Judge[][2]) private judges;
    mapping(bytes32 => Record) private records;

    constructor(uint256 stake_, uint256 bond_, uint64 evidence_, uint64 voting_, uint64 appeal_) {
        challengeStake = stake_;
        appealBond = bond_;
        (evidencePeriod, votingPeriod, appealPeriod) = (evidence_, voting_, appeal_);
    }

    // ── Judges ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function stake() external payable override {
        Stake storage s = stakes[msg.sender];
        s.total += msg.value;
        emit JudgeStaked(msg.sender, msg.value, s.total);
    }

    function unstake(uint256 amount) external override {
        Stake storage s = stakes[msg.sender];
        uint256 free = s.openCases == 0 ? s.total : 0;
        require(s.openCases == 0 && amount <= free, StakeHeld(free, amount));
        s.total -= amount;
        emit JudgeUnstaked(msg.sender, amount, s.total);
        (bool taken,) = msg.sender.call{value: amount}("");
        require(taken);
    }

    function stakeOf(address account) external view override returns (uint256 total, uint256 openCases) {
        Stake storage s = stakes[account];
        return (s.total, s.openCases);
    }

    function setJudges(uint64 model, Judge[] calldata first, Judge[] calldata appeal_) external override {
        require(ATTRIBUTION.modelOf(model).owner == msg.sender, NotModelOwner(model, msg.sender));
        checkSet(model, first);
        checkSet(model, appeal_);
        require(appeal_.length > first.length, AppealSetNotLarger(first.length, appeal_.length));
        replaceSet(judges[model][0], first);
        replaceSet(judges[model][1], appeal_);
        emit JudgesSet(model, false, first);
        emit JudgesSet(model, true, appeal_);
    }

    function checkSet(uint64 model, Judge[] calldata set) private view {
        require(set.length != 0, NoJudges(model));
        require(set.length <= MOST_JUDGES, TooManyJudges(MOST_JUDGES, set.length));
        for (uint256 i = 0; i < set.length; i++) {
            require(i == 0 || set[i].account > set[i - 1].account, JudgesNotAscending(i));
            require(stakes[set[i].account].total != 0, NoStake(set[i].account));
        }
    }

    function replaceSet(Judge[] storage kept, Judge[] calldata set) private {
        while (kept.length != 0) {
            kept.pop();
        }
        for (uint256 i = 0; i < set.length; i++) {
            kept.push(set[i]);
        }
    }

    function judgesOf(uint64 model, bool appeal_) external view override returns (Judge[] memory) {
        return judges[model][appeal_ ? 1 : 0];
    }

    // ── A case ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function challenge(bytes32 requestId, bytes32 grounds) external payable override {
        require(msg.value == challengeStake, WrongStake(challengeStake, msg.value));
        IAttribution.ReceiptInfo memory receipt = ATTRIBUTION.receiptOf(requestId);
        Judge[] storage set = judges[receipt.model][0];
        require(set.length != 0, NoJudges(receipt.model));
        // A receipt that was challenged before is refused here, before its record is touched.
        ATTRIBUTION.freezeReceipt{value: msg.value}(requestId, msg.sender);
        Record storage r = records[requestId];
        Case storage c = r.shown;
        c.model = receipt.model;
        c.attestor = receipt.attestor;
        c.challenger = msg.sender;
        c.grounds = grounds;
        c.phase = Phase.Evidence;
        c.deadline = blockAfter(evidencePeriod);
        address[] memory first = accountsOf(set);
        r.larger = accountsOf(judges[receipt.model][1]);
        seat(r, 0, first);
        emit Challenged(requestId, c.model, msg.sender, msg.value, grounds, c.deadline);
    }

    function deliver(bytes32 requestId, bytes32 evidence, string calldata uri) external override {
        Case storage c = inPhase(requestId, Phase.Evidence).shown;
        require(msg.sender == c.attestor, NotAttestor(msg.sender));
        require(block.number <= c.deadline, DeadlinePassed(c.deadline));
        require(evidence != 0, EmptyEvidence());
        c.evidence = evidence;
        c.phase = Phase.Judging;
        c.deadline = blockAfter(votingPeriod);
        emit Delivered(requestId, msg.sender, evidence, uri, c.deadline);
    }

    function vote(bytes32 requestId, bool wrong, bytes32 corrected) external override {
        Record storage r = records[requestId];
        Case storage c = r.shown;
        require(c.phase == Phase.Judging || c.phase == Phase.Appealed, WrongPhase(requestId, c.phase));
        require(block.number <= c.deadline, DeadlinePassed(c.deadline));
        Sitting storage s = r.sittings[c.phase == Phase.Appealed ? 1 : 0];
        Seat storage judge = s.seats[msg.sender];
        require(judge.sits, NotJudge(msg.sender));
        require(!judge.voted, AlreadyVoted(msg.sender));
        require(wrong || corrected == 0, WrongCorrected(0, corrected));
        judge.voted = true;
        if (wrong) {
            c.stakeWrong += judge.weight;
            s.behind[corrected] += judge.weight;
            if (s.leading != corrected && s.behind[corrected] > s.behind[s.leading]) s.leading = corrected;
        } else {
            c.stakeRight += judge.weight;
        }
        emit Voted(requestId, msg.sender, wrong, corrected, judge.weight);
        if (decided(c) != Verdict.None) endVoting(requestId, r);
    }

    function advance(bytes32 requestId) external override {
        Record storage r = records[requestId];
        Case storage c = r.shown;
        require(c.phase != Phase.None && c.phase != Phase.Final, WrongPhase(requestId, c.phase));
        require(block.number > c.deadline, DeadlineNotPassed(c.deadline));
        if (c.phase == Phase.Evidence) {
            c.verdict = Verdict.Wrong;
            c.corrected = NO_SHARES;
            close(requestId, r);
        } else if (c.phase == Phase.Decided) {
            close(requestId, r);
        } else {
            endVoting(requestId, r);
        }
    }

    function appeal(bytes32 requestId) external payable override {
        Record storage r = inPhase(requestId, Phase.Decided);
        Case storage c = r.shown;
        require(block.number <= c.deadline, DeadlinePassed(c.deadline));
        address party = c.verdict == Verdict.Right ? c.challenger : c.attestor;
        require(msg.sender == party, NotParty(msg.sender));
        require(msg.value == appealBond, WrongStake(appealBond, msg.value));
        (r.first, r.firstCorrected) = (c.verdict, c.corrected);
        c.appellant = msg.sender;
        c.appealBond = msg.value;
        c.phase = Phase.Appealed;
        c.deadline = blockAfter(votingPeriod);
        (c.stakeRight, c.stakeWrong) = (0, 0);
        seat(r, 1, r.larger);
        emit Appealed(requestId, msg.sender, msg.value, c.deadline);
    }

    function execute(bytes32 requestId, CorrectedShare[] calldata corrected) external override {
        Record storage r = inPhase(requestId, Phase.Final);
        require(!r.executed, WrongPhase(requestId, Phase.Final));
        Case storage c = r.shown;
        bool wrong = c.verdict == Verdict.Wrong;
        bytes32 given = keccak256(abi.encode(corrected));
        if (wrong) {
            // Shares that Attribution refuses must not hold a bond for ever.
            bool late = corrected.length == 0 && block.number >= uint256(c.deadline) + votingPeriod;
            require(given == c.corrected || late, WrongCorrected(c.corrected, given));
        } else {
            require(corrected.length == 0, WrongCorrected(0, given));
        }
        r.executed = true;
        emit Closed(requestId, c.verdict);
        ATTRIBUTION.resolveReceipt(requestId, wrong, sharesOf(corrected));
    }

    function caseOf(bytes32 requestId) external view override returns (Case memory) {
        return records[requestId].shown;
    }

    function periods() external view override returns (uint64 evidence, uint64 voting, uint64 appeal_) {
        return (evidencePeriod, votingPeriod, appealPeriod);
    }

    // ── Within ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function inPhase(bytes32 requestId, Phase wanted) private view returns (Record storage r) {
        r = records[requestId];
        require(r.shown.phase == wanted, WrongPhase(requestId, r.shown.phase));
    }

    function blockAfter(uint64 period) private view returns (uint64) {
        return uint64(block.number) + period;
    }

    function accountsOf(Judge[] storage set) private view returns (address[] memory accounts) {
        accounts = new address[](set.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            accounts[i] = set[i].account;
        }
    }

    /// A set sits, with its stakes of now.
    function seat(Record storage r, uint256 which, address[] memory accounts) private {
        Sitting storage s = r.sittings[which];
        uint256 total = 0;
        for (uint256 i = 0; i < accounts.length; i++) {
            Stake storage held = stakes[accounts[i]];
            held.openCases += 1;
            s.seats[accounts[i]] = Seat(held.total, true, false);
            total += held.total;
        }
        s.judges = accounts;
        r.shown.stakeTotal = total;
    }

    /// What two thirds of the sitting stake agree on.
    function decided(Case storage c) private view returns (Verdict) {
        if (c.stakeRight != 0 && 3 * c.stakeRight >= 2 * c.stakeTotal) return Verdict.Right;
        if (c.stakeWrong != 0 && 3 * c.stakeWrong >= 2 * c.stakeTotal) return Verdict.Wrong;
        return Verdict.None;
    }

    /// Ends the voting of the first set, or of the one that hears the appeal.
    function endVoting(bytes32 requestId, Record storage r) private {
        Case storage c = r.shown;
        Verdict verdict = decided(c);
        bool appealed = c.phase == Phase.Appealed;
        bytes32 corrected = r.sittings[appealed ? 1 : 0].leading;
        if (verdict == Verdict.None) {
            verdict = appealed ? r.first : Verdict.Right;
            corrected = appealed ? r.firstCorrected : bytes32(0);
        }
        c.verdict = verdict;
        c.corrected = verdict == Verdict.Wrong ? corrected : bytes32(0);
        if (appealed) {
            close(requestId, r);
            release(verdict == r.first ? address(0) : c.appellant, c.appealBond);
            return;
        }
        c.phase = Phase.Decided;
        c.deadline = blockAfter(appealPeriod);
        emit Decision(requestId, c.verdict, c.corrected, c.deadline);
    }

    /// The verdict is final; the judges' stakes are free of this case.
    function close(bytes32 requestId, Record storage r) private {
        Case storage c = r.shown;
        c.phase = Phase.Final;
        for (uint256 which = 0; which < 2; which++) {
            address[] storage sat = r.sittings[which].judges;
            for (uint256 i = 0; i < sat.length; i++) {
                stakes[sat[i]].openCases -= 1;
            }
        }
        emit Decision(requestId, c.verdict, c.corrected, c.deadline);
    }

    function sharesOf(CorrectedShare[] calldata given)
        private
        pure
        returns (IAttribution.ClusterShare[] memory shares)
    {
        shares = new IAttribution.ClusterShare[](given.length);
        for (uint256 i = 0; i < given.length; i++) {
            shares[i] = IAttribution.ClusterShare(given[i].contribution, given[i].row, given[i].ppm);
        }
    }

    /// An appellant that takes no wei, or all the gas, must not hold a case open: what it refuses burns.
    function release(address to, uint256 amount) private {
        (bool taken,) = to.call{value: amount, gas: RECEIVER_GAS}("");
        if (!taken) {
            (taken,) = address(0).call{value: amount}("");
            require(taken);
        }
    }
}
