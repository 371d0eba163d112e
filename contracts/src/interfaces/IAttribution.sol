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
        /// Place in the order of all receipts of the chain, from 1.
        uint64 number;
        /// Share of the long tail, which `tailOf` describes.
        uint32 tailPpm;
        ReceiptStatus status;
    }

    enum ReceiptStatus {
        /// Settled; may be challenged within the challenge window.
        Settled,
        /// Challenged; the attestor's bond for it is frozen until the court decides.
        Frozen,
        /// The court found it right.
        Upheld,
        /// The court found it wrong, or the attestor delivered nothing.
        Slashed
    }

    /// The long tail of a receipt: more payees than it names, by a Merkle-sum tree whose leaves are wei.
    struct Tail {
        /// Hash at the root; its sum is the tail's wei.
        bytes32 root;
        /// Its share; with the inline shares and the unattributed part it sums to exactly 1,000,000.
        uint32 ppm;
        /// 1 to MAX_TAIL_LEAVES.
        uint32 leaves;
    }

    struct TailInfo {
        bytes32 root;
        uint32 leaves;
        /// What all leaves sum to.
        uint256 amount;
        uint256 claimedWei;
    }

    /// What `registerModel` leaves out.
    struct ModelExtras {
        /// Models whose adapters this one composes, at most 8, ascending.
        uint64[] parents;
        bytes32 dataOrderSeed;
        bytes32 hyperParameters;
        /// Merkle root over the checkpoints of the training run.
        bytes32 checkpointRoot;
        /// Purposes that the model is for, as in a licence; 0 means any.
        uint32 purposes;
        /// Regions that the model is for; 0 means any.
        uint32 regions;
        /// The model is under the duty of share-alike licences.
        bool shareAlike;
    }

    /// What the licences allow a model now.
    struct Standing {
        /// Last second at which it may serve and settle; 0 means without end.
        uint64 validUntil;
        /// The contribution that ends it then.
        uint64 endedBy;
        /// Withdrawals of its Datanets that it has not looked at yet.
        uint64 pending;
        uint8 depth;
        ModelExtras extras;
    }

    /// How well a method's scores predict what training without some rows does: linear datamodelling score with its
    /// standard error, in parts per million.
    struct Faithfulness {
        int32 ldsPpm;
        uint32 errorPpm;
        uint32 samples;
        uint64 publishedAt;
        bytes32 evidence;
    }

    struct HistoryEntry {
        bytes32 requestId;
        uint32 row;
        uint32 ppm;
        uint256 amount;
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

    /// Besides `ReceiptSettled`, where there is a long tail.
    event TailSettled(bytes32 indexed requestId, bytes32 root, uint32 ppm, uint32 leaves, uint256 amount);
    event ModelDescribed(uint64 indexed model, ModelExtras extras);
    event FaithfulnessPublished(uint64 indexed model, int32 ldsPpm, uint32 errorPpm, uint32 samples, bytes32 evidence);
    /// A withdrawn licence or a revoked grant ends what a model may do after `validUntil`.
    event ModelLimited(uint64 indexed model, uint64 indexed contribution, uint64 validUntil);
    event ReceiptFrozen(
        bytes32 indexed requestId, address indexed attestor, address indexed challenger, uint256 held, uint256 stake
    );
    event ReceiptUpheld(bytes32 indexed requestId, address indexed attestor, uint256 burned);
    /// Of `slashed` wei, `madeWhole` went to underpaid contributions, `reward` to the challenger, the rest burned.
    event ReceiptSlashed(
        bytes32 indexed requestId,
        address indexed attestor,
        address indexed challenger,
        uint256 slashed,
        uint256 madeWhole,
        uint256 reward,
        uint256 burned
    );
    event MadeWhole(bytes32 indexed requestId, uint64 indexed contribution, uint256 amount);

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
    error TooManyParents(uint256 maximum, uint256 given);
    error ParentsNotAscending(uint64 parent);
    error TooDeep(uint256 maximum);
    error TooManyRestricted(uint256 maximum, uint256 given);
    error GrantFull(uint64 contribution, address grantee);
    error RefreshNeeded(uint64 model);
    error Erased(uint64 contribution);
    error NotCanonical(uint64 contribution, uint32 row);
    error EmptyTail();
    error TooManyLeaves(uint256 maximum, uint256 given);
    error NotCourt(address account);
    error WrongReceiptStatus(bytes32 requestId, ReceiptStatus status);
    error ChallengeWindowOver(bytes32 requestId, uint64 lastSecond);
    error UnknownTail(bytes32 requestId);
    // What a call meets in the other two precompiles; `status` is an IPayouts.Status.
    error UnknownDatanet(uint64 datanet);
    error UnknownVersion(uint64 datanet, uint32 version);
    error UnknownContribution(uint64 contribution);
    error UnknownRequest(bytes32 requestId);
    error RequestClosed(bytes32 requestId, uint8 status);
    error DeadlinePassed(uint64 deadline);
    error FeeAboveMaximum(uint256 maximum, uint256 fee);

    /// @notice Most shares that a receipt can name.
    function MAX_INLINE_SHARES() external pure returns (uint256);
    /// @notice Seconds for which the credits of a receipt hold their attestor's bond.
    function challengeWindow() external view returns (uint64);

    /// @notice The caller becomes owner and first attestor. Reverts when a dataset's licence forbids training
    /// or serving, naming the contribution. At most 16 datasets, ascending by Datanet.
    function registerModel(ModelSpec calldata spec) external returns (uint64 model);
    /// @notice Reverts with `UnknownModel`. Its `spec.datasets` are all that it is trained on, its parents' and ancestors' too.
    function modelOf(uint64 model) external view returns (Model memory);
    /// @notice Models of this chain: they are numbered from 1 to this.
    function modelCount() external view returns (uint64);
    /// @notice Model owner only. Attestors settle requests to the model, behind their own bonds.
    function setAttestor(uint64 model, address attestor, bool allowed) external;
    /// @notice Whether an account may settle requests to the model.
    function isAttestor(uint64 model, address account) external view returns (bool);

    /// @notice Adds the value to the caller's bond.
    function bond() external payable;
    /// @notice Takes back what no open receipt holds.
    function unbond(uint256 amount) external;
    /// @notice The whole bond, and what open and frozen receipts hold of it. A receipt holds its part for the challenge
    /// window and at most a sixteenth of it more.
    function bondOf(address attestor) external view returns (uint256 total, uint256 locked);

    /// @notice Records which clusters shaped the answer of an escrowed request and pays everyone in the same call.
    function settle(Receipt calldata receipt) external;
    /// @notice Reverts with `UnknownReceipt`.
    function receiptOf(bytes32 requestId) external view returns (ReceiptInfo memory);
    /// @notice From an answer to its model, dataset versions, rows and people; a page of shares at a time.
    function lineageOf(bytes32 requestId, uint256 offset, uint256 limit) external view returns (Lineage memory);

    /// @notice Most payees of a long tail.
    function MAX_TAIL_LEAVES() external pure returns (uint256);
    /// @notice Receipts settled on this chain; the last one's number.
    function receiptCount() external view returns (uint64);

    // ── Models ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice `registerModel` with what else describes it. Its datasets become those given and those of its parents and
    /// of derived Datanets' ancestors, the later version where two agree; at most 16 in all.
    function registerModelWith(ModelSpec calldata spec, ModelExtras calldata extras) external returns (uint64 model);
    /// @notice What the licences allow the model.
    function standingOf(uint64 model) external view returns (Standing memory);
    /// @notice Anyone: looks at up to 256 withdrawals that the model has not looked at. `settle` looks at up to 32.
    function refreshModel(uint64 model) external returns (uint64 pending);
    /// @notice Owner only. The latest counts.
    function publishFaithfulness(uint64 model, int32 ldsPpm, uint32 errorPpm, uint32 samples, bytes32 evidence) external;
    /// @notice What the model's owner published last; zeros before.
    function faithfulnessOf(uint64 model) external view returns (Faithfulness memory);

    // ── Receipts ───────────────────────────────────────────────────────────────────────────────────────────────────

    /// @notice `settle` with a long tail.
    function settleTail(Receipt calldata receipt, Tail calldata tail) external;
    /// @notice Reverts with `UnknownReceipt`, and with `UnknownTail` where the receipt has none.
    function tailOf(bytes32 requestId) external view returns (TailInfo memory);
    /// @notice A model's receipts, oldest first; `limit` at most 256.
    function receiptsOfModel(uint64 model, uint256 offset, uint256 limit)
        external
        view
        returns (uint256 total, bytes32[] memory requestIds);
    /// @notice What a contribution earned inline from a model, newest first. Looks at the `limit` (at most 64) receipts
    /// of the model before number `before` of the model's (0: from its last); `next` is the next page's `before`, 0 at
    /// the end.
    function historyOf(uint64 contribution, uint64 model, uint64 before, uint256 limit)
        external
        view
        returns (HistoryEntry[] memory entries, uint64 next);

    // ── Challenges: only the court ─────────────────────────────────────────────────────────────────────────────────

    /// @notice The court has admitted a challenge; the value is the challenger's stake. One challenge a receipt.
    function freezeReceipt(bytes32 requestId, address challenger) external payable;
    /// @notice The court has decided. Right: the stake burns. Wrong: the part of the bond that the receipt holds first
    /// pays what `corrected` gives contributions more than the receipt did; of the rest 30 % goes to the challenger, with
    /// its stake, and 70 % burns. Contributors keep what they were credited. `corrected` may be empty.
    function resolveReceipt(bytes32 requestId, bool wrong, ClusterShare[] calldata corrected) external;
    /// @notice Who challenged a receipt, and with how much; zeros where nobody did.
    function challengeOf(bytes32 requestId) external view returns (address challenger, uint256 stake);
}
