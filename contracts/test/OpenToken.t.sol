// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {OpenToken} from "../src/OpenToken.sol";
import {VM} from "./Vm.sol";

contract OpenTokenTest {
    uint256 private constant KEY = 7;
    address private immutable holder = VM.addr(KEY);
    OpenToken private immutable open = new OpenToken(VM.addr(KEY), 100 ether);

    function test_authorized_transfer_moves_once() external {
        VM.warp(1000);
        bytes memory signature = sign(bytes32("n"), 2000);
        open.transferWithAuthorization(holder, address(2), 5, 0, 2000, "n", signature);
        require(open.balanceOf(address(2)) == 5 && open.authorizationState(holder, "n"));
        VM.expectPartialRevert(ERC3009.ERC3009UsedAuthorization.selector);
        open.transferWithAuthorization(holder, address(2), 5, 0, 2000, "n", signature);
    }

    function test_expired_authorization_moves_nothing() external {
        VM.warp(2000);
        bytes memory signature = sign(bytes32("n"), 2000);
        VM.expectPartialRevert(ERC3009.ERC3009InvalidAuthorizationTime.selector);
        open.transferWithAuthorization(holder, address(2), 5, 0, 2000, "n", signature);
    }

    function sign(bytes32 nonce, uint256 validBefore) private view returns (bytes memory) {
        bytes32 typeHash = keccak256(
            "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
        );
        bytes32 structHash = keccak256(abi.encode(typeHash, holder, address(2), 5, 0, validBefore, nonce));
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", open.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }
}
