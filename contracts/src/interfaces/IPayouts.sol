// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title Payouts: escrowed requests, what everyone is owed, and claims.
/// @notice Precompile at 0x4F50454E00000000000000000000000000000003. It holds the OPEN that is escrowed or owed.
interface IPayouts {
    enum Status {
        None,
        Open,
        Settled,
        Refunded
    }

    struct Request {
        address payer;
        uint64 model;
        uint64 deadline;
        uint64 createdAt;
        Status status;
        uint256 maxFee;
        bytes32 promptHash;
    }

    struct Quote {
        uint256 fee;
        uint256 platform;
        uint256 model;
        uint256 stakers;
        uint256 contributors;
    }

    event Requested(
        bytes32 indexed requestId,
        uint64 indexed model,
        address indexed payer,
        bytes32 promptHash,
        uint256 maxFee,
        uint64 deadline
    );
    event Settled(
        bytes32 indexed requestId,
        uint64 indexed model,
        address indexed payer,
        uint256 fee,
        uint256 refunded,
        uint256 platform,
        uint256 modelOwner,
        uint256 stakers,
        uint256 contributors
    );
    /// An owner of a contribution is owed `amount` for a leaf of a receipt's long tail (`row` and `ppm` are 0). What inline
    /// shares earn follows from `IAttribution.ReceiptSettled` and `Settled.contributors` by cumulative floors.
    event Credited(
        bytes32 indexed requestId,
        address indexed account,
        uint64 indexed contribution,
        uint32 row,
        uint32 ppm,
        uint256 amount
    );
    /// A Datanet's owner is owed `amount` of what no cluster earned.
    event UnattributedCredited(
        bytes32 indexed requestId, uint64 indexed datanet, address indexed account, uint256 amount
    );
    event Refunded(bytes32 indexed requestId, address indexed payer, uint256 amount);
    /// An owner is owed its part of what a contribution had accrued.
    event Drawn(uint64 indexed contribution, address indexed account, uint256 amount);
    event ChannelOpened(
        bytes32 indexed channel,
        address indexed payer,
        address indexed provider,
        address signer,
        uint64 expiry,
        uint256 deposit
    );
    event ChannelFunded(bytes32 indexed channel, uint256 amount, uint256 deposit, uint64 expiry);
    /// The provider is owed `amount` more; `redeemed` in all.
    event VoucherRedeemed(bytes32 indexed channel, address indexed provider, uint256 amount, uint256 redeemed);
    event ChannelClosed(bytes32 indexed channel, address indexed payer, uint256 refunded);
    event StreamOpened(
        bytes32 indexed stream,
        address indexed payer,
        address indexed to,
        uint128 weiPerSecond,
        uint64 start,
        uint256 deposit
    );
    event StreamFunded(bytes32 indexed stream, uint256 amount, uint256 deposit);
    event StreamDrawn(bytes32 indexed stream, address indexed to, uint256 amount);
    event StreamClosed(bytes32 indexed stream, address indexed payer, uint256 refunded);
    event Claimed(address indexed account, address indexed to, uint256 amount, address by);

    error UnknownRequest(bytes32 requestId);
    error RequestExists(bytes32 requestId);
    error RequestClosed(bytes32 requestId, Status status);
    error FeeBelowPrice(uint256 minimum, uint256 given);
    error FeeAboveMaximum(uint256 maximum, uint256 fee);
    error DeadlineTooSoon(uint64 earliest, uint64 given);
    error DeadlineTooFar(uint64 latest, uint64 given);
    error DeadlineNotPassed(uint64 deadline);
    error NothingToClaim(address account);
    error NotFacade(address account);
    error ZeroAddress();
    error TooManyContributions(uint256 maximum, uint256 given);
    error TailLeafClaimed(bytes32 requestId, uint32 index);
    error WrongTailProof(bytes32 requestId, uint32 index);
    error TailExhausted(bytes32 requestId);
    error SignatureExpired(uint64 deadline);
    error InvalidSignature(address account);
    error NoValue();
    error UnknownChannel(bytes32 channel);
    error ChannelExists(bytes32 channel);
    error NotProvider(bytes32 channel, address account);
    error NotPayer(bytes32 id, address account);
    error ChannelOpen(bytes32 channel, uint64 expiry);
    error ExpiryTooSoon(uint64 earliest, uint64 given);
    error NothingNew(uint256 redeemed, uint256 cumulative);
    error AboveDeposit(uint256 deposit, uint256 cumulative);
    error UnknownStream(bytes32 stream);
    error StreamExists(bytes32 stream);
    error ZeroRate();
    // What a call meets in the other two precompiles.
    error UnknownContribution(uint64 contribution);
    error UnknownReceipt(bytes32 requestId);
    error UnknownTail(bytes32 requestId);
    error NotInModel(uint64 contribution, uint64 model);
    error RefreshNeeded(uint64 model);
    error UnknownModel(uint64 model);
    error LicenceForbids(uint64 contribution, uint16 use);

    /// @notice Shortest and longest time in seconds from a request to its deadline.
    function deadlineBounds() external view returns (uint64 minimum, uint64 maximum);
    /// @notice The account that earns the platform's part.
    function platform() external view returns (address);

    /// @notice Escrows the value as the most that the answer may cost.
    /// @param promptHash keccak256(salt ++ prompt bytes).
    /// @return requestId keccak256(abi.encode(block.chainid, msg.sender, model, promptHash, deadline)).
    function request(uint64 model, bytes32 promptHash, uint64 deadline) external payable returns (bytes32 requestId);
    /// @notice After the deadline anyone may send an unsettled escrow back to its payer.
    function refund(bytes32 requestId) external;
    /// @notice Reverts with `UnknownRequest`. It stays when the request is closed.
    function requestOf(bytes32 requestId) external view returns (Request memory);

    /// @notice What an answer of so many tokens costs, and who earns it.
    function quote(uint64 model, uint32 tokensIn, uint32 tokensOut) external view returns (Quote memory);

    /// @notice Wei that an account can claim now. What contributions have accrued comes on top when it is drawn.
    function creditOf(address account) external view returns (uint256);
    /// @notice Pays the caller what it is owed.
    function claim() external returns (uint256 amount);
    /// @notice Anyone may have an account paid what it is owed.
    function claimFor(address account) external returns (uint256 amount);
    /// @notice Only the ClaimRouter façade, which has checked the account's signature.
    function claimTo(address account, address to) external returns (uint256 amount);

    // ── What contributions accrue ──────────────────────────────────────────────────────────────────────────────────

    /// A leaf of a receipt's Merkle-sum tree and the way to the root.
    struct TailClaim {
        uint32 index;
        uint64 contribution;
        uint256 amount;
        /// From the leaf's sibling up: hash and sum of each.
        bytes32[] siblings;
        uint256[] sums;
    }

    /// @notice Wei that a contribution has earned and its owners have not drawn, and how many receipts paid it inline.
    function accruedOf(uint64 contribution) external view returns (uint256 amount, uint64 receipts);
    /// @notice Anyone: what each contribution (at most 64) has accrued is owed to its owners from now on.
    function draw(uint64[] calldata contributions) external returns (uint256 amount);
    /// @notice `draw`, then `claim`.
    function drawAndClaim(uint64[] calldata contributions) external returns (uint256 amount);

    /// @notice Anyone: a leaf of a receipt's long tail is owed to those who owned the contribution when it was settled.
    function claimTail(bytes32 requestId, TailClaim calldata leaf) external returns (uint256 amount);
    /// @notice Whether a leaf was claimed; false for anything unknown.
    function isTailClaimed(bytes32 requestId, uint32 index) external view returns (bool);

    // ── Claims by signature ────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Pays what `account` is owed to `to`, by the account's EIP-712 signature over
    /// Claim(address account,address to,uint256 nonce,uint256 deadline) in the domain
    /// ("OpenLedger Payouts", "1", chainId, this address).
    function claimBySignature(address account, address to, uint64 deadline, bytes calldata signature)
        external
        returns (uint256 amount);
    /// @notice The nonce that the account's next claim by signature has.
    function nonces(address account) external view returns (uint256);
    /// @notice The EIP-712 domain of claims and vouchers.
    function DOMAIN_SEPARATOR() external view returns (bytes32);

    // ── Vouchers: deposited once, signed off chain, the last one redeemed ──────────────────────────────────────────

    struct Channel {
        address payer;
        address provider;
        /// Signs vouchers.
        address signer;
        uint64 expiry;
        uint256 deposit;
        uint256 redeemed;
    }

    /// @notice The value can go to `provider` by vouchers until `expiry`, then back. `expiry` is at least an hour ahead.
    /// @param signer signs the vouchers; zero means the caller.
    /// @return channel keccak256(abi.encode(block.chainid, caller, provider, signer, salt)).
    function openChannel(address provider, address signer, uint64 expiry, bytes32 salt)
        external
        payable
        returns (bytes32 channel);
    /// @notice Payer only: adds value, or time (`expiry` not earlier than it is), or both.
    function fundChannel(bytes32 channel, uint64 expiry) external payable;
    /// @notice Provider only: is owed what `cumulative` is above what it has redeemed. `signature` is the signer's over
    /// Voucher(bytes32 channel,uint256 cumulative) in the same domain as claims. Good until the channel is closed.
    function redeemVoucher(bytes32 channel, uint256 cumulative, bytes calldata signature)
        external
        returns (uint256 amount);
    /// @notice The provider at any time, anyone after `expiry`: what was not redeemed goes back to the payer.
    function closeChannel(bytes32 channel) external returns (uint256 refunded);
    /// @notice Reverts with `UnknownChannel`. It stays when the channel is closed.
    function channelOf(bytes32 channel) external view returns (Channel memory);

    // ── Streaming deposits ─────────────────────────────────────────────────────────────────────────────────────────

    struct Stream {
        address payer;
        address to;
        uint64 start;
        uint128 weiPerSecond;
        uint256 deposit;
        uint256 drawn;
    }

    /// @notice The value flows to `to` at a rate from `start` (0, or a second that has passed: now) until it is used up.
    /// @return stream keccak256(abi.encode(block.chainid, caller, to, weiPerSecond, salt)).
    function openStream(address to, uint128 weiPerSecond, uint64 start, bytes32 salt)
        external
        payable
        returns (bytes32 stream);
    /// @notice Anyone adds value to a stream.
    function fundStream(bytes32 stream) external payable;
    /// @notice Anyone: `to` is owed what has flowed and was not drawn.
    function drawStream(bytes32 stream) external returns (uint256 amount);
    /// @notice Payer only: `to` is owed what has flowed, the rest goes back.
    function closeStream(bytes32 stream) external returns (uint256 refunded);
    /// @notice Reverts with `UnknownStream`. It stays when the stream is closed.
    function streamOf(bytes32 stream) external view returns (Stream memory);
}
