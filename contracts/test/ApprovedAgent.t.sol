// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {DATANETS, OpenLedger, PAYOUTS} from "../src/OpenLedger.sol";
import {ApprovedAgent} from "../src/examples/ApprovedAgent.sol";
import {IAttribution} from "../src/interfaces/IAttribution.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {IPayouts} from "../src/interfaces/IPayouts.sol";
import {Licences} from "../src/library/Licences.sol";
import {Lineage} from "../src/library/Lineage.sol";
import {Receipts} from "../src/library/Receipts.sol";
import {OpenLedgerTest} from "../src/testing/OpenLedgerTest.sol";
import {VM} from "./Vm.sol";

contract ApprovedAgentTest is OpenLedgerTest {
    uint256 private constant OWNER_KEY = 0x0e4;
    address private constant CURATOR = address(0xc04a);
    address private constant SERVER = address(0x5e44e4);
    uint32 private constant ENOUGH = 600_000;
    bytes private constant QUESTION = "Is the bridge open?";

    address private immutable owner = VM.addr(OWNER_KEY);
    ApprovedAgent private agent;
    Lamp private lamp;
    uint64 private approved;
    uint64 private other;
    uint64 private contribution;
    uint64 private foreign;
    uint64 private model;

    function setUp() external {
        VM.warp(1_000_000);
        setUpOpenLedger();
        IDatanets.Rules memory rules;
        rules.revocableAllowed = true;
        VM.prank(CURATOR);
        approved = DATANETS.createDatanetWith(
            "schema", "approved", "ipfs://approved", rules, new IDatanets.DatanetVersion[](0)
        );
        other = createDatanet(CURATOR, "other");
        IDatanets.Terms memory terms = Licences.limited(3, Licences.COMMERCIAL | Licences.RESEARCH, 0);
        terms.revocable = true;
        contribution = contribute(CURATOR, approved, 10, terms);
        foreign = contribute(CURATOR, other, 10);
        publish(approved, contribution);
        publish(other, foreign);
        model = registerModel(SERVER, approved, extrasFor(Licences.COMMERCIAL | Licences.RESEARCH));
        agent = hire(policyOf(list(approved)));
        lamp = new Lamp();
        teach(ApprovedAgent.Action(address(lamp), 1 gwei, abi.encodeCall(Lamp.light, (7))));
    }

    // ── Policies and lessons ───────────────────────────────────────────────────────────────────────────────────────

    function test_policy_that_makes_no_sense_is_refused() external {
        ApprovedAgent.Policy memory policy = policyOf(new uint64[](0));
        VM.expectRevert(abi.encodeWithSelector(ApprovedAgent.NoDatanets.selector));
        new ApprovedAgent(owner, policy);
        policy = policyOf(list(99));
        VM.expectRevert(abi.encodeWithSelector(IDatanets.UnknownDatanet.selector, uint64(99)));
        new ApprovedAgent(owner, policy);
        policy.datanets = new uint64[](2);
        (policy.datanets[0], policy.datanets[1]) = (other, approved);
        VM.expectRevert(abi.encodeWithSelector(Lineage.NotASet.selector, 1));
        new ApprovedAgent(owner, policy);
        policy = policyOf(list(approved));
        policy.maximumAge = policy.minimumAge;
        VM.expectRevert(abi.encodeWithSelector(ApprovedAgent.AgesCross.selector, uint64(60), uint64(60)));
        new ApprovedAgent(owner, policy);
        policy = policyOf(list(approved));
        policy.minimumPpm = 1_000_001;
        VM.expectRevert(abi.encodeWithSelector(ApprovedAgent.PpmTooHigh.selector, uint32(1_000_001)));
        new ApprovedAgent(owner, policy);
    }

    function test_only_the_owner_asks_teaches_and_withdraws() external {
        bytes memory refusal = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this));
        VM.expectRevert(refusal);
        agent.ask(model, "prompt", 1 ether, 60);
        VM.expectRevert(refusal);
        agent.teach("lesson", ApprovedAgent.Action(address(lamp), 0, ""));
        VM.expectRevert(refusal);
        agent.withdraw(payable(address(this)), 1);
        VM.prank(owner);
        agent.withdraw(payable(address(0xa11)), 1 ether);
        require(address(0xa11).balance == 1 ether && agent.policy().datanets[0] == approved);
    }

    // ── What is not worth asking ───────────────────────────────────────────────────────────────────────────────────

    function test_model_of_other_data_is_not_paid() external {
        uint64 unapproved = registerModel(SERVER, other);
        VM.expectRevert(abi.encodeWithSelector(Lineage.NotApproved.selector, unapproved, other));
        VM.prank(owner);
        agent.ask(unapproved, "prompt", 1 ether, 60);
        uint64[] memory both = new uint64[](2);
        (both[0], both[1]) = (approved, other);
        uint64 mixed = registerModel(SERVER, both, extrasFor(Licences.COMMERCIAL));
        VM.expectRevert(abi.encodeWithSelector(Lineage.NotApproved.selector, mixed, other));
        VM.prank(owner);
        agent.ask(mixed, "prompt", 1 ether, 60);
    }

    function test_model_for_other_purposes_is_not_paid() external {
        uint64 research = registerModel(SERVER, approved, extrasFor(Licences.RESEARCH));
        VM.expectRevert(
            abi.encodeWithSelector(
                Licences.PurposeNotCovered.selector, research, Licences.RESEARCH, Licences.COMMERCIAL
            )
        );
        VM.prank(owner);
        agent.ask(research, "prompt", 1 ether, 60);
    }

    // ── Acting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function test_agent_acts_once_on_a_good_answer_whoever_calls() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        bytes32 lesson = agent.lessonOf(QUESTION, opening().answer);
        VM.expectEmit(address(agent));
        emit ApprovedAgent.Acted(requestId, lesson, address(lamp), abi.encode(uint256(14)));
        VM.prank(address(0xb));
        agent.act(requestId, opening());
        require(lamp.brightness() == 7 && address(lamp).balance == 1 gwei);
        require(agent.questionOf(requestId) == ApprovedAgent.Question.ActedOn);
        VM.expectRevert(abi.encodeWithSelector(ApprovedAgent.AlreadyActedOn.selector, requestId));
        agent.act(requestId, opening());
    }

    function test_answers_to_others_are_nothing_to_act_on() external {
        ApprovedAgent twin = hire(policyOf(list(approved)));
        bytes32 requestId = asked();
        reply(requestId, 1_000_000);
        nextBlocks(60);
        VM.expectRevert(abi.encodeWithSelector(ApprovedAgent.NotAskedHere.selector, requestId));
        twin.act(requestId, opening());
    }

    function test_unanswered_question_is_nothing_to_act_on_and_its_money_comes_back() external {
        uint256 before = address(agent).balance;
        bytes32 requestId = asked();
        VM.expectRevert(abi.encodeWithSelector(Receipts.NotSettled.selector, requestId));
        agent.act(requestId, opening());
        nextBlocks(601);
        PAYOUTS.refund(requestId);
        require(address(agent).balance == before);
        VM.expectRevert(abi.encodeWithSelector(Receipts.NotSettled.selector, requestId));
        agent.act(requestId, opening());
    }

    function test_answer_is_neither_too_young_nor_too_old() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        uint64 settledAt = uint64(block.timestamp);
        VM.warp(settledAt + 59);
        VM.expectRevert(abi.encodeWithSelector(Receipts.TooYoung.selector, settledAt + 60));
        agent.check(requestId, opening());
        VM.warp(settledAt + 60);
        agent.check(requestId, opening());
        VM.warp(settledAt + 600);
        agent.check(requestId, opening());
        VM.warp(settledAt + 601);
        VM.expectRevert(abi.encodeWithSelector(Receipts.TooOld.selector, settledAt + 600));
        agent.check(requestId, opening());
    }

    function test_disputed_answer_waits_for_the_court() external {
        (bytes32 right, bytes32 wrong) = (asked(), asked());
        reply(right, ENOUGH);
        reply(wrong, ENOUGH);
        freeze(right, address(0xc));
        freeze(wrong, address(0xc));
        nextBlocks(60);
        VM.expectRevert(abi.encodeWithSelector(Receipts.Disputed.selector, IAttribution.ReceiptStatus.Frozen));
        agent.act(right, opening());
        resolve(right, false);
        resolve(wrong, true);
        agent.act(right, opening());
        VM.expectRevert(abi.encodeWithSelector(Receipts.Disputed.selector, IAttribution.ReceiptStatus.Slashed));
        agent.act(wrong, opening());
    }

    function test_answer_that_the_court_found_right_is_never_too_young() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        freeze(requestId, address(0xc));
        resolve(requestId, false);
        agent.act(requestId, opening());
    }

    function test_receipt_is_for_exactly_this_question_and_this_answer() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        ApprovedAgent.Opening memory shown = opening();
        shown.prompt = "Is the bridge closed?";
        expectPartial(ApprovedAgent.AnotherQuestion.selector, requestId, shown);
        shown = opening();
        shown.promptSalt = "another";
        expectPartial(ApprovedAgent.AnotherQuestion.selector, requestId, shown);
        shown = opening();
        shown.answer[1] = 43;
        expectPartial(Receipts.AnotherAnswer.selector, requestId, shown);
        shown = opening();
        shown.answerSalt = "another";
        expectPartial(Receipts.AnotherAnswer.selector, requestId, shown);
    }

    function test_enough_of_the_answer_must_come_from_approved_rows() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH - 1);
        nextBlocks(60);
        VM.expectRevert(abi.encodeWithSelector(Lineage.TooLittle.selector, ENOUGH, ENOUGH - 1));
        agent.act(requestId, opening());
    }

    function test_withdrawn_licence_ends_acting_even_unseen() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        VM.prank(CURATOR);
        DATANETS.withdrawLicence(contribution, 0);
        VM.expectRevert(abi.encodeWithSelector(Licences.ModelStale.selector, model, uint64(1)));
        agent.check(requestId, opening());
        VM.expectRevert(
            abi.encodeWithSelector(Licences.ModelEnded.selector, model, uint64(block.timestamp) - 1, contribution)
        );
        agent.act(requestId, opening());
    }

    function test_unknown_lesson_is_nothing_to_do() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        teach(ApprovedAgent.Action(address(0), 0, ""));
        bytes32 lesson = agent.lessonOf(QUESTION, opening().answer);
        VM.expectRevert(abi.encodeWithSelector(ApprovedAgent.NothingToDo.selector, lesson));
        agent.act(requestId, opening());
    }

    // ── Actions that misbehave ─────────────────────────────────────────────────────────────────────────────────────

    function test_failed_action_is_told_and_can_be_tried_again() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        lamp.setBroken(true);
        VM.expectRevert(abi.encodeWithSelector(Lamp.Broken.selector));
        agent.act(requestId, opening());
        lamp.setBroken(false);
        agent.act(requestId, opening());
        require(lamp.brightness() == 7);
    }

    function test_action_that_the_agent_cannot_pay_fails() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        uint256 held = address(agent).balance;
        VM.prank(owner);
        agent.withdraw(payable(owner), held);
        VM.expectRevert(abi.encodeWithSelector(Errors.InsufficientBalance.selector, 0, 1 gwei));
        agent.act(requestId, opening());
    }

    function test_action_cannot_have_the_agent_act_again() external {
        bytes32 requestId = asked();
        reply(requestId, ENOUGH);
        nextBlocks(60);
        Echo echo = new Echo();
        teach(ApprovedAgent.Action(address(echo), 1 gwei, abi.encodeCall(Echo.ring, ())));
        echo.aim(agent, requestId, abi.encodeCall(ApprovedAgent.act, (requestId, opening())));
        agent.act(requestId, opening());
        require(echo.refused() && address(echo).balance == 1 gwei);
    }

    function test_owner_speaks_for_the_agent() external view {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(OWNER_KEY, "hash");
        bytes memory signature = abi.encodePacked(r, s, v);
        require(agent.isValidSignature("hash", signature) == IERC1271.isValidSignature.selector);
        require(agent.isValidSignature("other", signature) == 0xffffffff);
    }

    /// forge-config: default.fuzz.runs = 64
    function testFuzz_agent_acts_where_all_holds_and_nowhere_else(uint32 ppm, uint16 age, bool disputed) external {
        ppm = 1 + ppm % 1_000_000;
        age = age % 1_000;
        bytes32 requestId = asked();
        reply(requestId, ppm);
        if (disputed) freeze(requestId, address(0xc));
        VM.warp(block.timestamp + age);
        bool fit = ppm >= ENOUGH && age >= 60 && age <= 600 && !disputed;
        try agent.act(requestId, opening()) {
            require(fit, "acted where it may not");
        } catch {
            require(!fit, "did not act where it may");
        }
    }

    // ── Props ──────────────────────────────────────────────────────────────────────────────────────────────────────

    uint256 private questions;

    function hire(ApprovedAgent.Policy memory policy) private returns (ApprovedAgent hired) {
        hired = new ApprovedAgent(owner, policy);
        VM.deal(address(hired), 10 ether);
    }

    function teach(ApprovedAgent.Action memory action) private {
        bytes32 lesson = agent.lessonOf(QUESTION, opening().answer);
        VM.prank(owner);
        agent.teach(lesson, action);
    }

    function policyOf(uint64[] memory datanets) private pure returns (ApprovedAgent.Policy memory) {
        return ApprovedAgent.Policy(datanets, ENOUGH, Licences.COMMERCIAL, 0, 60, 600);
    }

    function extrasFor(uint32 purposes) private pure returns (IAttribution.ModelExtras memory extras) {
        extras.purposes = purposes;
    }

    function list(uint64 a) private pure returns (uint64[] memory numbers) {
        numbers = new uint64[](1);
        numbers[0] = a;
    }

    function opening() private pure returns (ApprovedAgent.Opening memory shown) {
        (shown.promptSalt, shown.prompt, shown.answerSalt) = ("prompt salt", QUESTION, "answer salt");
        shown.answer = new uint32[](2);
        (shown.answer[0], shown.answer[1]) = (7, 42);
    }

    /// @dev The same question each time; a name is free again a second later.
    function asked() private returns (bytes32 requestId) {
        nextBlocks(1);
        VM.prank(owner);
        requestId = agent.ask(model, OpenLedger.promptHashOf("prompt salt", QUESTION), 1 ether, 600);
        require(PAYOUTS.requestOf(requestId).status == IPayouts.Status.Open);
    }

    function reply(bytes32 requestId, uint32 ppm) private {
        IAttribution.ClusterShare[] memory shares = new IAttribution.ClusterShare[](1);
        shares[0] = IAttribution.ClusterShare(contribution, 3, ppm);
        answer(requestId, shares, OpenLedger.answerHashOf("answer salt", opening().answer));
    }

    function expectPartial(bytes4 selector, bytes32 requestId, ApprovedAgent.Opening memory shown) private {
        VM.expectPartialRevert(selector);
        agent.act(requestId, shown);
    }
}

/// @dev What the agent is taught to use.
contract Lamp {
    uint256 public brightness;
    bool private broken;

    error Broken();

    function setBroken(bool broken_) external {
        broken = broken_;
    }

    function light(uint256 level) external payable returns (uint256) {
        require(!broken, Broken());
        brightness = level;
        return 2 * level;
    }
}

/// @dev Has the agent act again while it acts.
contract Echo {
    ApprovedAgent private agent;
    bytes32 private requestId;
    bytes private call;
    bool public refused;

    function aim(ApprovedAgent agent_, bytes32 requestId_, bytes calldata call_) external {
        (agent, requestId, call) = (agent_, requestId_, call_);
    }

    function ring() external payable {
        (bool done, bytes memory reason) = address(agent).call(call);
        bytes memory expected = abi.encodeWithSelector(ApprovedAgent.AlreadyActedOn.selector, requestId);
        refused = !done && keccak256(reason) == keccak256(expected);
    }
}
