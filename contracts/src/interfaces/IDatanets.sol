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

    /// @notice Uses a licence may permit.
    function LICENCE_TRAIN() external pure returns (uint16);
    function LICENCE_SERVE() external pure returns (uint16);
    function LICENCE_RESELL() external pure returns (uint16);
    function LICENCE_DERIVE() external pure returns (uint16);

    /// @notice Deposit in wei that `commit` takes and `reveal` gives back.
    function commitDeposit() external view returns (uint256);
    /// @notice A commitment is revealed 1 to `revealWindow` blocks after its own, or its deposit is forfeit.
    function revealWindow() external view returns (uint64);

    /// @param schemaHash hash of the row schema. @param domain at most 64 bytes. @param metadataURI at most 256 bytes.
    function createDatanet(bytes32 schemaHash, string calldata domain, string calldata metadataURI)
        external
        returns (uint64 datanet);

    function setCurator(uint64 datanet, address curator, bool allowed) external;
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

    function datanetOf(uint64 datanet) external view returns (Datanet memory);
    function contributionOf(uint64 contribution) external view returns (Contribution memory);
    function versionOf(uint64 datanet, uint32 version) external view returns (Version memory);
    function datanetCount() external view returns (uint64);
    function contributionCount() external view returns (uint64);
    function datanetBalanceOf(address owner) external view returns (uint256);
    function contributionBalanceOf(address owner) external view returns (uint256);

    /// @notice Only the DatanetToken façade, which holds approvals and calls back receivers.
    function transferDatanet(address from, address to, uint64 datanet) external;
    /// @notice Only the ContributionToken façade.
    function transferContribution(address from, address to, uint64 contribution) external;
}
