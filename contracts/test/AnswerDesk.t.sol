// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, DATANETS, PAYOUTS} from "../src/OpenLedger.sol";
import {AnswerDesk} from "../src/examples/AnswerDesk.sol";
import {IAttribution} from "../src/interfaces/IAttribution.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {IPayouts} from "../src/interfaces/IPayouts.sol";
import {RefusingReceiver} from "./Receivers.sol";
import {VM} from "./Vm.sol";
import {AttributionStandIn} from "./stand_ins/AttributionStandIn.sol";
import {PayoutsStandIn} from "./stand_ins/PayoutsStandIn.sol";
import {Precompiles} from "./stand_ins/Precompiles.sol";

contract AnswerDeskTest is Precompiles {
    uint256 private constant DEPOSIT = 0.1 ether;
    uint64 private constant DEADLINE = 1100;
    bytes32 private constant ROOT = "root";
    bytes32 private constant SALT = "salt";
    address private constant VISITOR = address(0x5157);

    AnswerDesk private desk;

    function setUp() external {
        VM.warp(1000);
        VM.deal(VISITOR, 10 ether);
        AttributionStandIn(address(ATTRIBUTION)).setModelCount(1);
        desk = new AnswerDesk("schema", "law", "ipfs://desk");
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
        emit AnswerDesk.Pledged(1, commitment, 1, DEPOSIT);
        require(desk.pledge{value: DEPOSIT}(commitment) == 1 && address(this).balance == before - DEPOSIT);
        VM.roll(block.number + 1);
        VM.expectEmit(address(desk));
        emit AnswerDesk.Contributed(1, 1, 12);
        require(desk.contribute(ROOT, SALT, 12, 3, 0) == 1);
        IDatanets.Contribution memory contribution = DATANETS.contributionOf(1);
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
        bytes memory refusal = abi.encodeWithSelector(AnswerDesk.NotKeeper.selector, VISITOR);
        VM.expectRevert(refusal);
        VM.prank(VISITOR);
        desk.pledge{value: DEPOSIT}("commitment");
        VM.expectRevert(refusal);
        VM.prank(VISITOR);
        desk.contribute(ROOT, SALT, 12, 3, 0);
        VM.expectRevert(refusal);
        VM.prank(VISITOR);
        desk.stake{value: 1}();
        VM.expectRevert(refusal);
        VM.prank(VISITOR);
        desk.unstake(0);
        VM.expectRevert(refusal);
        VM.prank(VISITOR);
        desk.collect(new uint64[](0));
    }

    function test_unanswered_question_costs_nothing() external {
        bytes32 requestId = ask(2 ether);
        IPayouts.Request memory request = PAYOUTS.requestOf(requestId);
        require(request.payer == address(desk) && request.maxFee == 2 ether && desk.askerOf(requestId) == VISITOR);
        VM.expectRevert(abi.encodeWithSelector(IPayouts.DeadlineNotPassed.selector, DEADLINE));
        desk.settleUp(requestId);
        VM.warp(DEADLINE + 1);
        VM.expectEmit(address(desk));
        emit AnswerDesk.Returned(requestId, VISITOR, 2 ether);
        require(desk.settleUp(requestId) == 2 ether && VISITOR.balance == 10 ether && address(desk).balance == 0);
        VM.expectRevert(abi.encodeWithSelector(AnswerDesk.NotAsked.selector, requestId));
        desk.settleUp(requestId);
    }

    function test_refund_by_a_stranger_still_reaches_the_asker() external {
        bytes32 requestId = ask(2 ether);
        VM.warp(DEADLINE + 1);
        PAYOUTS.refund(requestId);
        require(VISITOR.balance == 8 ether && address(desk).balance == 2 ether);
        desk.settleUp(requestId);
        require(VISITOR.balance == 10 ether && address(desk).balance == 0);
    }

    function test_answered_question_costs_its_fee() external {
        bytes32 requestId = ask(2 ether);
        PayoutsStandIn(address(PAYOUTS)).settle(requestId, 0.5 ether);
        require(desk.settleUp(requestId) == 1.5 ether && VISITOR.balance == 9.5 ether && address(desk).balance == 0);
    }

    function test_question_to_no_model_is_refused() external {
        VM.expectRevert(abi.encodeWithSelector(IAttribution.UnknownModel.selector, uint64(2)));
        VM.prank(VISITOR);
        desk.ask{value: 1 ether}(2, "prompt", DEADLINE);
        require(VISITOR.balance == 10 ether);
    }

    function test_asker_that_takes_no_money_keeps_its_place() external {
        address asker = address(new RefusingReceiver());
        VM.deal(asker, 1 ether);
        VM.prank(asker);
        bytes32 requestId = desk.ask{value: 1 ether}(1, "prompt", DEADLINE);
        VM.warp(DEADLINE + 1);
        VM.expectRevert(abi.encodeWithSelector(AnswerDesk.TransferFailed.selector, asker, 1 ether));
        desk.settleUp(requestId);
        require(desk.askerOf(requestId) == asker);
    }

    function test_what_the_desk_earned_goes_to_its_keeper() external {
        PayoutsStandIn payouts = PayoutsStandIn(address(PAYOUTS));
        uint64[] memory contributions = new uint64[](1);
        contributions[0] = contributed();
        payouts.credit{value: 1 ether}(address(desk));
        payouts.accrue{value: 3 ether}(contributions[0]);
        require(desk.terms().credit == 1 ether);
        uint256 before = address(this).balance;
        require(desk.collect(contributions) == 4 ether && address(this).balance == before + 4 ether);
        VM.expectRevert(abi.encodeWithSelector(IPayouts.NothingToClaim.selector, address(desk)));
        desk.collect(contributions);
    }

    function test_terms_are_the_chains() external view {
        AnswerDesk.Terms memory terms = desk.terms();
        require(terms.datanets == 1 && terms.models == 1 && terms.challengeWindow == 3600);
        require(terms.minimumDeadline == 30 && terms.maximumDeadline == 86_400 && terms.commitDeposit == DEPOSIT);
    }

    /// @dev A contribution of the desk.
    function contributed() private returns (uint64 contribution) {
        desk.pledge{value: DEPOSIT}(desk.commitmentOf(ROOT, SALT));
        VM.roll(block.number + 1);
        return desk.contribute(ROOT, SALT, 12, 3, 0);
    }

    function ask(uint256 maxFee) private returns (bytes32 requestId) {
        requestId = keccak256(abi.encode(block.chainid, address(desk), uint64(1), bytes32("prompt"), DEADLINE));
        VM.expectEmit(address(desk));
        emit AnswerDesk.Asked(requestId, VISITOR, 1, maxFee, DEADLINE);
        VM.prank(VISITOR);
        require(desk.ask{value: maxFee}(1, "prompt", DEADLINE) == requestId);
    }
}
