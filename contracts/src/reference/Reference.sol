// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IPrecompile} from "../interfaces/IPrecompile.sol";

/// @title What the three reference contracts have in common.
/// @notice A second implementation of the rules in docs/precompiles, to be compared with the precompiles. It is written to
/// be read, not to be cheap, and is deployed nowhere but in that comparison, at the precompiles' own addresses.
abstract contract Reference is IPrecompile {
    address internal constant DATANETS = 0x4F50454E00000000000000000000000000000001;
    address internal constant ATTRIBUTION = 0x4f50454E00000000000000000000000000000002;
    address internal constant PAYOUTS = 0x4F50454e00000000000000000000000000000003;
    address internal constant DATANET_TOKEN = 0x4f50454e00000000000000000000000000000101;
    address internal constant CONTRIBUTION_TOKEN = 0x4f50454E00000000000000000000000000000102;
    address internal constant CLAIM_ROUTER = 0x4f50454e00000000000000000000000000000103;
    address internal constant COURT = 0x4f50454e00000000000000000000000000000104;

    uint16 internal constant TRAIN = 1;
    uint16 internal constant SERVE = 2;
    uint16 internal constant RESELL = 4;
    uint16 internal constant DERIVE = 8;
    uint16 internal constant ALL_USES = 15;
    uint32 internal constant PPM = 1_000_000;
    uint32 internal constant ALL_BITS = type(uint32).max;

    /// Functions with which the three serve each other; precompiles need none, they share one program.
    modifier onlyPrecompiles() {
        if (!isPrecompile(msg.sender)) revert UnknownSelector(msg.sig);
        _;
    }

    receive() external payable {
        if (!isPrecompile(msg.sender)) revert UnknownSelector(0);
    }

    fallback() external payable {
        // Less than a selector is filled up with zeros.
        revert UnknownSelector(msg.sig);
    }

    function isPrecompile(address account) internal pure returns (bool) {
        return account == DATANETS || account == ATTRIBUTION || account == PAYOUTS;
    }

    /// Pays from this contract's own account.
    function pay(address to, uint256 amount) internal {
        if (amount == 0) return;
        (bool paid,) = to.call{value: amount}("");
        require(paid);
    }

    /// The smaller of two ends, where 0 means that there is none.
    function min0(uint64 a, uint64 b) internal pure returns (uint64) {
        if (a == 0) return b;
        if (b == 0) return a;
        return a < b ? a : b;
    }

    /// Whether purposes or regions keep within a limit: a limit of 0 is none, and "any" keeps within none but that.
    function within(uint32 a, uint32 limit) internal pure returns (bool) {
        return limit == 0 || (a != 0 && a & ~limit == 0);
    }

    function min(uint256 a, uint256 b) internal pure returns (uint256) {
        return a < b ? a : b;
    }

    function now64() internal view returns (uint64) {
        return uint64(block.timestamp);
    }

    /// Calldata whose text is no UTF-8 does not decode.
    function checkText(string memory text) internal pure {
        bytes memory b = bytes(text);
        uint256 i = 0;
        while (i < b.length) {
            uint8 first = uint8(b[i]);
            uint256 more;
            uint8 low = 0x80;
            uint8 high = 0xbf;
            if (first < 0x80) more = 0;
            else if (first >= 0xc2 && first <= 0xdf) more = 1;
            else if (first >= 0xe0 && first <= 0xef) more = 2;
            else if (first >= 0xf0 && first <= 0xf4) more = 3;
            else malformed();
            // Neither longer than needed, nor a surrogate, nor beyond the last code point.
            if (first == 0xe0) low = 0xa0;
            if (first == 0xed) high = 0x9f;
            if (first == 0xf0) low = 0x90;
            if (first == 0xf4) high = 0x8f;
            for (uint256 k = 1; k <= more; k++) {
                if (i + k >= b.length) malformed();
                uint8 next = uint8(b[i + k]);
                if (k == 1 ? next < low || next > high : next < 0x80 || next > 0xbf) malformed();
            }
            i += 1 + more;
        }
    }

    function malformed() internal pure {
        require(false);
    }
}
