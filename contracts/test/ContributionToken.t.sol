// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {DATANETS} from "../src/OpenLedger.sol";
import {PrecompileTokenTest} from "./PrecompileToken.t.sol";
import {VM} from "./Vm.sol";

contract ContributionTokenTest is PrecompileTokenTest {
    function setUp() external {
        token = contributionToken;
        VM.prank(STRANGER);
        DATANETS.createDatanet("schema", "law", "ipfs://one");
        contribute(1, bytes32(uint256(0xab)), 3, 99);
        contribute(1, bytes32(uint256(0xcd)), 1, 0);
        contributionToken.transferFrom(address(this), OTHER, 2);
    }

    function balanceInPrecompile(address owner) internal view override returns (uint256) {
        return DATANETS.contributionBalanceOf(owner);
    }

    function test_names() external pure {
        require(keccak256(bytes(contributionToken.name())) == keccak256("OpenLedger Contribution"));
        require(keccak256(bytes(contributionToken.symbol())) == keccak256("CONTRIB"));
    }

    function test_metadata_is_what_the_chain_records() external view {
        bytes memory json = bytes.concat(
            '{"name":"Contribution 1","attributes":[{"trait_type":"datanet","value":1},{"trait_type":"rows","value":12},',
            '{"trait_type":"licence","value":3},{"trait_type":"expiry","value":99},{"trait_type":"priority","value":1},',
            '{"trait_type":"status","value":0}],',
            '"root":"0x00000000000000000000000000000000000000000000000000000000000000ab"}'
        );
        string memory expected = string.concat("data:application/json;base64,", Base64.encode(json));
        require(keccak256(bytes(contributionToken.tokenURI(1))) == keccak256(bytes(expected)));
    }

    function test_royalty_goes_to_the_datanets_owner() external {
        (address receiver, uint256 amount) = contributionToken.royaltyInfo(1, 1 ether);
        require(receiver == STRANGER && amount == 0.025 ether);
        VM.prank(STRANGER);
        datanetToken.transferFrom(STRANGER, FRIEND, 1);
        (receiver,) = contributionToken.royaltyInfo(1, 1 ether);
        require(receiver == FRIEND);
    }

    function test_tokens_of_the_same_number_are_apart() external {
        contributionToken.transferFrom(address(this), FRIEND, 1);
        require(contributionToken.ownerOf(1) == FRIEND && datanetToken.ownerOf(1) == STRANGER);
    }
}
