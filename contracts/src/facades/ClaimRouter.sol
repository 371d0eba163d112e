// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {PAYOUTS} from "../OpenLedger.sol";

/// @title ClaimRouter
/// @notice Pays out what an account is owed, to wherever the account signed for, in a transaction that anyone may
/// send. The signature is an EIP-712 one by the account's key or, where the account is a contract, one that the
/// contract accepts (EIP-1271). Predeploy at 0x4F50454E00000000000000000000000000000103.
/// @dev A predeploy without constructor; storage: slot 0 nonces. The domain is computed at each call.
contract ClaimRouter is IERC5267, Nonces {
    string private constant NAME = "OpenLedger ClaimRouter";
    string private constant VERSION = "1";

    /// @dev EIP-5267: name, version, chainId and verifyingContract.
    bytes1 private constant DOMAIN_FIELDS = 0x0f;

    bytes32 public constant CLAIM_TYPEHASH =
        keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");

    event ClaimSent(address indexed account, address indexed to, uint256 nonce, uint256 amount, address by);

    error ClaimExpired(uint256 deadline);
    error InvalidClaimSignature(address account);
    error ZeroRecipient();

    /// @notice Pays all that `account` is owed to `to`.
    /// @param deadline last Unix second at which the signature is good.
    /// @param signature over `claimDigest(account, to, nonces(account), deadline)`.
    /// @return amount wei of OPEN.
    function claim(address account, address to, uint256 deadline, bytes calldata signature)
        external
        returns (uint256 amount)
    {
        require(block.timestamp <= deadline, ClaimExpired(deadline));
        require(to != address(0), ZeroRecipient());
        uint256 nonce = _useNonce(account);
        require(
            SignatureChecker.isValidSignatureNow(account, claimDigest(account, to, nonce, deadline), signature),
            InvalidClaimSignature(account)
        );
        amount = PAYOUTS.claimTo(account, to);
        emit ClaimSent(account, to, nonce, amount, msg.sender);
    }

    /// @notice Makes the caller's outstanding signature worthless.
    function skipNonce() external returns (uint256 skipped) {
        return _useNonce(msg.sender);
    }

    /// @notice What the account signs.
    function claimDigest(address account, address to, uint256 nonce, uint256 deadline) public view returns (bytes32) {
        bytes32 structHash = keccak256(abi.encode(CLAIM_TYPEHASH, account, to, nonce, deadline));
        return MessageHashUtils.toTypedDataHash(DOMAIN_SEPARATOR(), structHash);
    }

    // forge-lint: disable-next-line(mixed-case-function)
    function DOMAIN_SEPARATOR() public view returns (bytes32) {
        return
            MessageHashUtils.toDomainSeparator(DOMAIN_FIELDS, NAME, VERSION, block.chainid, address(this), bytes32(0));
    }

    /// @inheritdoc IERC5267
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (DOMAIN_FIELDS, NAME, VERSION, block.chainid, address(this), bytes32(0), new uint256[](0));
    }
}
