//! The parts of the L1 contracts that setting up and bridging call.
#![allow(missing_docs, clippy::too_many_arguments)]

use alloy_sol_types::sol;

sol! {
    #[derive(Debug)]
    interface IProxyAdmin {
        function upgradeAndCall(address proxy, address implementation, bytes data) external payable;
        function owner() external view returns (address);
    }

    #[derive(Debug)]
    interface ISuperchainConfig {
        function initialize(address guardian, bool paused) external;
        function guardian() external view returns (address);
    }

    #[derive(Debug)]
    struct ResourceConfig {
        uint32 maxResourceLimit;
        uint8 elasticityMultiplier;
        uint8 baseFeeMaxChangeDenominator;
        uint32 minimumBaseFee;
        uint32 systemTxMaxGas;
        uint128 maximumBaseFee;
    }

    #[derive(Debug)]
    struct SystemAddresses {
        address l1CrossDomainMessenger;
        address l1ERC721Bridge;
        address l1StandardBridge;
        address disputeGameFactory;
        address optimismPortal;
        address optimismMintableERC20Factory;
        address gasPayingToken;
    }

    #[derive(Debug)]
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
        function gasPayingToken() external view returns (address token, uint8 decimals);
        function gasPayingTokenSymbol() external view returns (string symbol);
        function isCustomGasToken() external view returns (bool);
        function batcherHash() external view returns (bytes32);
        function overhead() external view returns (uint256);
        function scalar() external view returns (uint256);
        function gasLimit() external view returns (uint64);
        function unsafeBlockSigner() external view returns (address);
        function batchInbox() external view returns (address);
        function startBlock() external view returns (uint256);
    }

    #[derive(Debug, PartialEq, Eq)]
    struct WithdrawalTransaction {
        uint256 nonce;
        address sender;
        address target;
        uint256 value;
        uint256 gasLimit;
        bytes data;
    }

    #[derive(Debug)]
    struct OutputRootProof {
        bytes32 version;
        bytes32 stateRoot;
        bytes32 messagePasserStorageRoot;
        bytes32 latestBlockhash;
    }

    #[derive(Debug)]
    struct OutputProposal {
        bytes32 outputRoot;
        uint128 timestamp;
        uint128 l2BlockNumber;
    }

    #[derive(Debug)]
    interface IOptimismPortal {
        event TransactionDeposited(
            address indexed from, address indexed to, uint256 indexed version, bytes opaqueData
        );
        event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

        function initialize(address l2Oracle, address systemConfig, address superchainConfig) external;
        function depositERC20Transaction(
            address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes data
        ) external;
        function proveWithdrawalTransaction(
            WithdrawalTransaction withdrawal,
            uint256 l2OutputIndex,
            OutputRootProof outputRootProof,
            bytes[] withdrawalProof
        ) external;
        function finalizeWithdrawalTransaction(WithdrawalTransaction withdrawal) external;
        function finalizedWithdrawals(bytes32 withdrawalHash) external view returns (bool);
        function provenWithdrawals(bytes32 withdrawalHash)
            external view returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);
        function l2Oracle() external view returns (address);
        function systemConfig() external view returns (address);
        function balance() external view returns (uint256);
        function version() external view returns (string);
    }

    #[derive(Debug)]
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
        function submissionInterval() external view returns (uint256);
        function l2BlockTime() external view returns (uint256);
        function startingBlockNumber() external view returns (uint256);
        function startingTimestamp() external view returns (uint256);
        function proposer() external view returns (address);
        function challenger() external view returns (address);
        function finalizationPeriodSeconds() external view returns (uint256);
        function latestBlockNumber() external view returns (uint256);
        function nextBlockNumber() external view returns (uint256);
        function getL2OutputIndexAfter(uint256 l2BlockNumber) external view returns (uint256);
        function getL2Output(uint256 l2OutputIndex) external view returns (OutputProposal);
    }

    #[derive(Debug)]
    interface IL1Messenger {
        function initialize(address superchainConfig, address portal, address systemConfig) external;
        function otherMessenger() external view returns (address);
    }

    #[derive(Debug)]
    interface IL1Bridge {
        function initialize(address messenger, address superchainConfig, address systemConfig) external;
        function otherBridge() external view returns (address);
    }

    #[derive(Debug)]
    interface IL1Erc721Bridge {
        function initialize(address messenger, address superchainConfig) external;
    }

    #[derive(Debug)]
    interface IMintableFactory {
        function initialize(address bridge) external;
    }

    #[derive(Debug)]
    interface IErc20 {
        function approve(address spender, uint256 value) external returns (bool);
        function balanceOf(address account) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
    }
}
