// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, COURT, DATANETS, PAYOUTS} from "../src/OpenLedger.sol";
import {IAttribution} from "../src/interfaces/IAttribution.sol";
import {IDatanets} from "../src/interfaces/IDatanets.sol";
import {IPayouts} from "../src/interfaces/IPayouts.sol";
import {IPrecompile} from "../src/interfaces/IPrecompile.sol";
import {OpenLedgerTest} from "../src/testing/OpenLedgerTest.sol";
import {VM} from "./Vm.sol";

/// @dev What others build their tests on.
contract MocksTest is OpenLedgerTest {
    address private constant OWNER = address(0x0e4);
    address private constant PAYER = address(0x9a4);

    function setUp() external {
        VM.warp(1_000_000);
        setUpOpenLedger();
        VM.deal(PAYER, 100 ether);
    }

    function test_parameters_are_where_the_precompiles_read_them() external view {
        require(DATANETS.commitDeposit() == 0.1 ether && DATANETS.revealWindow() == 256);
        require(ATTRIBUTION.challengeWindow() == 60 && PAYOUTS.platform() == chainParameters().platform);
        (uint64 minimum, uint64 maximum) = PAYOUTS.deadlineBounds();
        require(minimum == 30 && maximum == 3_600 && COURT.challengeStake() == 0.1 ether);
        require(DATANETS.datanetCount() == 0 && ATTRIBUTION.modelCount() == 0);
    }

    function test_delegate_call_is_refused() external {
        address[3] memory all = [address(DATANETS), address(ATTRIBUTION), address(PAYOUTS)];
        for (uint256 i = 0; i < all.length; ++i) {
            (bool done, bytes memory reason) = all[i].delegatecall(abi.encodeCall(IDatanets.datanetCount, ()));
            require(!done && bytes4(reason) == IPrecompile.DelegateCallRefused.selector);
        }
    }

    function test_value_is_refused_where_none_is_taken() external {
        bytes memory refusal = abi.encodeWithSelector(IPrecompile.ValueRefused.selector, 1);
        bytes[3] memory calls = [
            abi.encodeCall(IDatanets.createDatanet, ("schema", "law", "uri")),
            abi.encodeCall(IAttribution.unbond, (0)),
            abi.encodeCall(IPayouts.claim, ())
        ];
        address[3] memory all = [address(DATANETS), address(ATTRIBUTION), address(PAYOUTS)];
        for (uint256 i = 0; i < all.length; ++i) {
            (bool done, bytes memory reason) = all[i].call{value: 1}(calls[i]);
            require(!done && keccak256(reason) == keccak256(refusal));
        }
    }

    function test_unknown_selector_is_refused() external {
        (bool done, bytes memory reason) = address(PAYOUTS).call(hex"deadbeef");
        bytes memory refusal = abi.encodeWithSelector(IPrecompile.UnknownSelector.selector, bytes4(0xdeadbeef));
        require(!done && keccak256(reason) == keccak256(refusal));
        (done,) = address(PAYOUTS).call{value: 1}("");
        require(!done, "plain money is refused");
    }

    function test_story_from_rows_to_payment() external {
        uint64 datanet = createDatanet(OWNER, "law");
        uint64 contribution = contribute(OWNER, datanet, 10);
        require(publish(datanet, contribution) == 1 && OWNER.balance == 0);
        uint64 model = registerModel(OWNER, datanet);
        bytes32 requestId = ask(PAYER, model, 1 ether);
        VM.expectEmit(address(PAYOUTS));
        emit IPayouts.Settled(
            requestId,
            model,
            PAYER,
            ANSWER_FEE,
            1 ether - ANSWER_FEE,
            ANSWER_FEE / 20,
            ANSWER_FEE / 5,
            ANSWER_FEE / 20,
            ANSWER_INCOME
        );
        answer(requestId, contribution);
        require(PAYER.balance == 100 ether - ANSWER_FEE);
        uint64[] memory one = new uint64[](1);
        one[0] = contribution;
        VM.prank(OWNER);
        // The owner of rows, model and bond: all but the platform's twentieth.
        require(PAYOUTS.drawAndClaim(one) == ANSWER_FEE * 19 / 20 && OWNER.balance == ANSWER_FEE * 19 / 20);
        require(address(PAYOUTS).balance == ANSWER_FEE / 20);
    }

    function test_slashed_receipt_takes_the_bond() external {
        uint64 datanet = createDatanet(OWNER, "law");
        uint64 contribution = contribute(OWNER, datanet, 10);
        publish(datanet, contribution);
        uint64 model = registerModel(OWNER, datanet);
        bytes32 requestId = ask(PAYER, model, 1 ether);
        answer(requestId, contribution);
        freeze(requestId, PAYER);
        resolve(requestId, true);
        (uint256 total,) = ATTRIBUTION.bondOf(OWNER);
        require(total == 100 ether - ANSWER_INCOME);
        require(ATTRIBUTION.receiptOf(requestId).status == IAttribution.ReceiptStatus.Slashed);
    }

    function test_owed_wei_can_be_claimed() external {
        owe(OWNER, 2 ether);
        owe(OWNER, 1 ether);
        PAYOUTS.claimFor(OWNER);
        require(OWNER.balance == 3 ether && address(PAYOUTS).balance == 0);
    }

    receive() external payable {}
}
