// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {COURT, DATANETS, OpenLedger} from "../../OpenLedger.sol";
import {IAttribution} from "../../interfaces/IAttribution.sol";
import {ICourt} from "../../interfaces/ICourt.sol";
import {IDatanets} from "../../interfaces/IDatanets.sol";
import {Licences} from "../../library/Licences.sol";
import {Lineage} from "../../library/Lineage.sol";
import {Receipts} from "../../library/Receipts.sol";
import {ApprovedAgent} from "../ApprovedAgent.sol";
import {Actor} from "./Actor.sol";
import {Scenario} from "./Scenario.sol";

/// @title AgentScenario
/// @notice An agent that trusts one Datanet is offered answers of every kind: it acts on the one that the chain shows to
/// come from that Datanet, once, and on no other. The scenario is its owner.
contract AgentScenario is Scenario {
    /// @dev Below what an answer must owe to the approved Datanet.
    uint32 private constant ENOUGH = 600_000;
    uint64 private constant MINIMUM_AGE = 2;
    uint256 private constant REWARD = 1 gwei;
    bytes private constant QUESTION = "Is the bridge open?";

    ApprovedAgent public immutable agent;
    /// @dev The same, but for its patience.
    ApprovedAgent public immutable hasty;
    Actor private immutable curator;
    Actor private immutable server;
    Actor private immutable stranger;
    /// @dev In the order of their addresses.
    Actor[2] private judges;
    uint64 private immutable approved;
    uint64 private immutable other;
    uint64 private contribution;
    uint64 private foreign;
    uint64 private model;
    bytes32 private salt;
    bytes32 private otherSalt;
    bytes32 private good;
    bytes32 private weak;
    bytes32 private challenged;
    bytes32 private late;
    bytes32 private stale;
    bytes32 private unanswered;
    mapping(bytes32 requestId => bytes32) private nameOf;

    constructor() {
        (judges[0], judges[1]) = (new Actor(), new Actor());
        if (address(judges[1]) < address(judges[0])) (judges[0], judges[1]) = (judges[1], judges[0]);
        (curator, server, stranger) = (new Actor(), new Actor(), new Actor());
        IDatanets.Rules memory rules;
        rules.revocableAllowed = true;
        bytes memory call = abi.encodeCall(
            IDatanets.createDatanetWith,
            (keccak256("schema"), "approved", "ipfs://approved", rules, new IDatanets.DatanetVersion[](0))
        );
        approved = abi.decode(curator.run(address(DATANETS), 0, call), (uint64));
        call = abi.encodeCall(IDatanets.createDatanet, (keccak256("schema"), "other", "ipfs://other"));
        other = abi.decode(curator.run(address(DATANETS), 0, call), (uint64));
        agent = hire(3_600);
        hasty = hire(MINIMUM_AGE + 1);
    }

    function steps() public pure override returns (uint256) {
        return 5;
    }

    function _play(uint256 step) internal override {
        if (step == 1) prepare();
        else if (step == 2) publish();
        else if (step == 3) question();
        else if (step == 4) act();
        else withdrawLicence();
    }

    function prepare() private {
        (salt, otherSalt) = (newSalt(), newSalt());
        commit(curator, approved, salt);
        commit(curator, other, otherSalt);
        wait(1);
    }

    function publish() private {
        uint16 uses = Licences.TRAIN | Licences.SERVE;
        IDatanets.Terms memory terms = Licences.limited(uses, Licences.COMMERCIAL | Licences.RESEARCH, 0);
        terms.revocable = true;
        contribution = reveal(curator, approved, salt, 10, terms);
        foreign = reveal(curator, other, otherSalt, 10, Licences.open(uses));
        publish(approved, contribution);
        publish(other, foreign);
        model = register(server, approved, Licences.COMMERCIAL | Licences.RESEARCH);
        teach(agent);
        teach(hasty);

        uint64 research = register(server, approved, Licences.RESEARCH);
        bytes memory refusal = abi.encodeWithSelector(
            Licences.PurposeNotCovered.selector, research, Licences.RESEARCH, Licences.COMMERCIAL
        );
        checkNotAsked(research, refusal, "a model for other purposes is not paid");
        uint64 unapproved = register(server, other, 0);
        refusal = abi.encodeWithSelector(Lineage.NotApproved.selector, unapproved, other);
        checkNotAsked(unapproved, refusal, "a model of other data is not paid");
        wait(1);
    }

    function question() private {
        (good, weak, challenged) = (askAs(agent, "good"), askAs(agent, "weak"), askAs(agent, "challenged"));
        (late, unanswered, stale) = (askAs(agent, "late"), askAs(agent, "unanswered"), askAs(hasty, "stale"));
        reply(good, ENOUGH);
        reply(weak, ENOUGH - 1);
        reply(challenged, ENOUGH);
        reply(late, ENOUGH);
        reply(stale, ENOUGH);

        bytes memory refusal = abi.encodeWithSelector(Receipts.NotSettled.selector, unanswered);
        checkNoAct(agent, unanswered, opening("unanswered"), refusal, "no answer is nothing to act on");
        refusal = abi.encodeWithSelector(Receipts.TooYoung.selector, uint64(block.timestamp) + MINIMUM_AGE);
        checkNoAct(agent, good, opening("good"), refusal, "an answer has to stand a while");
        refusal = abi.encodeWithSelector(ApprovedAgent.NotAskedHere.selector, good);
        checkNoAct(hasty, good, opening("good"), refusal, "an answer to another agent is no answer");
        challenge();
        refusal = abi.encodeWithSelector(Receipts.Disputed.selector, IAttribution.ReceiptStatus.Frozen);
        checkNoAct(agent, challenged, opening("challenged"), refusal, "a challenged answer is not acted on");
        wait(MINIMUM_AGE + 2);
    }

    function act() private {
        ApprovedAgent.Opening memory false_ = opening("good");
        false_.answer[0] = 8;
        bytes32 answerHash = OpenLedger.answerHashOf(false_.answerSalt, false_.answer);
        bytes memory refusal =
            abi.encodeWithSelector(Receipts.AnotherAnswer.selector, answerHashFor("good"), answerHash);
        checkNoAct(agent, good, false_, refusal, "another answer is not what the receipt is for");
        false_ = opening("good");
        false_.prompt = "Is the bridge closed?";
        bytes32 promptHash = OpenLedger.promptHashOf(false_.promptSalt, false_.prompt);
        refusal = abi.encodeWithSelector(
            ApprovedAgent.AnotherQuestion.selector, OpenLedger.promptHashOf("good", QUESTION), promptHash
        );
        checkNoAct(agent, good, false_, refusal, "nor is another question");
        refusal = abi.encodeWithSelector(Lineage.TooLittle.selector, ENOUGH, ENOUGH - 1);
        checkNoAct(agent, weak, opening("weak"), refusal, "too little of the answer is from approved data");
        refusal = abi.encodeWithSelector(Receipts.TooOld.selector, settledAt() + MINIMUM_AGE + 1);
        checkNoAct(hasty, stale, opening("stale"), refusal, "an old answer is not acted on");

        uint256 before = address(stranger).balance;
        stranger.run(address(agent), 0, abi.encodeCall(ApprovedAgent.act, (good, opening("good"))));
        check(address(stranger).balance == before + REWARD, "the agent acts, whoever calls");
        refusal = abi.encodeWithSelector(ApprovedAgent.AlreadyActedOn.selector, good);
        checkNoAct(agent, good, opening("good"), refusal, "it acts on an answer once");
        wait(1);
    }

    function withdrawLicence() private {
        check(agent.check(late, opening("late")) != 0, "it would act while the licence holds");
        bytes memory call = abi.encodeCall(IDatanets.withdrawLicence, (contribution, 0));
        curator.run(address(DATANETS), 0, call);
        bytes memory refusal =
            abi.encodeWithSelector(Licences.ModelEnded.selector, model, uint64(block.timestamp) - 1, contribution);
        checkNoAct(agent, late, opening("late"), refusal, "not once the licence is withdrawn");
        agent.withdraw(payable(address(this)), address(agent).balance);
    }

    /// @dev For the constructor alone, so that the code of agents is no part of this contract's own.
    function hire(uint64 maximumAge) private returns (ApprovedAgent) {
        ApprovedAgent.Policy memory policy;
        (policy.datanets, policy.minimumPpm, policy.purposes) = (list(approved), ENOUGH, Licences.COMMERCIAL);
        (policy.minimumAge, policy.maximumAge) = (MINIMUM_AGE, maximumAge);
        return new ApprovedAgent(address(this), policy);
    }

    // ── Props ──────────────────────────────────────────────────────────────────────────────────────────────────────

    function publish(uint64 datanet, uint64 rows) private {
        bytes memory call = abi.encodeCall(IDatanets.publishVersion, (datanet, list(rows), bytes32(0), 0));
        curator.run(address(DATANETS), 0, call);
    }

    function teach(ApprovedAgent pupil) private {
        (bool paid,) = address(pupil).call{value: 8 * MAX_FEE}("");
        check(paid, "agents take money");
        ApprovedAgent.Opening memory known = opening("good");
        bytes32 lesson = pupil.lessonOf(known.prompt, known.answer);
        pupil.teach(lesson, ApprovedAgent.Action(address(stranger), REWARD, ""));
    }

    function opening(bytes32 name) private pure returns (ApprovedAgent.Opening memory shown) {
        (shown.promptSalt, shown.prompt) = (name, QUESTION);
        shown.answerSalt = keccak256(abi.encode(name));
        shown.answer = new uint32[](2);
        (shown.answer[0], shown.answer[1]) = (7, 42);
    }

    function answerHashFor(bytes32 name) private pure returns (bytes32) {
        ApprovedAgent.Opening memory shown = opening(name);
        return OpenLedger.answerHashOf(shown.answerSalt, shown.answer);
    }

    function askAs(ApprovedAgent asking, bytes32 name) private returns (bytes32 requestId) {
        requestId = asking.ask(model, OpenLedger.promptHashOf(name, QUESTION), MAX_FEE, 60);
        nameOf[requestId] = name;
    }

    function reply(bytes32 requestId, uint32 ppm) private {
        answer(server, requestId, answerHashFor(nameOf[requestId]), shareOf(contribution, ppm));
    }

    /// @dev All answers were settled in one block.
    function settledAt() private view returns (uint64) {
        return Receipts.get(good).settledAt;
    }

    function checkNotAsked(uint64 unfit, bytes memory refusal, string memory fact) private {
        try agent.ask(unfit, bytes32("prompt"), MAX_FEE, 60) {
            check(false, fact);
        } catch (bytes memory reason) {
            check(keccak256(reason) == keccak256(refusal), fact);
        }
    }

    function checkNoAct(
        ApprovedAgent asked,
        bytes32 requestId,
        ApprovedAgent.Opening memory shown,
        bytes memory refusal,
        string memory fact
    ) private {
        bytes memory call = abi.encodeCall(ApprovedAgent.act, (requestId, shown));
        checkRefused(stranger, address(asked), call, refusal, fact);
    }

    /// @dev Before the chain's own court: two judges, so that an appeal has more than the first set.
    function challenge() private {
        (Actor first, Actor second) = (judges[0], judges[1]);
        ICourt.Judge[] memory one = new ICourt.Judge[](1);
        ICourt.Judge[] memory both = new ICourt.Judge[](2);
        (one[0], both[0]) = (ICourt.Judge(address(first), "key"), ICourt.Judge(address(first), "key"));
        both[1] = ICourt.Judge(address(second), "key");
        first.run{value: 1}(address(COURT), 1, abi.encodeCall(ICourt.stake, ()));
        second.run{value: 1}(address(COURT), 1, abi.encodeCall(ICourt.stake, ()));
        server.run(address(COURT), 0, abi.encodeCall(ICourt.setJudges, (model, one, both)));
        // The case is opened by the model's sets of that moment.
        uint256 stake = COURT.challengeStake();
        bytes memory call = abi.encodeCall(ICourt.challenge, (challenged, keccak256("grounds")));
        stranger.run{value: stake}(address(COURT), stake, call);
    }
}
