// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

import {PayoutsClaims} from "./PayoutsClaims.sol";

/// @title Payouts: vouchers and streams.
abstract contract PayoutsChannels is PayoutsClaims {
    bytes32 private constant VOUCHER_TYPE = keccak256("Voucher(bytes32 channel,uint256 cumulative)");

    function openChannel(address provider, address signer, uint64 expiry, bytes32 salt)
        external
        payable
        override
        returns (bytes32 channel)
    {
        if (provider == address(0)) revert ZeroAddress();
        if (msg.value == 0) revert NoValue();
        if (expiry < now64() + 3_600) revert ExpiryTooSoon(now64() + 3_600, expiry);
        if (signer == address(0)) signer = msg.sender;
        channel = keccak256(abi.encode(block.chainid, msg.sender, provider, signer, salt));
        StoredChannel storage c = _channelOf[channel];
        if (c.payer != address(0)) revert ChannelExists(channel);
        c.payer = msg.sender;
        c.expiry = expiry;
        c.provider = provider;
        c.signer = signer;
        c.deposit = msg.value;
        emit ChannelOpened(channel, msg.sender, provider, signer, expiry, msg.value);
    }

    function openChannelAt(bytes32 channel) private view returns (StoredChannel storage c) {
        c = _channelOf[channel];
        if (c.payer == address(0) || c.closed) revert UnknownChannel(channel);
    }

    function fundChannel(bytes32 channel, uint64 expiry) external payable override {
        StoredChannel storage c = openChannelAt(channel);
        if (c.payer != msg.sender) revert NotPayer(channel, msg.sender);
        if (expiry < c.expiry) revert ExpiryTooSoon(c.expiry, expiry);
        c.expiry = expiry;
        c.deposit += msg.value;
        emit ChannelFunded(channel, msg.value, c.deposit, expiry);
    }

    function redeemVoucher(bytes32 channel, uint256 cumulative, bytes memory signature)
        public
        override
        returns (uint256 amount)
    {
        StoredChannel storage c = openChannelAt(channel);
        if (c.provider != msg.sender) revert NotProvider(channel, msg.sender);
        if (cumulative > c.deposit) revert AboveDeposit(c.deposit, cumulative);
        if (cumulative <= c.redeemed) revert NothingNew(c.redeemed, cumulative);
        checkSignature(c.signer, keccak256(abi.encode(VOUCHER_TYPE, channel, cumulative)), signature);
        amount = cumulative - c.redeemed;
        c.redeemed = cumulative;
        credit(c.provider, amount);
        emit VoucherRedeemed(channel, c.provider, amount, cumulative);
    }

    function closeChannel(bytes32 channel) external override returns (uint256 refunded) {
        StoredChannel storage c = openChannelAt(channel);
        if (c.provider != msg.sender && now64() <= c.expiry) revert ChannelOpen(channel, c.expiry);
        c.closed = true;
        refunded = c.deposit - c.redeemed;
        emit ChannelClosed(channel, c.payer, refunded);
        pay(c.payer, refunded);
    }

    function channelOf(bytes32 channel) external view override returns (Channel memory) {
        StoredChannel storage c = _channelOf[channel];
        if (c.payer == address(0)) revert UnknownChannel(channel);
        return Channel(c.payer, c.provider, c.signer, c.expiry, c.deposit, c.redeemed);
    }

    // ── Streams ────────────────────────────────────────────────────────────────────────────────────────────────────

    function openStream(address to, uint128 weiPerSecond, uint64 start, bytes32 salt)
        external
        payable
        override
        returns (bytes32 stream)
    {
        if (to == address(0)) revert ZeroAddress();
        if (weiPerSecond == 0) revert ZeroRate();
        if (msg.value == 0) revert NoValue();
        stream = keccak256(abi.encode(block.chainid, msg.sender, to, weiPerSecond, salt));
        StoredStream storage s = _streamOf[stream];
        if (s.payer != address(0)) revert StreamExists(stream);
        s.payer = msg.sender;
        s.start = start > now64() ? start : now64();
        s.to = to;
        s.weiPerSecond = weiPerSecond;
        s.deposit = msg.value;
        emit StreamOpened(stream, msg.sender, to, weiPerSecond, s.start, msg.value);
    }

    function openStreamAt(bytes32 stream) private view returns (StoredStream storage s) {
        s = _streamOf[stream];
        if (s.payer == address(0) || s.closed) revert UnknownStream(stream);
    }

    /// What has flowed, were there no end to the deposit.
    function flow(StoredStream storage s) private view returns (uint256) {
        return now64() <= s.start ? 0 : uint256(s.weiPerSecond) * (now64() - s.start);
    }

    function fundStream(bytes32 stream) external payable override {
        StoredStream storage s = openStreamAt(stream);
        if (msg.value == 0) revert NoValue();
        if (flow(s) > s.deposit) s.start = uint64(now64() - s.deposit / s.weiPerSecond);
        s.deposit += msg.value;
        emit StreamFunded(stream, msg.value, s.deposit);
    }

    function drawNew(bytes32 stream, StoredStream storage s) private returns (uint256 amount) {
        uint256 flowed = min(s.deposit, flow(s));
        if (flowed <= s.drawn) return 0;
        amount = flowed - s.drawn;
        s.drawn = flowed;
        credit(s.to, amount);
        emit StreamDrawn(stream, s.to, amount);
    }

    function drawStream(bytes32 stream) external override returns (uint256 amount) {
        StoredStream storage s = openStreamAt(stream);
        amount = drawNew(stream, s);
        if (amount == 0) revert NothingToClaim(s.to);
    }

    function closeStream(bytes32 stream) external override returns (uint256 refunded) {
        StoredStream storage s = openStreamAt(stream);
        if (s.payer != msg.sender) revert NotPayer(stream, msg.sender);
        drawNew(stream, s);
        s.closed = true;
        refunded = s.deposit - s.drawn;
        emit StreamClosed(stream, s.payer, refunded);
        pay(s.payer, refunded);
    }

    function streamOf(bytes32 stream) external view override returns (Stream memory) {
        StoredStream storage s = _streamOf[stream];
        if (s.payer == address(0)) revert UnknownStream(stream);
        return Stream(s.payer, s.to, s.start, s.weiPerSecond, s.deposit, s.drawn);
    }
}
