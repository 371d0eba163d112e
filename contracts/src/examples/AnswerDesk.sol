// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {ATTRIBUTION, DATANETS, OpenLedger, PAYOUTS} from "../OpenLedger.sol";
import {IPayouts} from "../interfaces/IPayouts.sol";

/// @title AnswerDesk
/// @notice An example: a help desk that owns a Datanet, contributes its rows to it, stakes behind the answers it
/// attests to, and asks models on behalf of its visitors, who get back what an answer did not cost.
contract AnswerDesk {
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
    /// @notice Who asked what is still open, or settled but not yet taken back.
    mapping(bytes32 requestId => address) public askerOf;

    event Opened(address indexed keeper, uint64 indexed datanet, string domain);
    event Pledged(uint64 indexed datanet, bytes32 indexed commitment, uint64 priority, uint256 deposit);
    event Contributed(uint64 indexed datanet, uint64 indexed contribution, uint32 rows);
    event Staked(uint256 total, uint256 locked);
    event Asked(
        bytes32 indexed requestId, address indexed asker, uint64 indexed model, uint256 maxFee, uint64 deadline
    );
    event Returned(bytes32 indexed requestId, address indexed asker, uint256 amount);

    error NotKeeper(address account);
    error NotAsked(bytes32 requestId);
    error NotAnswered(bytes32 requestId);
    error TransferFailed(address to, uint256 amount);

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

    /// @notice Asks a model; the value is the most that the answer may cost.
    function ask(uint64 model, bytes32 promptHash, uint64 deadline) external payable returns (bytes32 requestId) {
        requestId = PAYOUTS.request{value: msg.value}(model, promptHash, deadline);
        askerOf[requestId] = msg.sender;
        emit Asked(requestId, msg.sender, model, msg.value, deadline);
    }

    /// @notice Gives an asker back what the answer did not cost: all of it when none came in time. Anyone may call.
    function settleUp(bytes32 requestId) external returns (uint256 amount) {
        address asker = askerOf[requestId];
        require(asker != address(0), NotAsked(requestId));
        delete askerOf[requestId];

        IPayouts.Request memory request = PAYOUTS.requestOf(requestId);
        amount = request.maxFee;
        if (request.status == IPayouts.Status.Open) {
            // Reverts before the deadline. Someone else may have done this already.
            PAYOUTS.refund(requestId);
        } else if (request.status == IPayouts.Status.Settled) {
            amount -= ATTRIBUTION.receiptOf(requestId).fee;
        } else {
            require(request.status == IPayouts.Status.Refunded, NotAnswered(requestId));
        }
        emit Returned(requestId, asker, amount);
        _send(asker, amount);
    }

    /// @notice Takes what contributions of the desk earned, and whatever else the desk is owed, to the keeper.
    function collect(uint64[] calldata contributions) external onlyKeeper returns (uint256 amount) {
        amount = PAYOUTS.drawAndClaim(contributions);
        _send(keeper, amount);
    }

    function _emitStaked() private {
        (uint256 total, uint256 locked) = ATTRIBUTION.bondOf(address(this));
        emit Staked(total, locked);
    }

    function _send(address to, uint256 amount) private {
        (bool sent,) = to.call{value: amount}("");
        require(sent, TransferFailed(to, amount));
    }
}
