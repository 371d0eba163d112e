// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title The court: how a challenged receipt is judged.
/// @notice A contract at 0x4f50454E00000000000000000000000000000104. Money and status of a receipt are Attribution's; the
/// court tells it what to do and holds judges' stakes and appeal bonds. A challenge goes
/// Evidence → Judging → (Decided → Appealed → Final) or Final; every step has a deadline in blocks.
interface ICourt {
    enum Phase {
        None,
        /// The attestor must deliver before `deadline`, or loses by default.
        Evidence,
        /// The first set votes.
        Judging,
        /// A verdict that can be appealed until `deadline`.
        Decided,
        /// The larger set votes.
        Appealed,
        /// Attribution was told.
        Final
    }

    enum Verdict {
        None,
        Right,
        Wrong
    }

    struct Judge {
        address account;
        /// X25519 public key that evidence is encrypted to.
        bytes32 key;
    }

    /// As `IAttribution.ClusterShare`.
    struct CorrectedShare {
        uint64 contribution;
        uint32 row;
        uint32 ppm;
    }

    struct Case {
        uint64 model;
        address attestor;
        address challenger;
        Phase phase;
        Verdict verdict;
        /// Last block of the phase.
        uint64 deadline;
        /// Hash of the challenger's reasons.
        bytes32 grounds;
        /// Hash of what the attestor delivered, encrypted to each judge, and where it lies.
        bytes32 evidence;
        /// Hash of the corrected shares that the verdict stands on.
        bytes32 corrected;
        address appellant;
        uint256 appealBond;
        /// Stakes of the sitting judges, and of those that voted each way.
        uint256 stakeTotal;
        uint256 stakeRight;
        uint256 stakeWrong;
    }

    event JudgeStaked(address indexed account, uint256 amount, uint256 total);
    event JudgeUnstaked(address indexed account, uint256 amount, uint256 total);
    event JudgesSet(uint64 indexed model, bool indexed appeal, Judge[] judges);
    event Challenged(
        bytes32 indexed requestId,
        uint64 indexed model,
        address indexed challenger,
        uint256 stake,
        bytes32 grounds,
        uint64 deadline
    );
    event Delivered(bytes32 indexed requestId, address indexed attestor, bytes32 evidence, string uri, uint64 deadline);
    event Voted(bytes32 indexed requestId, address indexed judge, bool wrong, bytes32 corrected, uint256 stake);
    event Decision(bytes32 indexed requestId, Verdict verdict, bytes32 corrected, uint64 deadline);
    event Appealed(bytes32 indexed requestId, address indexed appellant, uint256 bond, uint64 deadline);
    event Closed(bytes32 indexed requestId, Verdict verdict);

    error NotModelOwner(uint64 model, address account);
    error TooManyJudges(uint256 maximum, uint256 given);
    error NoJudges(uint64 model);
    error AppealSetNotLarger(uint256 first, uint256 appeal);
    error JudgesNotAscending(uint256 index);
    error NoStake(address account);
    error StakeHeld(uint256 free, uint256 asked);
    error WrongStake(uint256 required, uint256 given);
    error WrongPhase(bytes32 requestId, Phase phase);
    error DeadlinePassed(uint64 deadline);
    error DeadlineNotPassed(uint64 deadline);
    error NotAttestor(address account);
    error NotJudge(address account);
    error AlreadyVoted(address account);
    error NotParty(address account);
    error WrongCorrected(bytes32 expected, bytes32 given);
    error EmptyEvidence();

    /// @notice Wei that a challenge costs, and an appeal.
    function challengeStake() external view returns (uint256);
    function appealBond() external view returns (uint256);
    /// @notice Blocks for delivery, for votes, and for an appeal.
    function periods() external view returns (uint64 evidence, uint64 voting, uint64 appeal);

    /// @notice A judge's stake weighs its votes. It is held while one of its cases is open.
    function stake() external payable;
    function unstake(uint256 amount) external;
    function stakeOf(address account) external view returns (uint256 total, uint256 openCases);

    /// @notice Model owner only; for cases opened from then on. Sets have 1 to 32 judges, ascending by account, each
    /// staked; the appeal set has more judges than the first.
    function setJudges(uint64 model, Judge[] calldata first, Judge[] calldata appeal) external;
    function judgesOf(uint64 model, bool appeal) external view returns (Judge[] memory);

    /// @notice Challenges a receipt; the value is the stake, which Attribution holds. @param grounds hash of the reasons.
    function challenge(bytes32 requestId, bytes32 grounds) external payable;
    /// @notice Attestor only: prompt, answer, rows and adapter, encrypted to the judges, lie at `uri` under this hash.
    function deliver(bytes32 requestId, bytes32 evidence, string calldata uri) external;
    /// @notice A sitting judge's verdict after re-running. @param corrected keccak256(abi.encode(shares)) of the right
    /// shares where wrong; zero where right.
    function vote(bytes32 requestId, bool wrong, bytes32 corrected) external;
    /// @notice Anyone: closes a phase that has run out, or a verdict that two thirds of the stake agree on.
    /// Without two thirds when voting ends, the receipt stands.
    function advance(bytes32 requestId) external;
    /// @notice Challenger or attestor, whichever the verdict went against, once, with the appeal bond: it goes back when
    /// the larger set decides otherwise, else it burns.
    function appeal(bytes32 requestId) external payable;
    /// @notice Anyone, when a verdict is final: tells Attribution. @param corrected the shares that were voted for.
    function execute(bytes32 requestId, CorrectedShare[] calldata corrected) external;
    function caseOf(bytes32 requestId) external view returns (Case memory);
}
