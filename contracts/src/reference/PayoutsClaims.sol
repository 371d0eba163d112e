// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {IAttribution} from "../interfaces/IAttribution.sol";
import {IDatanets} from "../interfaces/IDatanets.sol";
import {IDatanetsInternal, PayoutsStorage} from "./PayoutsStorage.sol";

/// @title Payouts: draws, claims, and the long tail.
abstract contract PayoutsClaims is PayoutsStorage {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant CLAIM_TYPE = keccak256("Claim(address account,address to,uint256 nonce,uint256 deadline)");
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    function creditOf(address account) external view override returns (uint256) {
        return _creditOf[account];
    }

    function creditDrawn(uint64 contribution, address account, uint256 amount) external onlyPrecompiles {
        credit(account, amount);
        emit Drawn(contribution, account, amount);
    }

    function accruedOf(uint64 contribution) external view override returns (uint256 amount, uint64 receipts) {
        IDatanetsInternal.EarnerView memory e = earnerAt(contribution);
        return (e.accrued, e.receipts);
    }

    function earnerAt(uint64 contribution) private view returns (IDatanetsInternal.EarnerView memory e) {
        e = datanets().earner(contribution);
        if (e.rows == 0) revert UnknownContribution(contribution);
    }

    function draw(uint64[] memory contributions) public override returns (uint256 amount) {
        return drawThem(contributions);
    }

    function drawAndClaim(uint64[] memory contributions) public override returns (uint256 amount) {
        drawThem(contributions);
        return payOut(msg.sender, msg.sender);
    }

    function drawThem(uint64[] memory contributions) private returns (uint256 amount) {
        if (contributions.length > 64) revert TooManyContributions(64, contributions.length);
        for (uint256 i = 0; i < contributions.length; i++) {
            earnerAt(contributions[i]);
            amount += datanets().drawEarner(contributions[i]);
        }
    }

    // ── Claims ─────────────────────────────────────────────────────────────────────────────────────────────────────

    function payOut(address account, address to) private returns (uint256 amount) {
        amount = _creditOf[account];
        if (amount == 0) revert NothingToClaim(account);
        _creditOf[account] = 0;
        emit Claimed(account, to, amount, msg.sender);
        pay(to, amount);
    }

    function claim() external override returns (uint256 amount) {
        return payOut(msg.sender, msg.sender);
    }

    function claimFor(address account) external override returns (uint256 amount) {
        return payOut(account, account);
    }

    function claimTo(address account, address to) external override returns (uint256 amount) {
        if (msg.sender != CLAIM_ROUTER) revert NotFacade(msg.sender);
        if (to == address(0)) revert ZeroAddress();
        return payOut(account, to);
    }

    function claimBySignature(address account, address to, uint64 deadline, bytes memory signature)
        public
        override
        returns (uint256 amount)
    {
        if (now64() > deadline) revert SignatureExpired(deadline);
        if (to == address(0)) revert ZeroAddress();
        checkSignature(
            account, keccak256(abi.encode(CLAIM_TYPE, account, to, _nonces[account], uint256(deadline))), signature
        );
        if (_creditOf[account] == 0) revert NothingToClaim(account);
        _nonces[account] += 1;
        return payOut(account, to);
    }

    function nonces(address account) external view override returns (uint256) {
        return _nonces[account];
    }

    function DOMAIN_SEPARATOR() external view override returns (bytes32) {
        return domain();
    }

    function domain() private view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("OpenLedger Payouts"), keccak256("1"), block.chainid, address(this))
        );
    }

    function checkSignature(address signer, bytes32 structHash, bytes memory signature) internal view {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain(), structHash));
        if (signature.length != 65) revert InvalidSignature(signer);
        bytes32 r = word(signature, 0);
        bytes32 s = word(signature, 32);
        uint8 v = uint8(signature[64]);
        if ((v != 27 && v != 28) || uint256(s) > HALF_ORDER) revert InvalidSignature(signer);
        address recovered = ecrecover(digest, v, r, s);
        if (recovered == address(0) || recovered != signer) revert InvalidSignature(signer);
    }

    function word(bytes memory from, uint256 start) private pure returns (bytes32 w) {
        for (uint256 i = 0; i < 32; i++) {
            w |= bytes32(from[start + i]) >> (8 * i);
        }
    }

    // ── The long tail ──────────────────────────────────────────────────────────────────────────────────────────────

    function isTailClaimed(bytes32 requestId, uint32 index) public view override returns (bool) {
        return _tailClaims[requestId][index / 256] >> (index % 256) & 1 == 1;
    }

    function claimTail(bytes32 requestId, TailClaim memory leaf) public override returns (uint256 amount) {
        // Attribution says UnknownReceipt and UnknownTail by itself.
        IAttribution.ReceiptInfo memory receipt = IAttribution(ATTRIBUTION).receiptOf(requestId);
        IAttribution.TailInfo memory tail = IAttribution(ATTRIBUTION).tailOf(requestId);
        if (!proves(tail, leaf)) revert WrongTailProof(requestId, leaf.index);
        if (isTailClaimed(requestId, leaf.index)) revert TailLeafClaimed(requestId, leaf.index);
        if (leaf.amount > tail.amount - tail.claimedWei) revert TailExhausted(requestId);
        earnerAt(leaf.contribution);
        if (!attribution().isInModel(leaf.contribution, receipt.model)) {
            revert NotInModel(leaf.contribution, receipt.model);
        }
        attribution().addClaimed(requestId, leaf.amount);
        _tailClaims[requestId][leaf.index / 256] |= 1 << (leaf.index % 256);
        IDatanets.OwnerShare[] memory owners = IDatanets(DATANETS).ownersAt(leaf.contribution, receipt.number);
        uint256 bps = 0;
        uint256 given = 0;
        for (uint256 i = 0; i < owners.length; i++) {
            bps += owners[i].bps;
            uint256 part = leaf.amount * bps / 10_000 - given;
            if (part == 0) continue;
            given += part;
            credit(owners[i].account, part);
            emit Credited(requestId, owners[i].account, leaf.contribution, 0, 0, part);
        }
        return leaf.amount;
    }

    /// Walks from the leaf to the root; every step needs exactly the sibling that the place has in a tree of that width.
    function proves(IAttribution.TailInfo memory tail, TailClaim memory leaf) private pure returns (bool) {
        if (leaf.index >= tail.leaves || leaf.siblings.length != leaf.sums.length) return false;
        bytes32 hash = keccak256(abi.encodePacked(uint8(0), leaf.index, leaf.contribution, leaf.amount));
        uint256 sum = leaf.amount;
        uint256 place = leaf.index;
        uint256 width = tail.leaves;
        uint256 used = 0;
        while (width > 1) {
            if (place ^ 1 < width) {
                if (used == leaf.siblings.length) return false;
                bytes32 sibling = leaf.siblings[used];
                uint256 siblingSum = leaf.sums[used];
                used += 1;
                hash = place % 2 == 0
                    ? keccak256(abi.encodePacked(uint8(1), hash, sum, sibling, siblingSum))
                    : keccak256(abi.encodePacked(uint8(1), sibling, siblingSum, hash, sum));
                if (siblingSum > type(uint256).max - sum) return false;
                sum += siblingSum;
            }
            place /= 2;
            width = (width + 1) / 2;
        }
        return used == leaf.siblings.length && hash == tail.root && sum == tail.amount;
    }
}
