// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {L1Block} from "../src/L1Block.sol";
import {VM} from "./Vm.sol";

contract L1BlockTest {
    L1Block private immutable l1 = new L1Block();
    address private constant DEPOSITOR = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    function test_selectors_are_the_protocols() external pure {
        require(L1Block.setL1BlockValuesEcotone.selector == 0x440a5e20);
        require(L1Block.setL1BlockValuesIsthmus.selector == 0x098999be);
        require(L1Block.setL1BlockValuesJovian.selector == 0x3db6be2b);
    }

    function test_packed_attributes_land_in_the_slots_the_engine_reads() external {
        VM.prank(DEPOSITOR);
        (bool ok,) = address(l1)
            .call(
                abi.encodePacked(l1.setL1BlockValuesJovian.selector, packedValues(), uint32(10), uint64(11), uint16(12))
            );
        require(ok);
        require(slot(0) == (uint256(4) << 64) | 5);
        require(l1.number() == 5 && l1.timestamp() == 4);
        require(slot(1) == 6 && slot(2) == 8 && slot(4) == 9 && slot(7) == 7);
        require(slot(3) == (uint256(1) << 96) | (uint256(2) << 64) | 3);
        require(slot(8) == (uint256(12) << 96) | (uint256(10) << 64) | 11);
    }

    function test_ecotone_leaves_the_later_and_the_legacy_slots() external {
        VM.prank(DEPOSITOR);
        l1.setL1BlockValues(1, 2, 3, bytes32(uint256(4)), 5, bytes32(uint256(6)), 7, 8);
        VM.prank(DEPOSITOR);
        (bool ok,) = address(l1).call(abi.encodePacked(l1.setL1BlockValuesEcotone.selector, packedValues()));
        require(ok);
        require(slot(0) == (uint256(4) << 64) | 5);
        require(slot(1) == 6 && slot(2) == 8 && slot(4) == 9 && slot(7) == 7 && slot(8) == 0);
        require(slot(3) == (uint256(1) << 96) | (uint256(2) << 64) | 3);
        require(l1.baseFeeScalar() == 1 && l1.blobBaseFeeScalar() == 2 && l1.sequenceNumber() == 3);
        // What the last block before Ecotone left.
        require(slot(5) == 7 && slot(6) == 8);
    }

    function test_isthmus_adds_the_operator_fee_alone() external {
        bytes memory data = abi.encodePacked(
            l1.setL1BlockValuesIsthmus.selector, packedValues(), uint32(10), uint64(11), type(uint16).max
        );
        VM.prank(DEPOSITOR);
        (bool ok,) = address(l1).call(data);
        require(ok);
        require(slot(8) == (uint256(10) << 64) | 11);
        require(l1.operatorFeeScalar() == 10 && l1.operatorFeeConstant() == 11 && l1.daFootprintGasScalar() == 0);
    }

    function test_legacy_attributes_land_in_their_slots() external {
        require(L1Block.setL1BlockValues.selector == 0x015d8eb9);
        VM.prank(DEPOSITOR);
        l1.setL1BlockValues(
            type(uint64).max, 2, 3, bytes32(uint256(4)), type(uint64).max, bytes32(uint256(6)), 7, type(uint256).max
        );
        require(slot(0) == (uint256(2) << 64) | type(uint64).max);
        require(slot(1) == 3 && slot(2) == 4 && slot(3) == type(uint64).max && slot(4) == 6);
        require(slot(5) == 7 && l1.l1FeeOverhead() == 7);
        require(slot(6) == type(uint256).max && l1.l1FeeScalar() == type(uint256).max);
        require(slot(7) == 0 && slot(8) == 0);
    }

    function test_legacy_attributes_leave_the_scalars_beside_the_sequence_number() external {
        VM.prank(DEPOSITOR);
        (bool ok,) = address(l1).call(abi.encodePacked(l1.setL1BlockValuesEcotone.selector, packedValues()));
        require(ok);
        VM.prank(DEPOSITOR);
        l1.setL1BlockValues(1, 2, 3, 0, 99, 0, 0, 0);
        require(slot(3) == (uint256(1) << 96) | (uint256(2) << 64) | 99);
    }

    function test_only_the_depositor_writes() external {
        VM.expectPartialRevert(L1Block.NotDepositor.selector);
        l1.setL1BlockValuesIsthmus();
        VM.expectPartialRevert(L1Block.NotDepositor.selector);
        l1.setGasPayingToken(address(1), 18, "a", "b");
    }

    function test_gas_token_is_ether_until_set() external {
        require(!l1.isCustomGasToken());
        VM.prank(DEPOSITOR);
        l1.setGasPayingToken(address(0xabc), 18, "OpenLedger", "OPEN");
        require(l1.isCustomGasToken());
        require(keccak256(bytes(l1.gasPayingTokenSymbol())) == keccak256("OPEN"));
        bytes32 tokenSlot = bytes32(uint256(keccak256("opstack.gaspayingtoken")) - 1);
        require(uint256(VM.load(address(l1), tokenSlot)) == (uint256(18) << 160) | 0xabc);
    }

    /// @dev Scalars 1 and 2, sequence number 3, timestamp 4, number 5, base fees 6 and 7, hash 8, batcher 9.
    function packedValues() private pure returns (bytes memory) {
        bytes memory tail = abi.encodePacked(uint256(6), uint256(7), bytes32(uint256(8)), bytes32(uint256(9)));
        return abi.encodePacked(uint32(1), uint32(2), uint64(3), uint64(4), uint64(5), tail);
    }

    function slot(uint256 index) private view returns (uint256) {
        return uint256(VM.load(address(l1), bytes32(index)));
    }
}
