// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ATTRIBUTION, DATANETS, OpenLedger, PAYOUTS} from "../OpenLedger.sol";
import {IAttribution} from "../interfaces/IAttribution.sol";
import {Requests} from "../library/Requests.sol";

/// @title AnswerDesk
/// @notice An example: a help desk where visitors pay by the answer. It asks models on their behalf, and owes them what
/// an answer did not cost. It also owns a Datanet, contributes its rows to it, and stakes behind the answers it attests
/// to; what it earns by that is its keeper's.
/// @dev The precompiles pay without running code, so the desk can't see refunds come. It therefore keeps apart, in
/// `reserved`, what visitors are owed and the most that open questions may bring back; the keeper gets only what is
/// beyond that. Visitors withdraw: one that takes no money harms nobody else.
contract AnswerDesk is IERC1271 {
    struct Terms {
        uint64 datanets;
        uint64 models;
        uint64 challengeWindow;
        uint64 minimumDeadline;
        uint64 maximumDeadline;
        uint256 commitDeposit;
        uint256 credit;
        uint256 bonded;
    }

    /// @notice Runs the desk: contributes and stakes.
    address public immutable keeper;
    /// @notice The desk's own Datanet.
    uint64 public immutable datanet;
    /// @notice Who asked, until the question is settled up.
    mapping(bytes32 requestId => address) public askerOf;
    /// @notice Wei that a visitor can withdraw.
    mapping(address visitor => uint256) public owedTo;
    /// @notice Wei that is, or may come to be, visitors'.
    uint256 public reserved;

    event Opened(address indexed keeper, uint64 indexed datanet, string domain);
    event Pledged(uint64 indexed datanet, bytes32 indexed commitment, uint64 priority, uint256 deposit);
    event Contributed(uint64 indexed datanet, uint64 indexed contribution, uint32 rows);
    event Published(uint64 indexed datanet, uint32 version);
    event Staked(uint256 total, uint256 locked);
    event Asked(
        bytes32 indexed requestId, address indexed asker, uint64 indexed model, uint256 maxFee, uint64 deadline
    );
    event Returned(bytes32 indexed requestId, address indexed asker, uint256 amount);
    event Withdrawn(address indexed visitor, address indexed to, uint256 amount);
    event Taken(address indexed keeper, uint256 amount);

    error NotKeeper(address account);
    error NotAsked(bytes32 requestId);
    error NothingOwed(address account);

    modifier onlyKeeper() {
        require(msg.sender == keeper, NotKeeper(msg.sender));
        _;
    }

    /// @param schemaHash of the rows that the desk keeps. @param domain what the desk knows about.
    constructor(bytes32 schemaHash, string memory domain, string memory metadataURI) {
        keeper = msg.sender;
        datanet = DATANETS.createDatanet(schemaHash, domain, metadataURI);
        emit Opened(msg.sender, datanet, domain);
    }

    /// @dev Deposits, stakes and refunds come back here.
    receive() external payable {}

    /// @notice What the chain asks of the desk, and what the desk has there.
    function terms() external view returns (Terms memory t) {
        t.datanets = DATANETS.datanetCount();
        t.models = ATTRIBUTION.modelCount();
        t.challengeWindow = ATTRIBUTION.challengeWindow();
        (t.minimumDeadline, t.maximumDeadline) = PAYOUTS.deadlineBounds();
        t.commitDeposit = DATANETS.commitDeposit();
        t.credit = PAYOUTS.creditOf(address(this));
        (t.bonded,) = ATTRIBUTION.bondOf(address(this));
    }

    /// @notice What `pledge` takes for rows that `contribute` will show.
    function commitmentOf(bytes32 root, bytes32 salt) public view returns (bytes32) {
        return OpenLedger.commitmentOf(datanet, address(this), root, salt);
    }

    /// @notice Commits to rows without showing them; the value is the deposit.
    function pledge(bytes32 commitment) external payable onlyKeeper returns (uint64 priority) {
        priority = DATANETS.commit{value: msg.value}(commitment);
        emit Pledged(datanet, commitment, priority, msg.value);
    }

    /// @notice Shows what was pledged in an earlier block; the deposit goes back to the keeper.
    function contribute(bytes32 root, bytes32 salt, uint32 rows, uint16 licence, uint64 expiry)
        external
        onlyKeeper
        returns (uint64 contribution)
    {
        (,, uint256 deposit) = DATANETS.commitmentOf(address(this), commitmentOf(root, salt));
        contribution = DATANETS.reveal(datanet, root, salt, rows, licence, expiry);
        emit Contributed(datanet, contribution, rows);
        _send(keeper, deposit);
    }

    /// @notice Makes a version of contributed rows, which models can be trained on.
    /// @param clusterRoot Merkle root of the near-duplicate clusters over all rows of the version.
    function publish(uint64[] calldata contributions, bytes32 clusterRoot, uint32 clusters)
        external
        onlyKeeper
        returns (uint32 version)
    {
        version = DATANETS.publishVersion(datanet, contributions, clusterRoot, clusters);
        emit Published(datanet, version);
    }

    /// @notice Bonds the value behind the desk's answers.
    function stake() external payable onlyKeeper {
        ATTRIBUTION.bond{value: msg.value}();
        _emitStaked();
    }

    /// @notice Takes free bond back to the keeper.
    function unstake(uint256 amount) external onlyKeeper {
        ATTRIBUTION.unbond(amount);
        _emitStaked();
        _send(keeper, amount);
    }

    /// @notice Settles a request to a model whose owner lets the desk attest. A part of the desk's bond is held for it.
    function attest(IAttribution.Receipt calldata receipt) external onlyKeeper {
        ATTRIBUTION.settle(receipt);
    }

    /// @notice Wei that an answer of so many tokens costs: what to send with `ask`.
    function priceOf(uint64 model, uint32 tokensIn, uint32 tokensOut) external view returns (uint256) {
        return Requests.priceOf(model, tokensIn, tokensOut);
    }

    /// @notice Asks a model; the value is the most that the answer may cost.
    /// @param promptHash `OpenLedger.promptHashOf` with a fresh salt: of two visitors who ask the same with the same
    /// deadline, the second is refused.
    function ask(uint64 model, bytes32 promptHash, uint64 deadline) external payable returns (bytes32 requestId) {
        requestId = PAYOUTS.request{value: msg.value}(model, promptHash, deadline);
        askerOf[requestId] = msg.sender;
        reserved += msg.value;
        emit Asked(requestId, msg.sender, model, msg.value, deadline);
    }

    /// @notice Anyone: from now on an asker is owed what the answer did not cost, which is all of it when none came in
    /// time. Reverts with `Requests.StillWaiting` before that is known.
    function settleUp(bytes32 requestId) external returns (uint256 amount) {
        address asker = askerOf[requestId];
        require(asker != address(0), NotAsked(requestId));
        delete askerOf[requestId];
        amount = Requests.settleUp(requestId);
        owedTo[asker] += amount;
        reserved -= PAYOUTS.requestOf(requestId).maxFee - amount;
        emit Returned(requestId, asker, amount);
    }

    /// @notice Pays the caller what it is owed.
    function withdraw(address payable to) external returns (uint256 amount) {
        amount = owedTo[msg.sender];
        require(amount != 0, NothingOwed(msg.sender));
        owedTo[msg.sender] = 0;
        reserved -= amount;
        emit Withdrawn(msg.sender, to, amount);
        Address.sendValue(to, amount);
    }

    /// @notice Takes what contributions of the desk earned, and whatever else the desk has been paid, to the keeper.
    /// @dev Anyone can have the desk paid by `IPayouts.claimFor`; that is in the balance then, beyond what is reserved.
    function collect(uint64[] calldata contributions) external onlyKeeper returns (uint256 amount) {
        PAYOUTS.draw(contributions);
        if (PAYOUTS.creditOf(address(this)) != 0) amount = PAYOUTS.claim();
        uint256 balance = address(this).balance;
        if (balance > reserved && balance - reserved > amount) amount = balance - reserved;
        require(amount != 0, NothingOwed(msg.sender));
        emit Taken(keeper, amount);
        _send(keeper, amount);
    }

    /// @notice EIP-1271, for the one thing that the desk signs: an asker hands the prompt of its own question over to an
    /// attributor.
    /// @param signature the request's name, then the asker's signature over `OpenLedger.handOverDigest` of it.
    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (signature.length < 32) return 0xffffffff;
        bytes32 requestId = bytes32(signature[:32]);
        address asker = askerOf[requestId];
        bool valid = asker != address(0) && hash == OpenLedger.handOverDigest(requestId)
            && SignatureChecker.isValidSignatureNow(asker, hash, signature[32:]);
        return valid ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }

    function _emitStaked() private {
        (uint256 total, uint256 locked) = ATTRIBUTION.bondOf(address(this));
        emit Staked(total, locked);
    }

    function _send(address to, uint256 amount) private {
        Address.sendValue(payable(to), amount);
    }
}
