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
        bytes memory tail = abi.encodePacked(uint256(6), uint256(7), bytes32(uint256(8)), bytes32(uint256(9)));
        bytes memory values = abi.encodePacked(uint32(1), uint32(2), uint64(3), uint64(4), uint64(5), tail);
        VM.prank(DEPOSITOR);
        (bool ok,) = address(l1)
            .call(abi.encodePacked(l1.setL1BlockValuesJovian.selector, values, uint32(10), uint64(11), uint16(12)));
        require(ok);
        require(slot(0) == (uint256(4) << 64) | 5);
        require(l1.number() == 5 && l1.timestamp() == 4);
        require(slot(1) == 6 && slot(2) == 8 && slot(4) == 9 && slot(7) == 7);
        require(slot(3) == (uint256(1) << 96) | (uint256(2) << 64) | 3);
        require(slot(8) == (uint256(12) << 96) | (uint256(10) << 64) | 11);
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

    function slot(uint256 index) private view returns (uint256) {
        return uint256(VM.load(address(l1), bytes32(index)));
    }
}
