// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title Datanets: who contributed which rows, when, and under which licence.
/// @notice Precompile at 0x4F50454E00000000000000000000000000000001. Rows stay off chain; the chain holds
/// salted commitments, Merkle roots and licences.
interface IDatanets {
    struct Datanet {
        address owner;
        uint64 createdAt;
        uint32 contributions;
        uint32 versions;
        bytes32 schemaHash;
        string domain;
        string metadataURI;
    }

    struct Contribution {
        address owner;
        uint64 datanet;
        uint32 rows;
        /// Bit set of the LICENCE_* values.
        uint16 licence;
        /// Unix seconds after which the licence permits nothing; 0 means never.
        uint64 expiry;
        bytes32 root;
        /// Place of the commitment in the order of all commitments of the chain: smaller is earlier.
        uint64 priority;
        /// First version that holds it; 0 while none does.
        uint32 sinceVersion;
        ContributionStatus status;
    }

    enum ContributionStatus {
        /// Revealed, not judged. Enough for a version unless the Datanet's rules ask for approval.
        Pending,
        Approved,
        /// For good: no version takes it.
        Rejected,
        /// Not in a version until the challenge is resolved; what is in one earns on meanwhile.
        Challenged,
        /// Its rows are erased: no later receipt pays it and no later version takes it; versions that hold it stay.
        Tombstoned
    }

    /// What a Datanet asks of contributions. All zero asks nothing.
    struct Rules {
        /// Takes no contribution.
        bool closed;
        /// A version takes approved contributions only.
        bool approvalRequired;
        /// Takes licences that can be withdrawn.
        bool revocableAllowed;
        /// Uses that every licence must permit to everyone.
        uint16 requiredUses;
        /// Most rows of a contribution; 0 means MAX_ROWS.
        uint32 maxRows;
    }

    /// A licence that anyone can read. It permits to everyone each use in `uses` for purposes in `purposes` in regions in
    /// `regions`, until `expiry`, at no fee. Whatever it does not permit needs a grant.
    struct Terms {
        /// Bit set of the LICENCE_* values.
        uint16 uses;
        /// Bit set of the PURPOSE_* values; 0 means all.
        uint32 purposes;
        /// Bit set of regions, numbered off chain; 0 means all.
        uint32 regions;
        /// Unix seconds after which it permits nothing; 0 means never.
        uint64 expiry;
        /// Wei for a grant of `uses`; above 0 nothing is permitted without a grant.
        uint128 fee;
        /// Models must be under the same duty.
        bool shareAlike;
        /// The title holder may withdraw it.
        bool revocable;
    }

    /// Part of what a contribution earns, in basis points.
    struct OwnerShare {
        address account;
        uint16 bps;
    }

    /// What one account may do beyond the public licence.
    struct Grant {
        uint16 uses;
        /// 0 means all.
        uint32 purposes;
        /// 0 means all.
        uint32 regions;
        /// Last second at which it holds; 0 means without end.
        uint64 until;
    }

    struct DatanetVersion {
        uint64 datanet;
        uint32 version;
    }

    struct Ancestor {
        uint64 datanet;
        uint32 version;
        /// Named by the Datanet itself, not by one of its ancestors.
        bool direct;
    }

    struct RowRef {
        uint64 contribution;
        uint32 row;
    }

    enum ClusterStatus {
        None,
        Recorded,
        Challenged,
        Dissolved
    }

    /// Near-duplicate rows; the canonical one, earliest committed, earns for all.
    struct Cluster {
        uint64 datanet;
        uint64 contribution;
        uint32 row;
        uint32 copies;
        ClusterStatus status;
        address challenger;
        uint256 deposit;
        bytes32 evidence;
    }

    struct Version {
        bytes32 root;
        bytes32 clusterRoot;
        uint64 publishedAt;
        uint64 rows;
        uint32 contributions;
        uint32 clusters;
        /// Uses that every contribution of the version permits.
        uint16 licence;
        /// The earliest expiry of any contribution; 0 means never.
        uint64 expiry;
    }

    event DatanetCreated(
        uint64 indexed datanet, address indexed owner, bytes32 schemaHash, string domain, string metadataURI
    );
    event CuratorSet(uint64 indexed datanet, address indexed curator, bool allowed);
    event Committed(address indexed owner, bytes32 indexed commitment, uint64 priority, uint256 deposit);
    event Revealed(
        uint64 indexed contribution,
        uint64 indexed datanet,
        address indexed owner,
        bytes32 root,
        uint32 rows,
        uint16 licence,
        uint64 expiry,
        uint64 priority
    );
    event Forfeited(address indexed owner, bytes32 indexed commitment, uint256 deposit);
    event VersionPublished(
        uint64 indexed datanet,
        uint32 indexed version,
        bytes32 root,
        bytes32 clusterRoot,
        uint32 clusters,
        uint64[] contributions
    );
    event DatanetTransferred(uint64 indexed datanet, address indexed from, address indexed to);
    event ContributionTransferred(uint64 indexed contribution, address indexed from, address indexed to);
    event RulesSet(uint64 indexed datanet, Rules rules);
    event ParentAdded(uint64 indexed datanet, uint64 indexed parent, uint32 version);
    event ModeratorSet(uint64 indexed datanet, address indexed moderator, bool allowed);
    event TermsSet(uint64 indexed contribution, Terms terms);
    event OwnersSet(uint64 indexed contribution, uint32 indexed set, OwnerShare[] owners);
    event StatusSet(uint64 indexed contribution, ContributionStatus indexed status, address indexed by, string reason);
    event ContributionChallenged(
        uint64 indexed contribution, address indexed challenger, uint256 deposit, string reason
    );
    event ChallengeResolved(uint64 indexed contribution, bool upheld, address depositTo, uint256 deposit);
    event ClusterRecorded(
        uint64 indexed cluster, uint64 indexed datanet, RowRef canonical, RowRef[] copies, bytes32 evidence
    );
    event ClusterChallenged(uint64 indexed cluster, address indexed challenger, uint256 deposit, bytes32 evidence);
    event ClusterResolved(uint64 indexed cluster, bool upheld, address depositTo, uint256 deposit);
    event Granted(uint64 indexed contribution, address indexed grantee, Grant terms, uint256 paid);
    event GrantRevoked(
        uint64 indexed contribution, address indexed grantee, uint64 indexed model, uint32 purposes, uint64 lastValid
    );
    event LicenceWithdrawn(uint64 indexed contribution, uint64 indexed datanet, uint64 lastValid);

    error UnknownDatanet(uint64 datanet);
    error UnknownContribution(uint64 contribution);
    error UnknownVersion(uint64 datanet, uint32 version);
    error UnknownCommitment(address owner, bytes32 commitment);
    error CommitmentExists(address owner, bytes32 commitment);
    error WrongDeposit(uint256 required, uint256 given);
    error RevealTooEarly(uint64 firstBlock);
    error RevealTooLate(uint64 lastBlock);
    error RevealWindowOpen(uint64 lastBlock);
    error NotCurator(uint64 datanet, address account);
    error NotOwner(address owner, address account);
    error NotFacade(address account);
    error NoRows();
    error UnknownLicence(uint16 licence);
    error LicenceExpired(uint64 contribution, uint64 expiry);
    error AlreadyVersioned(uint64 contribution, uint32 version);
    error WrongDatanet(uint64 contribution, uint64 datanet);
    error TooLong(uint256 maximum, uint256 given);
    error ZeroAddress();
    error DatanetClosed(uint64 datanet);
    error TooManyRows(uint32 maximum, uint32 given);
    error UsesRequired(uint16 required, uint16 given);
    error RevocableNotAllowed(uint64 datanet);
    error TooManyParents(uint256 maximum, uint256 given);
    error TooDeep(uint256 maximum);
    error ParentCycle(uint64 parent);
    error LicenceForbids(uint64 contribution, uint16 use);
    error TooManyOwners(uint256 maximum, uint256 given);
    error WrongOwnerShares(uint256 index);
    error ShareTooSmall(uint16 held, uint16 asked);
    error NotModerator(uint64 datanet, address account);
    error WrongStatus(uint64 contribution, ContributionStatus status);
    error NoCopies();
    error TooManyCopies(uint256 maximum, uint256 given);
    error RowOutOfRange(uint64 contribution, uint32 row);
    error NotLater(uint64 contribution, uint32 row);
    error AlreadyMerged(uint64 contribution, uint32 row, uint64 cluster);
    error UnknownCluster(uint64 cluster);
    error WrongClusterStatus(uint64 cluster, ClusterStatus status);
    error EmptyGrant();
    error UnknownGrant(uint64 contribution, address grantee);
    error NotForSale(uint64 contribution);
    error WrongFee(uint256 required, uint256 given);
    error NotRevocable(uint64 contribution);
    error AlreadyWithdrawn(uint64 contribution);

    /// @notice Uses a licence may permit.
    function LICENCE_TRAIN() external pure returns (uint16);
    function LICENCE_SERVE() external pure returns (uint16);
    function LICENCE_RESELL() external pure returns (uint16);
    function LICENCE_DERIVE() external pure returns (uint16);

    /// @notice Purposes that a licence may be limited to; higher bits are free for agreements off chain.
    function PURPOSE_COMMERCIAL() external pure returns (uint32);
    function PURPOSE_RESEARCH() external pure returns (uint32);
    function PURPOSE_EDUCATION() external pure returns (uint32);
    function PURPOSE_PUBLIC_SECTOR() external pure returns (uint32);
    function PURPOSE_MEDICAL() external pure returns (uint32);
    function PURPOSE_PERSONAL() external pure returns (uint32);

    /// @notice Most rows of a contribution.
    function MAX_ROWS() external pure returns (uint32);

    /// @notice Deposit in wei that `commit` takes and `reveal` gives back.
    function commitDeposit() external view returns (uint256);
    /// @notice A commitment is revealed 1 to `revealWindow` blocks after its own, or its deposit is forfeit.
    function revealWindow() external view returns (uint64);

    /// @param schemaHash hash of the row schema. @param domain at most 64 bytes. @param metadataURI at most 256 bytes.
    function createDatanet(bytes32 schemaHash, string calldata domain, string calldata metadataURI)
        external
        returns (uint64 datanet);

    /// @notice Owner only. Curators approve contributions, publish versions and record near-duplicates.
    function setCurator(uint64 datanet, address curator, bool allowed) external;
    /// @notice What `setCurator` last said: a Datanet's owner is none unless it was made one.
    function isCurator(uint64 datanet, address account) external view returns (bool);

    /// @notice Takes a place in the order of commitments without showing anything.
    /// @param commitment keccak256(abi.encode(block.chainid, datanet, msg.sender, root, salt)).
    function commit(bytes32 commitment) external payable returns (uint64 priority);

    /// @notice Shows what was committed to by the caller; gives the deposit back.
    function reveal(uint64 datanet, bytes32 root, bytes32 salt, uint32 rows, uint16 licence, uint64 expiry)
        external
        returns (uint64 contribution);

    /// @notice Anyone may end a commitment that was not revealed in time; the deposit goes to the platform.
    function forfeit(address owner, bytes32 commitment) external;

    /// @notice A commitment that is still open: its priority, block and deposit; zeros otherwise.
    function commitmentOf(address owner, bytes32 commitment)
        external
        view
        returns (uint64 priority, uint64 committedBlock, uint256 deposit);

    /// @notice Adds contributions (at most 256 a call) to the Datanet's next version. Curators only.
    /// @dev root = keccak256(previousRoot ++ root_1 ++ … ++ root_n ++ clusterRoot).
    /// @param clusterRoot Merkle root of the near-duplicate clusters over all rows of the version.
    function publishVersion(uint64 datanet, uint64[] calldata contributions, bytes32 clusterRoot, uint32 clusters)
        external
        returns (uint32 version);

    /// @notice Reverts with `UnknownDatanet`, as all that names a Datanet does.
    function datanetOf(uint64 datanet) external view returns (Datanet memory);
    /// @notice Reverts with `UnknownContribution`, as all that names a contribution does.
    function contributionOf(uint64 contribution) external view returns (Contribution memory);
    /// @notice Reverts with `UnknownVersion`. @param version from 1.
    function versionOf(uint64 datanet, uint32 version) external view returns (Version memory);
    /// @notice Datanets of this chain: they are numbered from 1 to this.
    function datanetCount() external view returns (uint64);
    /// @notice Contributions of this chain: they are numbered from 1 to this.
    function contributionCount() external view returns (uint64);
    /// @notice How many Datanets an account owns; `ZeroAddress` for the zero address.
    function datanetBalanceOf(address owner) external view returns (uint256);
    /// @notice How many titles of contributions an account holds; `ZeroAddress` for the zero address.
    function contributionBalanceOf(address owner) external view returns (uint256);

    /// @notice Only the DatanetToken façade, which holds approvals and calls back receivers.
    function transferDatanet(address from, address to, uint64 datanet) external;
    /// @notice Only the ContributionToken façade.
    function transferContribution(address from, address to, uint64 contribution) external;

    // ── Rules, parents, roles ──────────────────────────────────────────────────────────────────────────────────────

    /// @notice `createDatanet` with rules, and derived from versions of other Datanets (at most 4, 16 ancestors in all,
    /// depth at most 8). Reverts where a parent's licences forbid deriving, naming the contribution.
    function createDatanetWith(
        bytes32 schemaHash,
        string calldata domain,
        string calldata metadataURI,
        Rules calldata rules,
        DatanetVersion[] calldata parents
    ) external returns (uint64 datanet);

    /// @notice Owner only; holds for what is revealed and published from now on.
    function setRules(uint64 datanet, Rules calldata rules) external;
    /// @notice What the Datanet asks of contributions now.
    function rulesOf(uint64 datanet) external view returns (Rules memory);

    /// @notice The versions that this Datanet derives from, at any depth, ascending by Datanet.
    function ancestorsOf(uint64 datanet) external view returns (uint8 depth, Ancestor[] memory ancestors);

    /// @notice Owner only. Moderators judge: they reject, resolve challenges and tombstone. The owner is one always.
    function setModerator(uint64 datanet, address moderator, bool allowed) external;
    /// @notice True of the Datanet's present owner, and of whom `setModerator` let be one.
    function isModerator(uint64 datanet, address account) external view returns (bool);

    // ── Contributions ──────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice `reveal` with full terms and co-owners. The caller holds the title and what `coOwners` (at most 15,
    /// each above 0, no account twice, not the caller, in sum below 10,000) leave.
    function revealWith(
        uint64 datanet,
        bytes32 root,
        bytes32 salt,
        uint32 rows,
        Terms calldata terms,
        OwnerShare[] calldata coOwners
    ) external returns (uint64 contribution);

    /// @notice The licence as it was revealed; `endOf` says whether it was withdrawn since.
    function termsOf(uint64 contribution) external view returns (Terms memory);
    /// @notice When the licence was withdrawn and the rows erased: last valid second, and second of erasure; 0 if not.
    function endOf(uint64 contribution) external view returns (uint64 withdrawnAfter, uint64 tombstonedAt);

    /// @notice Who earns now, the title holder first; in sum 10,000.
    function ownersOf(uint64 contribution) external view returns (OwnerShare[] memory);
    /// @notice Who earned when the chain's receipt number `receipt` was settled.
    function ownersAt(uint64 contribution, uint64 receipt) external view returns (OwnerShare[] memory);
    /// @notice Gives part of the caller's share to another account. What was earned before stays with who owned then.
    function transferShare(uint64 contribution, address to, uint16 bps) external;

    /// @notice Curators: a Pending contribution.
    function approveContribution(uint64 contribution) external;
    /// @notice Curators or moderators: a Pending or Approved contribution that no version holds.
    function rejectContribution(uint64 contribution, string calldata reason) external;
    /// @notice Anyone, with the commit deposit: a Pending or Approved contribution. @param reason at most 256 bytes.
    function challengeContribution(uint64 contribution, string calldata reason) external payable;
    /// @notice Moderators. Upheld: Rejected, or Tombstoned where a version holds it, and the deposit goes back;
    /// else Approved, and the deposit goes to the platform.
    function resolveContribution(uint64 contribution, bool upheld, string calldata reason) external;
    /// @notice The title holder or a moderator: the rows are erased.
    function tombstone(uint64 contribution, string calldata reason) external;

    // ── Near-duplicates ────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Curators of `datanet`: its rows `copies` (1 to 32) are near-duplicates of `canonical`, of any Datanet,
    /// which was committed earlier. Receipts can name the copies no more. @param evidence hash of what shows it.
    function recordCluster(uint64 datanet, RowRef calldata canonical, RowRef[] calldata copies, bytes32 evidence)
        external
        returns (uint64 cluster);
    /// @notice Anyone, with the commit deposit.
    function challengeCluster(uint64 cluster, bytes32 evidence) external payable;
    /// @notice Moderators of the copies' Datanet. Upheld: the cluster is dissolved and the deposit goes back; else the
    /// deposit goes to the platform.
    function resolveCluster(uint64 cluster, bool upheld) external;
    /// @notice Reverts with `UnknownCluster`.
    function clusterOf(uint64 cluster) external view returns (Cluster memory);
    /// @notice Clusters of this chain: they are numbered from 1 to this.
    function clusterCount() external view returns (uint64);
    /// @notice The row that earns for this one: itself unless a recorded cluster holds it as a copy.
    function canonicalOf(uint64 contribution, uint32 row) external view returns (RowRef memory, uint64 cluster);

    // ── Grants ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice Title holder only: replaces what `grantee` was granted before. Models registered before keep what they
    /// were registered with.
    function grant(uint64 contribution, address grantee, Grant calldata terms) external;
    /// @notice Pays the licence's fee, which the owners earn, for a grant to the caller of all its uses, purposes and
    /// regions until its expiry.
    function buyGrant(uint64 contribution) external payable;
    /// @notice Title holder only. Ends a grant after `lastValid` (0, or a second that has passed: at once) for one
    /// model or all (0), for some purposes or all (0). Models that rely on it can neither serve nor settle after that.
    function revokeGrant(uint64 contribution, address grantee, uint64 model, uint32 purposes, uint64 lastValid) external;
    /// @notice Zeros where there is none. `models` counts those that rely on it.
    function grantOf(uint64 contribution, address grantee) external view returns (Grant memory terms, uint8 models);
    /// @notice Title holder only, once, where the licence is revocable: nothing is permitted to everyone after
    /// `lastValid` (0, or a second that has passed: at once). Grants hold on.
    function withdrawLicence(uint64 contribution, uint64 lastValid) external;
    /// @notice Whether an account may use a contribution for a model of given purposes and regions now, and until when
    /// (0 means without end).
    function permits(uint64 contribution, address account, uint16 use, uint32 purposes, uint32 regions, bool shareAlike)
        external
        view
        returns (bool permitted, uint64 until);
}
