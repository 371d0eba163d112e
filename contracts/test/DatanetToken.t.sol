// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {DATANETS, PAYOUTS} from "../src/OpenLedger.sol";
import {PrecompileTokenTest} from "./PrecompileToken.t.sol";
import {VM} from "./Vm.sol";

contract DatanetTokenTest is PrecompileTokenTest {
    function setUp() external {
        token = datanetToken;
        DATANETS.createDatanet("schema", "law", "ipfs://one");
        VM.prank(OTHER);
        DATANETS.createDatanet("schema", "medicine", "ipfs://two");
    }

    function balanceInPrecompile(address owner) internal view override returns (uint256) {
        return DATANETS.datanetBalanceOf(owner);
    }

    function test_names_and_metadata() external view {
        require(keccak256(bytes(datanetToken.name())) == keccak256("OpenLedger Datanet"));
        require(keccak256(bytes(datanetToken.symbol())) == keccak256("DATANET"));
        require(keccak256(bytes(datanetToken.tokenURI(2))) == keccak256("ipfs://two"));
    }

    function test_royalty_goes_to_the_platform() external {
        (address receiver, uint256 amount) = datanetToken.royaltyInfo(1, 1 ether);
        require(receiver == PAYOUTS.platform() && amount == 0.025 ether);
        // PUSH1 32, PUSH0, RETURN: answers every call with a zero word, so the platform is the zero address.
        VM.etch(address(PAYOUTS), hex"60205ff3");
        (receiver, amount) = datanetToken.royaltyInfo(1, 1 ether);
        require(receiver == address(0) && amount == 0);
    }

    function test_precompile_records_the_new_owner() external {
        datanetToken.transferFrom(address(this), FRIEND, 1);
        require(DATANETS.datanetOf(1).owner == FRIEND);
    }
}
