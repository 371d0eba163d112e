// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {AttributionStorage} from "./AttributionStorage.sol";

/// @title Attribution: bonds, and what receipts hold of them.
abstract contract AttributionBonds is AttributionStorage {
    function challengeWindow() external view override returns (uint64) {
        return _challengeWindow;
    }

    /// Seconds in a bucket.
    function bucketLength() private view returns (uint256) {
        uint256 length = (uint256(_challengeWindow) + 15) / 16;
        return length == 0 ? 1 : length;
    }

    function bucketOf(uint256 second) internal view returns (uint64) {
        return uint64(second / bucketLength());
    }

    function hasRunOut(uint64 bucket) private view returns (bool) {
        return block.timestamp + 1 >= (uint256(bucket) + 1) * bucketLength() + _challengeWindow;
    }

    function amountIn(address attestor, uint64 bucket) private view returns (uint128) {
        uint256 word = _locks[attestor][bucket % 32];
        return uint64(word) == bucket ? uint128(word >> 64) : 0;
    }

    /// The bond without the locks that have run out.
    function released(address attestor) private view returns (StoredBond memory b) {
        b = _bondOf[attestor];
        if (b.locked == b.frozen) return b;
        if (hasRunOut(b.last)) {
            b.locked = b.frozen;
            b.first = b.last + 1;
            return b;
        }
        while (hasRunOut(b.first)) {
            b.locked -= amountIn(attestor, b.first);
            b.first += 1;
        }
    }

    function checkFree(StoredBond memory b, uint256 amount) private pure {
        if (amount > b.total - b.locked) revert BondTooSmall(b.total - b.locked, amount);
    }

    function bond() external payable override {
        _bondOf[msg.sender].total += uint128(msg.value);
        emit Bonded(msg.sender, msg.value, _bondOf[msg.sender].total);
    }

    function unbond(uint256 amount) external override {
        StoredBond memory b = released(msg.sender);
        checkFree(b, amount);
        b.total -= uint128(amount);
        _bondOf[msg.sender] = b;
        emit Unbonded(msg.sender, amount, b.total);
        pay(msg.sender, amount);
    }

    function bondOf(address attestor) external view override returns (uint256 total, uint256 locked) {
        StoredBond memory b = released(attestor);
        return (b.total, b.locked);
    }

    /// Holds `amount` of the attestor's bond for the window.
    function lock(address attestor, uint256 amount) internal {
        StoredBond memory b = released(attestor);
        checkFree(b, amount);
        if (amount > 0) {
            uint64 bucket = bucketOf(block.timestamp);
            if (b.locked == b.frozen) b.first = bucket;
            b.last = bucket;
            uint256 sum = uint256(amountIn(attestor, bucket)) + amount;
            _locks[attestor][bucket % 32] = bucket | sum << 64;
            b.locked += uint128(amount);
        }
        _bondOf[attestor] = b;
    }

    /// What a receipt holds is held until the court decides.
    function freeze(address attestor, uint256 settledAt, uint128 amount) internal {
        uint64 bucket = bucketOf(settledAt);
        uint256 rest = amountIn(attestor, bucket) - amount;
        _locks[attestor][bucket % 32] = bucket | rest << 64;
        _bondOf[attestor].frozen += amount;
    }

    /// What was frozen is free again.
    function thaw(address attestor, uint128 amount) internal {
        _bondOf[attestor].frozen -= amount;
        _bondOf[attestor].locked -= amount;
    }

    /// What was frozen is lost.
    function slash(address attestor, uint128 amount) internal {
        thaw(attestor, amount);
        _bondOf[attestor].total -= amount;
    }
}
