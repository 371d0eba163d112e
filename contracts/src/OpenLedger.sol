// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IAttribution} from "./interfaces/IAttribution.sol";
import {ICourt} from "./interfaces/ICourt.sol";
import {IDatanets} from "./interfaces/IDatanets.sol";
import {IPayouts} from "./interfaces/IPayouts.sol";

/// @dev Who contributed which rows, and under which licence.
IDatanets constant DATANETS = IDatanets(0x4F50454E00000000000000000000000000000001);

/// @dev Models, bonds, and the receipts that say which rows shaped an answer.
IAttribution constant ATTRIBUTION = IAttribution(0x4f50454E00000000000000000000000000000002);

/// @dev Escrowed requests, what everyone is owed, and claims.
IPayouts constant PAYOUTS = IPayouts(0x4F50454e00000000000000000000000000000003);

/// @dev The Datanets as ERC-721 tokens.
address constant DATANET_TOKEN = 0x4f50454e00000000000000000000000000000101;

/// @dev The contributions as ERC-721 tokens.
address constant CONTRIBUTION_TOKEN = 0x4f50454E00000000000000000000000000000102;

/// @dev Claims by signature.
address constant CLAIM_ROUTER = 0x4f50454e00000000000000000000000000000103;

/// @dev Where challenged receipts are judged.
ICourt constant COURT = ICourt(0x4f50454e00000000000000000000000000000104);

/// @title OpenLedger
/// @notice The names and hashes that callers of the precompiles compute themselves. No function here calls anything.
/// @dev Beside it, in `library/`: `Requests`, `Receipts`, `Lineage` and `Licences`, which do call the precompiles.
library OpenLedger {
    bytes32 internal constant CLAIM_TYPEHASH =
        keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");
    bytes32 internal constant VOUCHER_TYPEHASH = keccak256("Voucher(bytes32 channel,uint256 cumulative)");
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant PAYOUTS_NAME = keccak256("OpenLedger Payouts");
    bytes32 private constant PAYOUTS_VERSION = keccak256("1");

    // ── Names of things ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice What `IDatanets.commit` takes for rows that `owner` will reveal.
    function commitmentOf(uint64 datanet, address owner, bytes32 root, bytes32 salt) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, datanet, owner, root, salt));
    }

    /// @notice The name under which `IPayouts.request` records a request of `payer`.
    function requestIdOf(address payer, uint64 model, bytes32 promptHash, uint64 deadline)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, payer, model, promptHash, deadline));
    }

    /// @notice The name of a voucher channel that `payer` opens. @param signer as it is recorded: `payer` itself where
    /// `openChannel` is given zero.
    function channelIdOf(address payer, address provider, address signer, bytes32 salt)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(block.chainid, payer, provider, signer, salt));
    }

    /// @notice The name of a stream that `payer` opens.
    function streamIdOf(address payer, address to, uint128 weiPerSecond, bytes32 salt) internal view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, payer, to, weiPerSecond, salt));
    }

    // ── Salted hashes ──────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice What `IPayouts.request` takes for a prompt.
    function promptHashOf(bytes32 salt, bytes memory prompt) internal pure returns (bytes32) {
        return keccak256(bytes.concat(salt, prompt));
    }

    /// @notice What a receipt's `answerHash` is for an answer of these tokens.
    function answerHashOf(bytes32 salt, uint32[] memory tokens) internal pure returns (bytes32) {
        uint256 length = 32 + 4 * tokens.length;
        // Each token is written as a whole word, whose end the next one overwrites: the last needs 28 bytes to spare.
        bytes memory packed = new bytes(length + 28);
        assembly ("memory-safe") {
            mstore(packed, length)
            mstore(add(packed, 0x20), salt)
            let from := add(tokens, 0x20)
            let to := add(packed, 0x40)
            for { let end := add(from, shl(5, mload(tokens))) } lt(from, end) { from := add(from, 0x20) } {
                mstore(to, shl(224, mload(from)))
                to := add(to, 4)
            }
        }
        return keccak256(packed);
    }

    /// @notice A leaf of a receipt's long tail, as `IPayouts.claimTail` hashes it.
    function tailLeafOf(uint32 index, uint64 contribution, uint256 amount) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(0), index, contribution, amount));
    }

    /// @notice A node of a receipt's long tail; its sum is `leftSum + rightSum`.
    function tailNodeOf(bytes32 left, uint256 leftSum, bytes32 right, uint256 rightSum)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encodePacked(uint8(1), left, leftSum, right, rightSum));
    }

    // ── What accounts sign (EIP-712) ───────────────────────────────────────────────────────────────────────────────

    /// @notice The domain of claims and vouchers: `IPayouts.DOMAIN_SEPARATOR` without the call.
    function payoutsDomain() internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, PAYOUTS_NAME, PAYOUTS_VERSION, block.chainid, address(PAYOUTS)));
    }

    /// @notice What `account` signs for `IPayouts.claimBySignature`. @param nonce `PAYOUTS.nonces(account)`.
    function claimDigest(address account, address to, uint256 nonce, uint64 deadline) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(CLAIM_TYPEHASH, account, to, nonce, uint256(deadline))));
    }

    /// @notice What a channel's signer signs for `IPayouts.redeemVoucher`. @param cumulative wei in all, not since the
    /// last voucher.
    function voucherDigest(bytes32 channel, uint256 cumulative) internal view returns (bytes32) {
        return _digest(keccak256(abi.encode(VOUCHER_TYPEHASH, channel, cumulative)));
    }

    /// @notice What the payer of a request signs (EIP-191) to hand its prompt to an attributor.
    /// @dev For contracts that pay: their EIP-1271 answer is about this hash.
    function handOverDigest(bytes32 requestId) internal pure returns (bytes32) {
        bytes memory message = abi.encodePacked("OpenLedger: answer my request\nrequest: ", _hex(requestId));
        // 39 bytes of text and 66 of hexadecimal digits.
        return keccak256(abi.encodePacked("\x19Ethereum Signed Message:\n105", message));
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", payoutsDomain(), structHash));
    }

    function _hex(bytes32 value) private pure returns (bytes memory text) {
        bytes16 digits = "0123456789abcdef";
        text = new bytes(66);
        (text[0], text[1]) = ("0", "x");
        for (uint256 i = 0; i < 32; ++i) {
            text[2 + 2 * i] = digits[uint8(value[i]) >> 4];
            text[3 + 2 * i] = digits[uint8(value[i]) & 15];
        }
    }
}
