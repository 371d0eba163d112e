// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, DATANETS, PAYOUTS} from "../../OpenLedger.sol";
import {IAttribution} from "../../interfaces/IAttribution.sol";
import {IDatanets} from "../../interfaces/IDatanets.sol";
import {IPayouts} from "../../interfaces/IPayouts.sol";
import {Licences} from "../../library/Licences.sol";
import {Requests} from "../../library/Requests.sol";
import {AnswerDesk} from "../AnswerDesk.sol";
import {Actor} from "./Actor.sol";
import {Scenario} from "./Scenario.sol";

/// @title DeskScenario
/// @notice The desk contributes rows and stakes; two visitors ask; one gets an answer and its change, the other none and
/// all of its money; what the desk's rows and its attesting earned is the keeper's. The scenario is the keeper.
contract DeskScenario is Scenario {
    AnswerDesk public immutable desk;
    Actor private immutable vera;
    Actor private immutable wim;
    Actor private immutable server;
    uint64 private contribution;
    uint64 private model;
    bytes32 private answered;
    bytes32 private unanswered;
    bytes32 private salt;

    constructor() {
        (vera, wim, server) = (new Actor(), new Actor(), new Actor());
        desk = new AnswerDesk(keccak256("schema"), "desk", "ipfs://desk");
    }

    function steps() public pure override returns (uint256) {
        return 4;
    }

    function _play(uint256 step) internal override {
        if (step == 1) open();
        else if (step == 2) serve();
        else if (step == 3) settle();
        else close();
    }

    function open() private {
        check(DATANETS.datanetOf(desk.datanet()).owner == address(desk), "the desk owns its Datanet");
        salt = newSalt();
        uint256 deposit = DATANETS.commitDeposit();
        desk.pledge{value: deposit}(desk.commitmentOf(rootOf(salt), salt));
        desk.stake{value: BOND}();
        check(desk.terms().bonded == BOND, "the stake is the desk's bond");
        bytes memory unstake = abi.encodeCall(AnswerDesk.unstake, (BOND));
        bytes memory refusal = abi.encodeWithSelector(AnswerDesk.NotKeeper.selector, address(vera));
        checkRefused(vera, address(desk), unstake, refusal, "only the keeper keeps");
        uint64 next = uint64(block.number) + 1;
        try desk.contribute(rootOf(salt), salt, 10, 3, 0) {
            check(false, "nothing is shown in the block of its pledge");
        } catch (bytes memory reason) {
            bytes memory early = abi.encodeWithSelector(IDatanets.RevealTooEarly.selector, next);
            check(keccak256(reason) == keccak256(early), "nothing is shown in the block of its pledge");
        }
        wait(1);
    }

    function serve() private {
        uint256 before = address(this).balance;
        contribution = desk.contribute(rootOf(salt), salt, 10, Licences.TRAIN | Licences.SERVE, 0);
        check(address(this).balance == before + DATANETS.commitDeposit(), "the deposit is the keeper's again");
        check(desk.publish(list(contribution), 0, 0) == 1, "the desk publishes its first version");
        model = register(server, desk.datanet(), 0);
        server.run(address(ATTRIBUTION), 0, abi.encodeCall(IAttribution.setAttestor, (model, address(desk), true)));

        (uint64 shortest, uint64 longest) = PAYOUTS.deadlineBounds();
        check(desk.priceOf(model, TOKENS, TOKENS) == FEE, "the price is the model's");
        answered = askAs(vera, uint64(block.timestamp) + longest);
        unanswered = askAs(wim, uint64(block.timestamp) + shortest);
        check(desk.reserved() == 2 * MAX_FEE, "what visitors sent is kept apart");
        check(PAYOUTS.requestOf(answered).payer == address(desk), "the desk pays");
        checkWaiting(answered);
        desk.attest(receiptFor(answered, keccak256("answer"), shareOf(contribution, 500_000)));
        checkWaiting(unanswered);
        wait(shortest + 1);
    }

    function settle() private {
        check(address(desk).balance == MAX_FEE - FEE, "the change is at the desk");
        // Strangers have everything done: no order of it hurts anyone.
        PAYOUTS.refund(unanswered);
        check(desk.settleUp(answered) == MAX_FEE - FEE, "an answer costs its fee");
        check(desk.settleUp(unanswered) == MAX_FEE, "no answer costs nothing");
        PAYOUTS.draw(list(contribution));
        PAYOUTS.claimFor(address(desk));
        check(desk.owedTo(address(vera)) == MAX_FEE - FEE, "the visitor with an answer is owed the change");
        check(desk.owedTo(address(wim)) == MAX_FEE, "the visitor without is owed all");
        bytes memory again = abi.encodeCall(AnswerDesk.settleUp, (answered));
        bytes memory refusal = abi.encodeWithSelector(AnswerDesk.NotAsked.selector, answered);
        checkRefused(vera, address(desk), again, refusal, "a question is settled up once");
        wait(1);
    }

    function close() private {
        // Half of the answer came from the desk's rows, the rest falls to it as the Datanet's owner; and it attested.
        uint256 before = address(this).balance;
        check(desk.collect(list(contribution)) == INCOME + FEE / 20, "the keeper gets what the desk earned");
        check(address(this).balance == before + INCOME + FEE / 20, "and has it");
        withdraw(vera, MAX_FEE - FEE);
        withdraw(wim, MAX_FEE);
        bytes memory again = abi.encodeCall(AnswerDesk.withdraw, (payable(address(vera))));
        bytes memory refusal = abi.encodeWithSelector(AnswerDesk.NothingOwed.selector, address(vera));
        checkRefused(vera, address(desk), again, refusal, "nobody withdraws twice");
        check(desk.reserved() == 0 && address(desk).balance == 0, "nothing is left over");
    }

    function askAs(Actor visitor, uint64 deadline) private returns (bytes32) {
        bytes memory call = abi.encodeCall(AnswerDesk.ask, (model, newSalt(), deadline));
        return abi.decode(visitor.run{value: MAX_FEE}(address(desk), MAX_FEE, call), (bytes32));
    }

    function checkWaiting(bytes32 requestId) private {
        uint64 deadline = PAYOUTS.requestOf(requestId).deadline;
        bytes memory call = abi.encodeCall(AnswerDesk.settleUp, (requestId));
        bytes memory refusal = abi.encodeWithSelector(Requests.StillWaiting.selector, requestId, deadline);
        checkRefused(vera, address(desk), call, refusal, "nothing is settled up while an answer may come");
        call = abi.encodeCall(IPayouts.refund, (requestId));
        refusal = abi.encodeWithSelector(IPayouts.DeadlineNotPassed.selector, deadline);
        checkRefused(vera, address(PAYOUTS), call, refusal, "nothing is refunded while an answer may come");
    }

    function withdraw(Actor visitor, uint256 expected) private {
        uint256 before = address(this).balance;
        visitor.run(address(desk), 0, abi.encodeCall(AnswerDesk.withdraw, (payable(address(this)))));
        check(address(this).balance == before + expected, "visitors withdraw what they are owed");
    }
}
