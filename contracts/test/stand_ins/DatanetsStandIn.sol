// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {CONTRIBUTION_TOKEN, DATANET_TOKEN, OpenLedger} from "../../src/OpenLedger.sol";
import {IDatanets} from "../../src/interfaces/IDatanets.sol";

/// @dev As much of the Datanets precompile as contracts that call it can tell from the real one: ids from 1, balances,
/// who may transfer, and its errors. No versions, no forfeits.
contract DatanetsStandIn {
    struct Commitment {
        uint64 priority;
        uint64 committedBlock;
        uint256 deposit;
    }

    uint256 public constant commitDeposit = 0.1 ether;
    uint64 public constant revealWindow = 256;

    uint64 public datanetCount;
    uint64 public contributionCount;
    uint64 private commitments;
    mapping(uint64 => IDatanets.Datanet) private datanets;
    mapping(uint64 => IDatanets.Contribution) private contributions;
    mapping(address => mapping(bytes32 => Commitment)) public commitmentOf;
    mapping(address => uint256) public datanetBalanceOf;
    mapping(address => uint256) public contributionBalanceOf;

    function createDatanet(bytes32 schemaHash, string calldata domain, string calldata metadataURI)
        external
        returns (uint64 datanet)
    {
        datanet = ++datanetCount;
        datanets[datanet] =
            IDatanets.Datanet(msg.sender, uint64(block.timestamp), 0, 0, schemaHash, domain, metadataURI);
        ++datanetBalanceOf[msg.sender];
        emit IDatanets.DatanetCreated(datanet, msg.sender, schemaHash, domain, metadataURI);
        emit IDatanets.CuratorSet(datanet, msg.sender, true);
    }

    function commit(bytes32 commitment) external payable returns (uint64 priority) {
        require(msg.value == commitDeposit, IDatanets.WrongDeposit(commitDeposit, msg.value));
        Commitment storage open = commitmentOf[msg.sender][commitment];
        require(open.priority == 0, IDatanets.CommitmentExists(msg.sender, commitment));
        priority = ++commitments;
        (open.priority, open.committedBlock, open.deposit) = (priority, uint64(block.number), msg.value);
        emit IDatanets.Committed(msg.sender, commitment, priority, msg.value);
    }

    function reveal(uint64 datanet, bytes32 root, bytes32 salt, uint32 rows, uint16 licence, uint64 expiry)
        external
        returns (uint64 contribution)
    {
        bytes32 commitment = OpenLedger.commitmentOf(datanet, msg.sender, root, salt);
        Commitment memory open = commitmentOf[msg.sender][commitment];
        require(open.priority != 0, IDatanets.UnknownCommitment(msg.sender, commitment));
        require(block.number > open.committedBlock, IDatanets.RevealTooEarly(open.committedBlock + 1));
        uint64 lastBlock = open.committedBlock + revealWindow;
        require(block.number <= lastBlock, IDatanets.RevealTooLate(lastBlock));
        require(rows != 0, IDatanets.NoRows());

        delete commitmentOf[msg.sender][commitment];
        contribution = ++contributionCount;
        contributions[contribution] = IDatanets.Contribution(
            msg.sender, datanet, rows, licence, expiry, root, open.priority, 0, IDatanets.ContributionStatus.Pending
        );
        ++contributionBalanceOf[msg.sender];
        ++datanets[datanet].contributions;
        emit IDatanets.Revealed(contribution, datanet, msg.sender, root, rows, licence, expiry, open.priority);
        (bool paid,) = msg.sender.call{value: open.deposit}("");
        require(paid);
    }

    function datanetOf(uint64 datanet) external view returns (IDatanets.Datanet memory) {
        require(datanets[datanet].owner != address(0), IDatanets.UnknownDatanet(datanet));
        return datanets[datanet];
    }

    function contributionOf(uint64 contribution) external view returns (IDatanets.Contribution memory) {
        require(contributions[contribution].owner != address(0), IDatanets.UnknownContribution(contribution));
        return contributions[contribution];
    }

    function transferDatanet(address from, address to, uint64 datanet) external {
        require(msg.sender == DATANET_TOKEN, IDatanets.NotFacade(msg.sender));
        address owner = datanets[datanet].owner;
        require(from == owner, IDatanets.NotOwner(owner, from));
        datanets[datanet].owner = to;
        --datanetBalanceOf[from];
        ++datanetBalanceOf[to];
        emit IDatanets.DatanetTransferred(datanet, from, to);
    }

    function transferContribution(address from, address to, uint64 contribution) external {
        require(msg.sender == CONTRIBUTION_TOKEN, IDatanets.NotFacade(msg.sender));
        address owner = contributions[contribution].owner;
        require(from == owner, IDatanets.NotOwner(owner, from));
        contributions[contribution].owner = to;
        --contributionBalanceOf[from];
        ++contributionBalanceOf[to];
        emit IDatanets.ContributionTransferred(contribution, from, to);
    }
}
