// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC721} from "@openzeppelin/contracts/interfaces/IERC721.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/interfaces/IERC721Receiver.sol";

/// @dev Takes tokens and remembers how they came.
contract TakingReceiver is IERC721Receiver {
    address public operator;
    address public from;
    uint256 public tokenId;
    bytes public data;

    function onERC721Received(address operator_, address from_, uint256 tokenId_, bytes calldata data_)
        external
        returns (bytes4)
    {
        (operator, from, tokenId, data) = (operator_, from_, tokenId_, data_);
        return IERC721Receiver.onERC721Received.selector;
    }
}

/// @dev Answers with something other than the selector that means yes.
contract RefusingReceiver is IERC721Receiver {
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return 0xdeadbeef;
    }
}

/// @dev Reverts with an error of its own.
contract RevertingReceiver is IERC721Receiver {
    error NotToday();

    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        revert NotToday();
    }
}

/// @dev Passes the token on from within the callback, then tries to take it back from its new owner.
contract ReenteringReceiver is IERC721Receiver {
    address private immutable next;
    bool public passedOn;
    bool public tookBack;

    constructor(address next_) {
        next = next_;
    }

    function onERC721Received(address, address from, uint256 tokenId, bytes calldata) external returns (bytes4) {
        IERC721 token = IERC721(msg.sender);
        (bool again,) = msg.sender.call(abi.encodeCall(IERC721.transferFrom, (from, next, tokenId)));
        require(!again, "moved as its former owner");
        token.transferFrom(address(this), next, tokenId);
        passedOn = token.ownerOf(tokenId) == next;
        (tookBack,) = msg.sender.call(abi.encodeCall(IERC721.transferFrom, (next, address(this), tokenId)));
        return IERC721Receiver.onERC721Received.selector;
    }
}
