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
    /// A cluster's owner is owed `amount` for its share of the answer.
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
    // What a call meets in the other two precompiles.
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
    function requestOf(bytes32 requestId) external view returns (Request memory);

    /// @notice What an answer of so many tokens costs, and who earns it.
    function quote(uint64 model, uint32 tokensIn, uint32 tokensOut) external view returns (Quote memory);

    function creditOf(address account) external view returns (uint256);
    /// @notice Pays the caller what it is owed.
    function claim() external returns (uint256 amount);
    /// @notice Anyone may have an account paid what it is owed.
    function claimFor(address account) external returns (uint256 amount);
    /// @notice Only the ClaimRouter façade, which has checked the account's signature.
    function claimTo(address account, address to) external returns (uint256 amount);
}
