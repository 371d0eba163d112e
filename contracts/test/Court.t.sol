// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Court} from "../src/Court.sol";
import {ATTRIBUTION} from "../src/OpenLedger.sol";
import {IAttribution} from "../src/interfaces/IAttribution.sol";
import {ICourt} from "../src/interfaces/ICourt.sol";
import {VM} from "./Vm.sol";
import {JudgedReceipts} from "./JudgedReceipts.sol";

contract CourtTest {
    bytes32 private constant ID = keccak256("request");
    bytes32 private constant GROUNDS = keccak256("grounds");
    bytes32 private constant EVIDENCE = keccak256("evidence");
    bytes32 private constant KEY = keccak256("x25519");
    uint64 private constant MODEL = 7;
    uint256 private constant STAKE = 3 ether;
    uint256 private constant BOND = 5 ether;
    address private constant OWNER = address(0x0e);
    address private constant ATTESTOR = address(0xa7);
    address private constant CHALLENGER = address(0xc4);

    Court private court;
    JudgedReceipts private constant receipts = JudgedReceipts(address(ATTRIBUTION));

    function setUp() external {
        VM.roll(1000);
        court = new Court(STAKE, BOND, 10, 20, 30);
        VM.etch(address(ATTRIBUTION), address(new JudgedReceipts()).code);
        receipts.set(ID, MODEL, OWNER, ATTESTOR, address(court));
        VM.deal(CHALLENGER, 100 ether);
        VM.deal(ATTESTOR, 100 ether);
        for (uint160 i = 1; i <= 5; i++) {
            VM.deal(address(i), 100 ether);
            VM.prank(address(i));
            court.stake{value: 1 ether}();
        }
        VM.prank(OWNER);
        court.setJudges(MODEL, set(3), set(5));
    }

    function set(uint160 count) private pure returns (ICourt.Judge[] memory judges) {
        judges = new ICourt.Judge[](count);
        for (uint160 i = 0; i < count; i++) {
            judges[i] = ICourt.Judge(address(i + 1), KEY);
        }
    }

    function open() private {
        VM.prank(CHALLENGER);
        court.challenge{value: STAKE}(ID, GROUNDS);
    }

    function judging() private {
        open();
        VM.prank(ATTESTOR);
        court.deliver(ID, EVIDENCE, "ipfs://e");
    }

    function vote(uint160 judge, bool wrong, bytes32 corrected) private {
        VM.prank(address(judge));
        court.vote(ID, wrong, corrected);
    }

    function decided(bool wrong) private {
        judging();
        vote(1, wrong, wrong ? hashOf(shares()) : bytes32(0));
        vote(2, wrong, wrong ? hashOf(shares()) : bytes32(0));
    }

    function appealed(bool wrong) private {
        decided(wrong);
        VM.prank(wrong ? ATTESTOR : CHALLENGER);
        court.appeal{value: BOND}(ID);
    }

    function shares() private pure returns (ICourt.CorrectedShare[] memory list) {
        list = new ICourt.CorrectedShare[](1);
        list[0] = ICourt.CorrectedShare(4, 5, 600_000);
    }

    function none() private pure returns (ICourt.CorrectedShare[] memory) {
        return new ICourt.CorrectedShare[](0);
    }

    function hashOf(ICourt.CorrectedShare[] memory list) private pure returns (bytes32) {
        return keccak256(abi.encode(list));
    }

    function phase(ICourt.Phase wanted) private view {
        require(court.caseOf(ID).phase == wanted);
    }

    function waitFor() private {
        VM.roll(court.caseOf(ID).deadline + 1);
    }

    // ── Judges ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_parameters_are_the_constructors() external view {
        (uint64 evidence, uint64 voting, uint64 appeal) = court.periods();
        require(evidence == 10 && voting == 20 && appeal == 30);
        require(court.challengeStake() == STAKE && court.appealBond() == BOND);
    }

    function test_judge_takes_its_stake_back_while_no_case_is_open() external {
        VM.expectRevert(abi.encodeWithSelector(ICourt.StakeHeld.selector, 1 ether, 1 ether + 1));
        VM.prank(address(1));
        court.unstake(1 ether + 1);
        VM.prank(address(1));
        court.unstake(1 ether);
        require(address(1).balance == 100 ether);
        open();
        VM.expectRevert(abi.encodeWithSelector(ICourt.StakeHeld.selector, 0, 1));
        VM.prank(address(2));
        court.unstake(1);
        (uint256 total, uint256 openCases) = court.stakeOf(address(2));
        require(total == 1 ether && openCases == 1);
        // Judges of the appeal set alone do not sit yet.
        VM.prank(address(5));
        court.unstake(1 ether);
    }

    function test_only_the_models_owner_sets_judges() external {
        VM.expectRevert(abi.encodeWithSelector(ICourt.NotModelOwner.selector, MODEL, address(this)));
        court.setJudges(MODEL, set(1), set(2));
        require(court.judgesOf(MODEL, false).length == 3 && court.judgesOf(MODEL, true).length == 5);
        require(court.judgesOf(MODEL, true)[4].key == KEY);
    }

    function refuseSets(ICourt.Judge[] memory first, ICourt.Judge[] memory appeal, bytes memory reason) private {
        VM.expectRevert(reason);
        VM.prank(OWNER);
        court.setJudges(MODEL, first, appeal);
    }

    function test_sets_are_bounded_ascending_staked_and_the_appeal_set_larger() external {
        refuseSets(set(0), set(1), abi.encodeWithSelector(ICourt.NoJudges.selector, MODEL));
        refuseSets(set(1), set(0), abi.encodeWithSelector(ICourt.NoJudges.selector, MODEL));
        refuseSets(set(2), set(2), abi.encodeWithSelector(ICourt.AppealSetNotLarger.selector, 2, 2));
        refuseSets(set(33), set(2), abi.encodeWithSelector(ICourt.TooManyJudges.selector, 32, 33));
        refuseSets(set(2), set(6), abi.encodeWithSelector(ICourt.NoStake.selector, address(6)));
        ICourt.Judge[] memory twice = set(2);
        twice[1] = twice[0];
        refuseSets(twice, set(3), abi.encodeWithSelector(ICourt.JudgesNotAscending.selector, 1));
        VM.prank(OWNER);
        court.setJudges(MODEL, set(1), set(2));
        require(court.judgesOf(MODEL, false).length == 1 && court.judgesOf(MODEL, true).length == 2);
    }

    // ── Evidence ───────────────────────────────────────────────────────────────────────────────────────────────────

    function test_challenge_freezes_the_receipt_with_its_stake() external {
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongStake.selector, STAKE, STAKE - 1));
        court.challenge{value: STAKE - 1}(ID, GROUNDS);
        VM.expectEmit(address(court));
        emit ICourt.Challenged(ID, MODEL, CHALLENGER, STAKE, GROUNDS, 1010);
        open();
        require(receipts.challenger() == CHALLENGER && address(ATTRIBUTION).balance == STAKE);
        ICourt.Case memory c = court.caseOf(ID);
        require(c.attestor == ATTESTOR && c.stakeTotal == 3 ether && c.deadline == 1010 && c.grounds == GROUNDS);
        VM.expectRevert(
            abi.encodeWithSelector(IAttribution.WrongReceiptStatus.selector, ID, IAttribution.ReceiptStatus.Frozen)
        );
        VM.prank(CHALLENGER);
        court.challenge{value: STAKE}(ID, GROUNDS);
    }

    function test_model_without_judges_cannot_be_challenged() external {
        receipts.set(ID, MODEL + 1, OWNER, ATTESTOR, address(court));
        VM.expectRevert(abi.encodeWithSelector(ICourt.NoJudges.selector, MODEL + 1));
        court.challenge{value: STAKE}(ID, GROUNDS);
    }

    function test_attestor_delivers_in_time() external {
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongPhase.selector, ID, ICourt.Phase.None));
        court.deliver(ID, EVIDENCE, "");
        open();
        VM.expectRevert(abi.encodeWithSelector(ICourt.NotAttestor.selector, address(this)));
        court.deliver(ID, EVIDENCE, "");
        VM.expectRevert(abi.encodeWithSelector(ICourt.EmptyEvidence.selector));
        VM.prank(ATTESTOR);
        court.deliver(ID, 0, "");
        VM.roll(1011);
        VM.expectRevert(abi.encodeWithSelector(ICourt.DeadlinePassed.selector, 1010));
        VM.prank(ATTESTOR);
        court.deliver(ID, EVIDENCE, "");
        VM.roll(1010);
        VM.expectEmit(address(court));
        emit ICourt.Delivered(ID, ATTESTOR, EVIDENCE, "ipfs://e", 1030);
        VM.prank(ATTESTOR);
        court.deliver(ID, EVIDENCE, "ipfs://e");
        phase(ICourt.Phase.Judging);
    }

    function test_attestor_that_delivers_nothing_loses() external {
        open();
        VM.expectRevert(abi.encodeWithSelector(ICourt.DeadlineNotPassed.selector, 1010));
        court.advance(ID);
        waitFor();
        court.advance(ID);
        phase(ICourt.Phase.Final);
        (, uint256 openCases) = court.stakeOf(address(1));
        require(openCases == 0);
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongCorrected.selector, hashOf(none()), hashOf(shares())));
        court.execute(ID, shares());
        court.execute(ID, none());
        require(receipts.resolved() && receipts.wrong() && receipts.correctedCount() == 0);
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongPhase.selector, ID, ICourt.Phase.Final));
        court.execute(ID, none());
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongPhase.selector, ID, ICourt.Phase.Final));
        court.advance(ID);
    }

    // ── Votes ──────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_votes_are_of_sitting_judges_once_and_in_time() external {
        open();
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongPhase.selector, ID, ICourt.Phase.Evidence));
        court.vote(ID, true, 0);
        VM.prank(ATTESTOR);
        court.deliver(ID, EVIDENCE, "");
        VM.expectRevert(abi.encodeWithSelector(ICourt.NotJudge.selector, address(4)));
        vote(4, true, 0);
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongCorrected.selector, bytes32(0), GROUNDS));
        vote(1, false, GROUNDS);
        vote(1, true, GROUNDS);
        VM.expectRevert(abi.encodeWithSelector(ICourt.AlreadyVoted.selector, address(1)));
        vote(1, true, GROUNDS);
        uint64 deadline = court.caseOf(ID).deadline;
        waitFor();
        VM.expectRevert(abi.encodeWithSelector(ICourt.DeadlinePassed.selector, deadline));
        vote(2, true, GROUNDS);
    }

    function test_two_thirds_of_the_stake_decide_at_once() external {
        judging();
        vote(1, true, hashOf(shares()));
        phase(ICourt.Phase.Judging);
        VM.expectEmit(address(court));
        emit ICourt.Decision(ID, ICourt.Verdict.Wrong, hashOf(shares()), 1030);
        vote(2, true, hashOf(shares()));
        phase(ICourt.Phase.Decided);
        VM.roll(1031);
        court.advance(ID);
        phase(ICourt.Phase.Final);
        court.execute(ID, shares());
        require(receipts.wrong() && receipts.correctedCount() == 1);
    }

    function test_stake_counts_not_heads() external {
        VM.prank(address(3));
        court.stake{value: 9 ether}();
        judging();
        vote(3, false, 0);
        phase(ICourt.Phase.Decided);
        require(court.caseOf(ID).verdict == ICourt.Verdict.Right);
    }

    function test_without_two_thirds_the_receipt_stands() external {
        judging();
        vote(1, true, hashOf(shares()));
        vote(2, false, 0);
        waitFor();
        court.advance(ID);
        require(court.caseOf(ID).verdict == ICourt.Verdict.Right && court.caseOf(ID).corrected == 0);
        waitFor();
        court.advance(ID);
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongCorrected.selector, bytes32(0), hashOf(shares())));
        court.execute(ID, shares());
        court.execute(ID, none());
        require(receipts.resolved() && !receipts.wrong());
    }

    function test_corrected_shares_with_most_stake_count() external {
        judging();
        vote(1, true, GROUNDS);
        VM.prank(address(2));
        court.vote(ID, true, hashOf(shares()));
        // The first to reach the most stays ahead of an equal.
        require(court.caseOf(ID).corrected == GROUNDS);
    }

    // ── Appeal ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_appeal_is_the_losers_once_with_its_bond() external {
        judging();
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongPhase.selector, ID, ICourt.Phase.Judging));
        court.appeal{value: BOND}(ID);
        vote(1, true, GROUNDS);
        vote(2, true, GROUNDS);
        VM.expectRevert(abi.encodeWithSelector(ICourt.NotParty.selector, CHALLENGER));
        VM.prank(CHALLENGER);
        court.appeal{value: BOND}(ID);
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongStake.selector, BOND, BOND - 1));
        VM.prank(ATTESTOR);
        court.appeal{value: BOND - 1}(ID);
        VM.expectEmit(address(court));
        emit ICourt.Appealed(ID, ATTESTOR, BOND, 1020);
        VM.prank(ATTESTOR);
        court.appeal{value: BOND}(ID);
        ICourt.Case memory c = court.caseOf(ID);
        require(c.stakeTotal == 5 ether && c.stakeWrong == 0 && c.appellant == ATTESTOR && c.appealBond == BOND);
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongPhase.selector, ID, ICourt.Phase.Appealed));
        VM.prank(ATTESTOR);
        court.appeal{value: BOND}(ID);
    }

    function test_appeal_comes_too_late_after_its_period() external {
        decided(false);
        uint64 deadline = court.caseOf(ID).deadline;
        waitFor();
        VM.expectRevert(abi.encodeWithSelector(ICourt.DeadlinePassed.selector, deadline));
        VM.prank(CHALLENGER);
        court.appeal{value: BOND}(ID);
    }

    function test_appeal_that_changes_the_verdict_gets_its_bond_back() external {
        appealed(true);
        require(ATTESTOR.balance == 100 ether - BOND);
        for (uint160 i = 1; i <= 4; i++) {
            vote(i, false, 0);
        }
        phase(ICourt.Phase.Final);
        require(ATTESTOR.balance == 100 ether && court.caseOf(ID).verdict == ICourt.Verdict.Right);
        for (uint160 i = 1; i <= 5; i++) {
            (, uint256 openCases) = court.stakeOf(address(i));
            require(openCases == 0);
        }
    }

    function test_appellant_that_refuses_its_bond_does_not_hold_the_case() external {
        appealed(true);
        // Runs for ever.
        VM.etch(ATTESTOR, hex"5b5f56");
        uint256 burned = address(0).balance;
        for (uint160 i = 1; i <= 4; i++) {
            vote(i, false, 0);
        }
        phase(ICourt.Phase.Final);
        require(address(0).balance == burned + BOND);
    }

    function test_appeal_that_fails_burns_its_bond() external {
        appealed(false);
        uint256 burned = address(0).balance;
        for (uint160 i = 2; i <= 5; i++) {
            vote(i, false, 0);
        }
        phase(ICourt.Phase.Final);
        require(address(0).balance == burned + BOND && address(court).balance == 5 ether);
    }

    function test_appeal_without_two_thirds_leaves_the_first_verdict() external {
        appealed(true);
        vote(1, false, 0);
        waitFor();
        court.advance(ID);
        ICourt.Case memory c = court.caseOf(ID);
        require(c.phase == ICourt.Phase.Final && c.verdict == ICourt.Verdict.Wrong);
        require(c.corrected == hashOf(shares()) && address(0).balance >= BOND);
    }

    function test_sets_of_a_case_are_those_of_its_challenge() external {
        open();
        VM.prank(OWNER);
        court.setJudges(MODEL, set(1), set(2));
        VM.prank(ATTESTOR);
        court.deliver(ID, EVIDENCE, "");
        vote(3, true, GROUNDS);
        vote(2, true, GROUNDS);
        VM.prank(ATTESTOR);
        court.appeal{value: BOND}(ID);
        require(court.caseOf(ID).stakeTotal == 5 ether);
    }

    function test_refused_shares_do_not_hold_a_bond_for_ever() external {
        decided(true);
        waitFor();
        court.advance(ID);
        receipts.refuseShares();
        VM.expectRevert(abi.encodeWithSelector(IAttribution.WrongShareSum.selector, 1));
        court.execute(ID, shares());
        VM.expectRevert(abi.encodeWithSelector(ICourt.WrongCorrected.selector, hashOf(shares()), hashOf(none())));
        court.execute(ID, none());
        VM.roll(court.caseOf(ID).deadline + 20);
        court.execute(ID, none());
        require(receipts.resolved());
    }
}
