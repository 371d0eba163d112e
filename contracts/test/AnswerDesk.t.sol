// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";
import {ATTRIBUTION, DATANETS, OpenLedger, PAYOUTS} from "../src/OpenLedger.sol";
import {AnswerDesk} from "../src/examples/AnswerDesk.sol";
import {IAttribution} from "../src/interfaces/IAttribution.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {IPayouts} from "../src/interfaces/IPayouts.sol";
import {Requests} from "../src/library/Requests.sol";
import {Precompiles} from "./Precompiles.sol";
import {RefusingReceiver} from "./Receivers.sol";
import {VM} from "./Vm.sol";

contract AnswerDeskTest is Precompiles {
    uint256 private constant DEPOSIT = 0.1 ether;
    uint64 private constant DEADLINE = 1100;
    bytes32 private constant ROOT = "root";
    bytes32 private constant SALT = "salt";
    address private constant SERVER = address(0x5e44e4);
    uint256 private constant VISITOR_KEY = 0x5157;

    address private immutable visitor = VM.addr(VISITOR_KEY);
    AnswerDesk private desk;
    /// @dev A model on data that is not the desk's.
    uint64 private model;
    uint64 private foreign;

    function setUp() external {
        VM.warp(1000);
        VM.deal(visitor, 10 ether);
        desk = new AnswerDesk("schema", "law", "ipfs://desk");
        uint64 datanet = createDatanet(SERVER, "other");
        foreign = contribute(SERVER, datanet, 10);
        publish(datanet, foreign);
        model = registerModel(SERVER, datanet);
    }

    function test_desk_owns_its_datanet() external view {
        IDatanets.Datanet memory datanet = DATANETS.datanetOf(desk.datanet());
        require(datanet.owner == address(desk) && datanet.schemaHash == "schema");
        require(keccak256(bytes(datanet.domain)) == keccak256("law") && desk.keeper() == address(this));
        require(datanetToken.ownerOf(desk.datanet()) == address(desk));
    }

    function test_pledge_then_contribute_gives_the_deposit_back() external {
        uint256 before = address(this).balance;
        bytes32 commitment = desk.commitmentOf(ROOT, SALT);
        require(commitment == keccak256(abi.encode(block.chainid, uint64(1), address(desk), ROOT, SALT)));
        VM.expectEmit(address(desk));
        emit AnswerDesk.Pledged(1, commitment, 2, DEPOSIT);
        require(desk.pledge{value: DEPOSIT}(commitment) == 2 && address(this).balance == before - DEPOSIT);
        VM.roll(block.number + 1);
        VM.expectEmit(address(desk));
        emit AnswerDesk.Contributed(1, 2, 12);
        require(desk.contribute(ROOT, SALT, 12, 3, 0) == 2);
        IDatanets.Contribution memory contribution = DATANETS.contributionOf(2);
        require(contribution.owner == address(desk) && contribution.root == ROOT && contribution.rows == 12);
        require(address(this).balance == before && address(desk).balance == 0);
    }

    function test_reveal_in_the_pledges_block_is_too_early() external {
        desk.pledge{value: DEPOSIT}(desk.commitmentOf(ROOT, SALT));
        VM.expectRevert(abi.encodeWithSelector(IDatanets.RevealTooEarly.selector, uint64(block.number + 1)));
        desk.contribute(ROOT, SALT, 12, 3, 0);
    }

    function test_wrong_deposit_is_refused() external {
        VM.expectRevert(abi.encodeWithSelector(IDatanets.WrongDeposit.selector, DEPOSIT, DEPOSIT + 1));
        desk.pledge{value: DEPOSIT + 1}("commitment");
    }

    function test_stake_comes_back_to_the_keeper() external {
        uint256 before = address(this).balance;
        VM.expectEmit(address(desk));
        emit AnswerDesk.Staked(3 ether, 0);
        desk.stake{value: 3 ether}();
        VM.expectEmit(address(desk));
        emit AnswerDesk.Staked(1 ether, 0);
        desk.unstake(2 ether);
        require(address(this).balance == before - 1 ether && desk.terms().bonded == 1 ether);
        VM.expectRevert(abi.encodeWithSelector(IAttribution.BondTooSmall.selector, 1 ether, 2 ether));
        desk.unstake(2 ether);
    }

    function test_only_the_keeper_keeps() external {
        bytes[7] memory calls = [
            abi.encodeCall(AnswerDesk.pledge, ("commitment")),
            abi.encodeCall(AnswerDesk.contribute, (ROOT, SALT, 12, 3, 0)),
            abi.encodeCall(AnswerDesk.publish, (new uint64[](0), ROOT, 0)),
            abi.encodeCall(AnswerDesk.stake, ()),
            abi.encodeCall(AnswerDesk.unstake, (0)),
            abi.encodeCall(AnswerDesk.attest, (receiptOf("request", 0))),
            abi.encodeCall(AnswerDesk.collect, (new uint64[](0)))
        ];
        for (uint256 i; i < calls.length; ++i) {
            VM.prank(visitor);
            (bool done, bytes memory reason) = address(desk).call(calls[i]);
            require(
                !done && keccak256(reason) == keccak256(abi.encodeWithSelector(AnswerDesk.NotKeeper.selector, visitor))
            );
        }
    }

    function test_unanswered_question_costs_nothing() external {
        bytes32 requestId = askDesk(2 ether);
        IPayouts.Request memory request = PAYOUTS.requestOf(requestId);
        require(request.payer == address(desk) && request.maxFee == 2 ether && desk.askerOf(requestId) == visitor);
        VM.warp(DEADLINE);
        VM.expectRevert(abi.encodeWithSelector(Requests.StillWaiting.selector, requestId, DEADLINE));
        desk.settleUp(requestId);
        VM.warp(DEADLINE + 1);
        VM.expectEmit(address(desk));
        emit AnswerDesk.Returned(requestId, visitor, 2 ether);
        require(desk.settleUp(requestId) == 2 ether && desk.owedTo(visitor) == 2 ether);
        require(withdrawn() == 2 ether && visitor.balance == 10 ether && address(desk).balance == 0);
        VM.expectRevert(abi.encodeWithSelector(AnswerDesk.NotAsked.selector, requestId));
        desk.settleUp(requestId);
    }

    function test_refund_by_a_stranger_still_reaches_the_asker() external {
        bytes32 requestId = askDesk(2 ether);
        VM.warp(DEADLINE + 1);
        PAYOUTS.refund(requestId);
        require(visitor.balance == 8 ether && address(desk).balance == 2 ether);
        desk.settleUp(requestId);
        require(withdrawn() == 2 ether && visitor.balance == 10 ether && address(desk).balance == 0);
    }

    function test_answered_question_costs_its_fee() external {
        bytes32 requestId = askDesk(2 ether);
        answer(requestId, foreign);
        require(desk.settleUp(requestId) == 2 ether - ANSWER_FEE && desk.priceOf(model, 100, 100) == ANSWER_FEE);
        require(withdrawn() == 2 ether - ANSWER_FEE && address(desk).balance == 0 && desk.reserved() == 0);
    }

    function test_question_to_no_model_is_refused() external {
        VM.expectRevert(abi.encodeWithSelector(IAttribution.UnknownModel.selector, uint64(2)));
        VM.prank(visitor);
        desk.ask{value: 1 ether}(2, "prompt", DEADLINE);
        require(visitor.balance == 10 ether && desk.reserved() == 0);
    }

    function test_same_question_twice_is_refused() external {
        bytes32 requestId = askDesk(2 ether);
        VM.expectRevert(abi.encodeWithSelector(IPayouts.RequestExists.selector, requestId));
        VM.prank(visitor);
        desk.ask{value: 1 ether}(model, "prompt", DEADLINE);
        require(desk.reserved() == 2 ether);
    }

    function test_visitor_that_takes_no_money_harms_nobody() external {
        address stuck = address(new RefusingReceiver());
        VM.deal(stuck, 1 ether);
        VM.prank(stuck);
        bytes32 requestId = desk.ask{value: 1 ether}(model, "its prompt", DEADLINE);
        bytes32 other = askDesk(2 ether);
        owe(address(desk), 3 ether);
        VM.warp(DEADLINE + 1);
        desk.settleUp(requestId);
        desk.settleUp(other);
        VM.expectRevert(abi.encodeWithSelector(Errors.FailedCall.selector));
        VM.prank(stuck);
        desk.withdraw(payable(stuck));
        require(withdrawn() == 2 ether && desk.collect(new uint64[](0)) == 3 ether);
        require(address(desk).balance == 1 ether && desk.owedTo(stuck) == 1 ether);
        // It can still be paid elsewhere.
        VM.prank(stuck);
        require(desk.withdraw(payable(visitor)) == 1 ether && desk.reserved() == 0);
    }

    function test_withdrawing_within_a_withdrawal_gives_nothing_more() external {
        GreedyVisitor greedy = new GreedyVisitor{value: 2 ether}(desk);
        bytes32 requestId = greedy.ask(model, DEADLINE);
        bytes32 other = askDesk(2 ether);
        VM.warp(DEADLINE + 1);
        desk.settleUp(requestId);
        desk.settleUp(other);
        greedy.withdraw();
        require(greedy.refused() && address(greedy).balance == 2 ether);
        require(withdrawn() == 2 ether);
    }

    function test_what_the_desk_earned_goes_to_its_keeper() external {
        uint64[] memory contributions = new uint64[](1);
        contributions[0] = contributed();
        require(desk.publish(contributions, 0, 0) == 1);
        uint64 own = registerModel(SERVER, desk.datanet());
        VM.prank(SERVER);
        ATTRIBUTION.setAttestor(own, address(desk), true);
        desk.stake{value: 1 ether}();
        VM.deal(address(0xa11), 1 ether);
        bytes32 requestId = ask(address(0xa11), own, 1 ether);
        desk.attest(receiptOf(requestId, contributions[0]));
        (, uint256 locked) = ATTRIBUTION.bondOf(address(desk));
        require(locked == ANSWER_INCOME);

        uint256 before = address(this).balance;
        uint256 earned = ANSWER_INCOME + ANSWER_FEE / 20;
        require(desk.collect(contributions) == earned && address(this).balance == before + earned);
        VM.expectRevert(abi.encodeWithSelector(AnswerDesk.NothingOwed.selector, address(this)));
        desk.collect(contributions);
    }

    /// @dev Anyone may have an account paid; the money must not get lost among visitors'.
    function test_income_that_a_stranger_claimed_for_the_desk_is_the_keepers() external {
        bytes32 requestId = askDesk(2 ether);
        owe(address(desk), 5 ether);
        PAYOUTS.claimFor(address(desk));
        require(desk.collect(new uint64[](0)) == 3 ether, "kept until it is known whose it is");
        VM.warp(DEADLINE + 1);
        desk.settleUp(requestId);
        require(desk.collect(new uint64[](0)) == 2 ether && withdrawn() == 2 ether && address(desk).balance == 0);
    }

    /// @dev Whatever happens in whatever order: visitors can always be paid, and nothing is left in the end.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_nobody_is_paid_with_anothers_money(uint256 seed) external {
        uint64[] memory none = new uint64[](0);
        bytes32[] memory asked = new bytes32[](12);
        uint256 spent = 0;
        uint256 earned = 0;
        for (uint256 i; i < asked.length; ++i) {
            uint256 roll = uint256(keccak256(abi.encode(seed, i)));
            uint256 escrow = ANSWER_FEE + roll % 0.5 ether;
            VM.prank(visitor);
            asked[i] = desk.ask{value: escrow}(model, bytes32(i), uint64(block.timestamp) + 40);
            if (roll >> 64 & 1 == 1) {
                answer(asked[i], foreign);
                spent += ANSWER_FEE;
            }
            if (roll >> 65 & 1 == 1) {
                owe(address(desk), roll >> 200);
                earned += roll >> 200;
            }
            if (roll >> 66 & 1 == 1 && PAYOUTS.creditOf(address(desk)) > 0) PAYOUTS.claimFor(address(desk));
            if (roll >> 67 & 1 == 1) VM.warp(block.timestamp + 25);
            uint256 other = roll >> 68 & 7;
            if (other <= i && desk.askerOf(asked[other]) != address(0)) try desk.settleUp(asked[other]) {} catch {}
            uint256 keepers = address(this).balance;
            try desk.collect(none) {} catch {}
            earned -= address(this).balance - keepers;
            if (roll >> 71 & 1 == 1 && desk.owedTo(visitor) > 0) withdrawn();
        }
        VM.warp(block.timestamp + 41);
        for (uint256 i; i < asked.length; ++i) {
            if (desk.askerOf(asked[i]) != address(0)) desk.settleUp(asked[i]);
        }
        if (desk.owedTo(visitor) > 0) withdrawn();
        require(visitor.balance == 10 ether - spent, "visitors paid for answers alone");
        if (earned > 0) require(desk.collect(none) == earned, "the keeper gets all that was earned");
        require(address(desk).balance == 0 && desk.reserved() == 0);
    }

    function test_asker_hands_its_prompt_over_in_the_desks_name() external {
        bytes32 requestId = askDesk(2 ether);
        bytes32 digest = OpenLedger.handOverDigest(requestId);
        bytes memory signature = bytes.concat(requestId, signed(VISITOR_KEY, digest));
        require(desk.isValidSignature(digest, signature) == IERC1271.isValidSignature.selector);
        require(desk.isValidSignature("another hash", signature) == 0xffffffff);
        bytes memory byAnother = bytes.concat(requestId, signed(1, digest));
        require(desk.isValidSignature(digest, byAnother) == 0xffffffff);
        require(desk.isValidSignature(digest, "") == 0xffffffff);
        // A signature by the asker over anything else is worth nothing.
        bytes32 claim = OpenLedger.claimDigest(address(desk), visitor, 0, DEADLINE);
        require(desk.isValidSignature(claim, bytes.concat(requestId, signed(VISITOR_KEY, claim))) == 0xffffffff);
    }

    function test_terms_are_the_chains() external view {
        AnswerDesk.Terms memory terms = desk.terms();
        require(terms.datanets == 2 && terms.models == 1 && terms.challengeWindow == 60);
        require(terms.minimumDeadline == 30 && terms.maximumDeadline == 3_600 && terms.commitDeposit == DEPOSIT);
    }

    /// @dev A contribution of the desk.
    function contributed() private returns (uint64 contribution) {
        desk.pledge{value: DEPOSIT}(desk.commitmentOf(ROOT, SALT));
        VM.roll(block.number + 1);
        return desk.contribute(ROOT, SALT, 12, 3, 0);
    }

    function receiptOf(bytes32 requestId, uint64 contribution)
        private
        pure
        returns (IAttribution.Receipt memory receipt)
    {
        receipt.requestId = requestId;
        (receipt.tokensIn, receipt.tokensOut) = (ANSWER_TOKENS, ANSWER_TOKENS);
        receipt.shares = new IAttribution.ClusterShare[](1);
        receipt.shares[0] = IAttribution.ClusterShare(contribution, 0, 1_000_000);
    }

    function signed(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function withdrawn() private returns (uint256) {
        VM.prank(visitor);
        return desk.withdraw(payable(visitor));
    }

    function askDesk(uint256 maxFee) private returns (bytes32 requestId) {
        requestId = OpenLedger.requestIdOf(address(desk), model, "prompt", DEADLINE);
        VM.expectEmit(address(desk));
        emit AnswerDesk.Asked(requestId, visitor, model, maxFee, DEADLINE);
        VM.prank(visitor);
        require(desk.ask{value: maxFee}(model, "prompt", DEADLINE) == requestId);
    }
}

/// @dev Withdraws again while it is being paid.
contract GreedyVisitor {
    AnswerDesk private immutable desk;
    bool public refused;

    constructor(AnswerDesk desk_) payable {
        desk = desk_;
    }

    function ask(uint64 model, uint64 deadline) external returns (bytes32) {
        return desk.ask{value: address(this).balance}(model, "greedy", deadline);
    }

    function withdraw() external {
        desk.withdraw(payable(address(this)));
    }

    receive() external payable {
        try desk.withdraw(payable(address(this))) {}
        catch (bytes memory reason) {
            refused = bytes4(reason) == AnswerDesk.NothingOwed.selector;
        }
    }
}
