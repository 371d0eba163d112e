//! Functions of the L1 contracts that only their set-up calls.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy_sol_types::sol;

sol! {
    interface IProxyAdmin {
        function upgradeAndCall(address proxy, address implementation, bytes data) external payable;
    }

    interface ISuperchainConfig {
        function initialize(address guardian, bool paused) external;
    }

    struct ResourceConfig {
        uint32 maxResourceLimit;
        uint8 elasticityMultiplier;
        uint8 baseFeeMaxChangeDenominator;
        uint32 minimumBaseFee;
        uint32 systemTxMaxGas;
        uint128 maximumBaseFee;
    }

    struct SystemAddresses {
        address l1CrossDomainMessenger;
        address l1ERC721Bridge;
        address l1StandardBridge;
        address disputeGameFactory;
        address optimismPortal;
        address optimismMintableERC20Factory;
        address gasPayingToken;
    }

    interface ISystemConfig {
        function initialize(
            address owner,
            uint32 basefeeScalar,
            uint32 blobbasefeeScalar,
            bytes32 batcherHash,
            uint64 gasLimit,
            address unsafeBlockSigner,
            ResourceConfig config,
            address batchInbox,
            SystemAddresses addresses
        ) external;
    }

    interface IOptimismPortal {
        function initialize(address l2Oracle, address systemConfig, address superchainConfig) external;
    }

    interface IL2OutputOracle {
        function initialize(
            uint256 submissionInterval,
            uint256 l2BlockTime,
            uint256 startingBlockNumber,
            uint256 startingTimestamp,
            address proposer,
            address challenger,
            uint256 finalizationPeriodSeconds
        ) external;
    }

    interface IL1Messenger {
        function initialize(address superchainConfig, address portal, address systemConfig) external;
    }

    interface IL1Bridge {
        function initialize(address messenger, address superchainConfig, address systemConfig) external;
    }

    interface IL1Erc721Bridge {
        function initialize(address messenger, address superchainConfig) external;
    }

    interface IMintableFactory {
        function initialize(address bridge) external;
    }
}
