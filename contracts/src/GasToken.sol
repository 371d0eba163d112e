// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

/// @title GasToken
/// @notice Which L1 token pays for gas, at the storage slots that the OP Stack's contracts use for it.
library GasToken {
    /// @dev What stands for ether where no token is set.
    address internal constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

    /// @dev keccak256("opstack.gaspayingtoken") - 1. Address in the low 160 bits, decimals above them.
    bytes32 internal constant TOKEN_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtoken")) - 1);
    bytes32 internal constant NAME_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtokenname")) - 1);
    bytes32 internal constant SYMBOL_SLOT = bytes32(uint256(keccak256("opstack.gaspayingtokensymbol")) - 1);

    function set(address token, uint8 decimals, bytes32 name, bytes32 symbol) internal {
        store(TOKEN_SLOT, bytes32((uint256(decimals) << 160) | uint160(token)));
        store(NAME_SLOT, name);
        store(SYMBOL_SLOT, symbol);
    }

    /// @return token ETHER where none is set. @return decimals its decimals.
    function get() internal view returns (address token, uint8 decimals) {
        uint256 packed = uint256(load(TOKEN_SLOT));
        // forge-lint: disable-next-line(unsafe-typecast)
        token = address(uint160(packed));
        if (token == address(0)) return (ETHER, 18);
        // forge-lint: disable-next-line(unsafe-typecast)
        decimals = uint8(packed >> 160);
    }

    function isCustom() internal view returns (bool) {
        (address token,) = get();
        return token != ETHER;
    }

    function tokenName() internal view returns (string memory) {
        return isCustom() ? shortString(load(NAME_SLOT)) : "Ether";
    }

    function tokenSymbol() internal view returns (string memory) {
        return isCustom() ? shortString(load(SYMBOL_SLOT)) : "ETH";
    }

    /// @dev The bytes up to the first zero.
    function shortString(bytes32 word) private pure returns (string memory) {
        uint256 length;
        while (length < 32 && word[length] != 0) ++length;
        bytes memory text = new bytes(length);
        for (uint256 i; i < length; ++i) {
            text[i] = word[i];
        }
        return string(text);
    }

    function load(bytes32 slot) private view returns (bytes32 word) {
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    function store(bytes32 slot, bytes32 word) private {
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }
}
