//! The OP Stack's contracts, as far as deposits, derivation, outputs and withdrawals need them.
//!
//! Signatures are those of contracts-bedrock 0.17.3 (portal 2.8.1-beta.1 with the custom gas token).
#![allow(missing_docs, clippy::too_many_arguments)]

alloy_sol_types::sol! {
    #![sol(abi, all_derives)]

    struct WithdrawalTransaction {
        uint256 nonce;
        address sender;
        address target;
        uint256 value;
        uint256 gasLimit;
        bytes data;
    }

    struct OutputRootProof {
        bytes32 version;
        bytes32 stateRoot;
        bytes32 messagePasserStorageRoot;
        bytes32 latestBlockhash;
    }

    struct OutputProposal {
        bytes32 outputRoot;
        uint128 timestamp;
        uint128 l2BlockNumber;
    }

    interface IOptimismPortal {
        event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData);
        event WithdrawalProven(bytes32 indexed withdrawalHash, address indexed from, address indexed to);
        event WithdrawalFinalized(bytes32 indexed withdrawalHash, bool success);

        error BadTarget();
        error LargeCalldata();
        error SmallGasLimit();
        error TransferFailed();
        error OnlyCustomGasToken();
        error NoValue();
        error Unauthorized();
        error CallPaused();
        error GasEstimation();
        error NonReentrant();

        function version() external pure returns (string memory);
        function paused() external view returns (bool);
        function balance() external view returns (uint256);
        function l2Oracle() external view returns (address);
        function systemConfig() external view returns (address);
        function minimumGasLimit(uint64 _byteCount) external pure returns (uint64);
        function depositTransaction(address _to, uint256 _value, uint64 _gasLimit, bool _isCreation, bytes memory _data)
            external
            payable;
        function depositERC20Transaction(
            address _to,
            uint256 _mint,
            uint256 _value,
            uint64 _gasLimit,
            bool _isCreation,
            bytes memory _data
        ) external;
        function proveWithdrawalTransaction(
            WithdrawalTransaction memory _tx,
            uint256 _l2OutputIndex,
            OutputRootProof calldata _outputRootProof,
            bytes[] calldata _withdrawalProof
        ) external;
        function finalizeWithdrawalTransaction(WithdrawalTransaction memory _tx) external;
        function isOutputFinalized(uint256 _l2OutputIndex) external view returns (bool);
        function finalizedWithdrawals(bytes32 withdrawalHash) external view returns (bool);
        function provenWithdrawals(bytes32 withdrawalHash)
            external
            view
            returns (bytes32 outputRoot, uint128 timestamp, uint128 l2OutputIndex);
    }

    interface IL2OutputOracle {
        event OutputProposed(
            bytes32 indexed outputRoot, uint256 indexed l2OutputIndex, uint256 indexed l2BlockNumber, uint256 l1Timestamp
        );
        event OutputsDeleted(uint256 indexed prevNextOutputIndex, uint256 indexed newNextOutputIndex);

        function SUBMISSION_INTERVAL() external view returns (uint256);
        function L2_BLOCK_TIME() external view returns (uint256);
        function FINALIZATION_PERIOD_SECONDS() external view returns (uint256);
        function CHALLENGER() external view returns (address);
        function PROPOSER() external view returns (address);
        function startingBlockNumber() external view returns (uint256);
        function startingTimestamp() external view returns (uint256);
        function proposeL2Output(
            bytes32 _outputRoot,
            uint256 _l2BlockNumber,
            bytes32 _l1BlockHash,
            uint256 _l1BlockNumber
        ) external payable;
        function deleteL2Outputs(uint256 _l2OutputIndex) external;
        function getL2Output(uint256 _l2OutputIndex) external view returns (OutputProposal memory);
        function getL2OutputIndexAfter(uint256 _l2BlockNumber) external view returns (uint256);
        function getL2OutputAfter(uint256 _l2BlockNumber) external view returns (OutputProposal memory);
        function latestOutputIndex() external view returns (uint256);
        function nextOutputIndex() external view returns (uint256);
        function latestBlockNumber() external view returns (uint256);
        function nextBlockNumber() external view returns (uint256);
        function computeL2Timestamp(uint256 _l2BlockNumber) external view returns (uint256);
    }

    interface ISystemConfig {
        /// Later systems add types; the event is therefore decoded with a number.
        event ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data);

        function version() external pure returns (string memory);
        function owner() external view returns (address);
        function batcherHash() external view returns (bytes32);
        function gasLimit() external view returns (uint64);
        function overhead() external view returns (uint256);
        function scalar() external view returns (uint256);
        function basefeeScalar() external view returns (uint32);
        function blobbasefeeScalar() external view returns (uint32);
        function unsafeBlockSigner() external view returns (address);
        function batchInbox() external view returns (address);
        function startBlock() external view returns (uint256);
        function optimismPortal() external view returns (address);
        function gasPayingToken() external view returns (address addr_, uint8 decimals_);
        function isCustomGasToken() external view returns (bool);
        function setBatcherHash(bytes32 _batcherHash) external;
        function setGasConfigEcotone(uint32 _basefeeScalar, uint32 _blobbasefeeScalar) external;
        function setGasLimit(uint64 _gasLimit) external;
        function setUnsafeBlockSigner(address _unsafeBlockSigner) external;
    }

    interface IL2ToL1MessagePasser {
        event MessagePassed(
            uint256 indexed nonce,
            address indexed sender,
            address indexed target,
            uint256 value,
            uint256 gasLimit,
            bytes data,
            bytes32 withdrawalHash
        );
        event WithdrawerBalanceBurnt(uint256 indexed amount);

        function initiateWithdrawal(address _target, uint256 _gasLimit, bytes memory _data) external payable;
        function messageNonce() external view returns (uint256);
        function sentMessages(bytes32 withdrawalHash) external view returns (bool);
        function burn() external;
    }

    interface IL1Block {
        function DEPOSITOR_ACCOUNT() external pure returns (address addr_);
        function number() external view returns (uint64);
        function timestamp() external view returns (uint64);
        function basefee() external view returns (uint256);
        function hash() external view returns (bytes32);
        function sequenceNumber() external view returns (uint64);
        function blobBaseFeeScalar() external view returns (uint32);
        function baseFeeScalar() external view returns (uint32);
        function batcherHash() external view returns (bytes32);
        function l1FeeOverhead() external view returns (uint256);
        function l1FeeScalar() external view returns (uint256);
        function blobBaseFee() external view returns (uint256);
        function operatorFeeScalar() external view returns (uint32);
        function operatorFeeConstant() external view returns (uint64);
        function version() external pure returns (string memory);
        function gasPayingToken() external view returns (address addr_, uint8 decimals_);
        function gasPayingTokenName() external view returns (string memory name_);
        function gasPayingTokenSymbol() external view returns (string memory symbol_);
        function isCustomGasToken() external view returns (bool);
        function setL1BlockValuesEcotone() external;
        function setL1BlockValuesIsthmus() external;
        function setGasPayingToken(address _token, uint8 _decimals, bytes32 _name, bytes32 _symbol) external;
    }
}
