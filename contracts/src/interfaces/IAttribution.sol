// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.20;

/// @title Attribution: models, the bonds behind their answers, and the receipts that say which rows shaped them.
/// @notice Precompile at 0x4F50454E00000000000000000000000000000002.
interface IAttribution {
    struct DatasetRef {
        uint64 datanet;
        uint32 version;
    }

    /// Wei.
    struct Price {
        uint128 perTokenIn;
        uint128 perTokenOut;
        uint128 platformFee;
    }

    /// Parts of the fee, less the platform fee, in basis points; they sum to 10,000.
    struct Split {
        uint16 platform;
        uint16 model;
        uint16 stakers;
        uint16 contributors;
    }

    struct ModelSpec {
        bytes32 base;
        bytes32 adapterHash;
        /// Hash of the training transcript: data order seed, hyper-parameters, losses.
        bytes32 trainingHash;
        /// Identifies the attribution method and its parameters.
        bytes32 method;
        /// A cluster's share that a re-run gives differently by more than this is wrong.
        uint32 bandPpm;
        Price price;
        Split split;
        DatasetRef[] datasets;
        string metadataURI;
    }

    struct Model {
        address owner;
        uint64 registeredAt;
        uint64 receipts;
        ModelSpec spec;
    }

    /// A cluster is named by its canonical row: the earliest committed of its near-duplicates.
    struct ClusterShare {
        uint64 contribution;
        uint32 row;
        uint32 ppm;
    }

    struct Receipt {
        bytes32 requestId;
        /// keccak256(salt ++ big-endian uint32 tokens) of the answer.
        bytes32 answerHash;
        /// Merkle root over the scores of all rows.
        bytes32 scoreRoot;
        uint32 tokensIn;
        uint32 tokensOut;
        /// What no cluster earned; with the shares it sums to exactly 1,000,000.
        uint32 unattributedPpm;
        /// Strictly ascending by (contribution, row), none zero, at most MAX_INLINE_SHARES.
        ClusterShare[] shares;
    }

    struct ReceiptInfo {
        uint64 model;
        address attestor;
        uint64 settledAt;
        uint64 blockNumber;
        uint32 shareCount;
        uint32 unattributedPpm;
        uint32 tokensIn;
        uint32 tokensOut;
        bytes32 answerHash;
        bytes32 scoreRoot;
        uint256 fee;
        /// Wei of the fee that went to contributors, unattributed part included.
        uint256 contributorsWei;
    }

    struct LineageEntry {
        uint64 contribution;
        uint32 row;
        uint32 ppm;
        uint64 datanet;
        address owner;
        bytes32 contributionRoot;
    }

    struct Lineage {
        bytes32 answerHash;
        uint64 model;
        bytes32 adapterHash;
        DatasetRef[] datasets;
        bytes32[] datasetRoots;
        uint256 total;
        LineageEntry[] entries;
    }

    event ModelRegistered(
        uint64 indexed model, address indexed owner, bytes32 base, bytes32 adapterHash, string metadataURI
    );
    event AttestorSet(uint64 indexed model, address indexed attestor, bool allowed);
    event Bonded(address indexed attestor, uint256 amount, uint256 total);
    event Unbonded(address indexed attestor, uint256 amount, uint256 total);
    event ReceiptSettled(
        bytes32 indexed requestId,
        uint64 indexed model,
        address indexed attestor,
        bytes32 answerHash,
        bytes32 scoreRoot,
        uint32 unattributedPpm,
        ClusterShare[] shares
    );

    error UnknownModel(uint64 model);
    error UnknownReceipt(bytes32 requestId);
    error NotModelOwner(uint64 model, address account);
    error NotAttestor(uint64 model, address account);
    error NoDatasets();
    error TooManyDatasets(uint256 maximum, uint256 given);
    error DatasetsNotAscending(uint64 datanet);
    error WrongSplit(uint256 sum);
    error LicenceForbids(uint64 contribution, uint16 use);
    error BandTooWide(uint32 maximum, uint32 given);
    error SharesNotAscending(uint256 index);
    error WrongShareSum(uint256 sum);
    error ZeroShare(uint256 index);
    error TooManyShares(uint256 maximum, uint256 given);
    error NotInModel(uint64 contribution, uint64 model);
    error RowOutOfRange(uint64 contribution, uint32 row);
    error BondTooSmall(uint256 free, uint256 required);
    error TooLong(uint256 maximum, uint256 given);
    error ZeroAddress();
    // What a call meets in the other two precompiles; `status` is an IPayouts.Status.
    error UnknownDatanet(uint64 datanet);
    error UnknownVersion(uint64 datanet, uint32 version);
    error UnknownContribution(uint64 contribution);
    error UnknownRequest(bytes32 requestId);
    error RequestClosed(bytes32 requestId, uint8 status);
    error DeadlinePassed(uint64 deadline);
    error FeeAboveMaximum(uint256 maximum, uint256 fee);

    function MAX_INLINE_SHARES() external pure returns (uint256);
    /// @notice Seconds for which the credits of a receipt hold their attestor's bond.
    function challengeWindow() external view returns (uint64);

    /// @notice The caller becomes owner and first attestor. Reverts when a dataset's licence forbids training
    /// or serving, naming the contribution. At most 16 datasets, ascending by Datanet.
    function registerModel(ModelSpec calldata spec) external returns (uint64 model);
    function modelOf(uint64 model) external view returns (Model memory);
    function modelCount() external view returns (uint64);
    function setAttestor(uint64 model, address attestor, bool allowed) external;
    function isAttestor(uint64 model, address account) external view returns (bool);

    function bond() external payable;
    /// @notice Takes back what no open receipt holds.
    function unbond(uint256 amount) external;
    /// @notice The whole bond, and what open receipts hold of it. Of the locks that have run out but were not yet
    /// released, the first 1,024 are left out of `locked`.
    function bondOf(address attestor) external view returns (uint256 total, uint256 locked);

    /// @notice Records which clusters shaped the answer of an escrowed request and pays everyone in the same call.
    function settle(Receipt calldata receipt) external;
    function receiptOf(bytes32 requestId) external view returns (ReceiptInfo memory);
    /// @notice From an answer to its model, dataset versions, rows and people; a page of shares at a time.
    function lineageOf(bytes32 requestId, uint256 offset, uint256 limit) external view returns (Lineage memory);
}
