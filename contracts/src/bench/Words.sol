// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.22;

/// @title Storage by the word, as one writes Solidity when every slot counts.
abstract contract Words {
    uint256 internal constant PPM = 1_000_000;
    uint256 internal constant BPS = 10_000;

    /// Where a mapping at `slot` has `key`.
    function slotOf(uint256 slot, uint256 key) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            mstore(0, key)
            mstore(32, slot)
            place := keccak256(0, 64)
        }
    }

    function get(uint256 place) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(place)
        }
    }

    function put(uint256 place, uint256 word) internal {
        assembly ("memory-safe") {
            sstore(place, word)
        }
    }

    /// Bits `from` to `from + width` of a word.
    function bits(uint256 word, uint256 from, uint256 width) internal pure returns (uint256) {
        unchecked {
            return (word >> from) & ((1 << width) - 1);
        }
    }

    function widthOf(uint256 value) internal pure returns (uint256 width) {
        while (value != 0) {
            value >>= 1;
            unchecked {
                width++;
            }
        }
    }

    function payOut(address to, uint256 amount) internal {
        if (amount == 0) return;
        (bool paid,) = to.call{value: amount}("");
        require(paid);
    }
}
