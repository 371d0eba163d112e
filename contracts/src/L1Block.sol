// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.26;

import {GasToken} from "./GasToken.sol";

/// @title L1Block
/// @notice What the L2 knows of L1: the origin of the current block, the fee parameters, and the gas token.
/// Predeploy at 0x4200000000000000000000000000000000000015; the first transaction of every block updates it.
/// @dev The execution engine reads the slots directly to charge L1 and operator fees, so their order is consensus:
///
///      slot  bytes, from the low end
///      0     number 8, timestamp 8
///      1     basefee
///      2     hash
///      3     sequenceNumber 8, blobBaseFeeScalar 4, baseFeeScalar 4
///      4     batcherHash
///      5     l1FeeOverhead
///      6     l1FeeScalar
///      7     blobBaseFee
///      8     operatorFeeConstant 8, operatorFeeScalar 4, daFootprintGasScalar 2
///
///      The gas token is at the slots of `GasToken`. Nothing is set at construction.
contract L1Block {
    /// @notice The only account that may write: the sender of the protocol's own deposits.
    address public constant DEPOSITOR_ACCOUNT = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    /// @notice Number of the L1 origin.
    uint64 public number;
    /// @notice Unix seconds of the L1 origin.
    uint64 public timestamp;
    /// @notice Base fee of the L1 origin, in wei of ether.
    uint256 public basefee;
    /// @notice Hash of the L1 origin.
    bytes32 public hash;
    /// @notice Blocks of this L2 since the first with this origin.
    uint64 public sequenceNumber;
    /// @notice Scales the blob base fee in L1 fees; six decimals.
    uint32 public blobBaseFeeScalar;
    /// @notice Scales the base fee in L1 fees; six decimals.
    uint32 public baseFeeScalar;
    /// @notice The batcher's address, left-padded.
    bytes32 public batcherHash;
    /// @notice Unused since Ecotone.
    uint256 public l1FeeOverhead;
    /// @notice Unused since Ecotone.
    uint256 public l1FeeScalar;
    /// @notice Blob base fee of the L1 origin, in wei of ether.
    uint256 public blobBaseFee;
    /// @notice Part of the operator fee that does not depend on gas, in wei of OPEN.
    uint64 public operatorFeeConstant;
    /// @notice Operator fee by gas.
    uint32 public operatorFeeScalar;
    /// @notice Gas that a byte of estimated L1 data counts for in a block's gas limit.
    uint16 public daFootprintGasScalar;

    event GasPayingTokenSet(address indexed token, uint8 indexed decimals, bytes32 name, bytes32 symbol);

    error NotDepositor();

    modifier onlyDepositor() {
        _checkDepositor();
        _;
    }

    function version() external pure returns (string memory) {
        return "1.4.1+openledger.1";
    }

    /// @notice The L1 token that pays for gas, and its decimals; 0xEeee…EEeE stands for ether.
    function gasPayingToken() external view returns (address token, uint8 decimals) {
        return GasToken.get();
    }

    function gasPayingTokenName() external view returns (string memory) {
        return GasToken.tokenName();
    }

    function gasPayingTokenSymbol() external view returns (string memory) {
        return GasToken.tokenSymbol();
    }

    /// @notice True while a token other than ether pays for gas. The bridges refuse ether then.
    function isCustomGasToken() external view returns (bool) {
        return GasToken.isCustom();
    }

    /// @notice The L1 attributes as before Ecotone, ABI-encoded.
    function setL1BlockValues(
        uint64 number_,
        uint64 timestamp_,
        uint256 basefee_,
        bytes32 hash_,
        uint64 sequenceNumber_,
        bytes32 batcherHash_,
        uint256 l1FeeOverhead_,
        uint256 l1FeeScalar_
    ) external onlyDepositor {
        number = number_;
        timestamp = timestamp_;
        basefee = basefee_;
        hash = hash_;
        sequenceNumber = sequenceNumber_;
        batcherHash = batcherHash_;
        l1FeeOverhead = l1FeeOverhead_;
        l1FeeScalar = l1FeeScalar_;
    }

    /// @notice The L1 attributes since Ecotone, packed behind the selector (big-endian; bytes of the calldata):
    /// 4 baseFeeScalar, 8 blobBaseFeeScalar, 12 sequenceNumber, 20 timestamp, 28 number, 36 basefee,
    /// 68 blobBaseFee, 100 hash, 132 batcherHash.
    function setL1BlockValuesEcotone() external onlyDepositor {
        _storeEcotone();
    }

    /// @notice As Ecotone's, then 164 operatorFeeScalar (4), 168 operatorFeeConstant (8).
    function setL1BlockValuesIsthmus() external onlyDepositor {
        _storeEcotone();
        assembly ("memory-safe") {
            sstore(operatorFeeConstant.slot, shr(160, calldataload(164)))
        }
    }

    /// @notice As Isthmus's, then 176 daFootprintGasScalar (2).
    function setL1BlockValuesJovian() external onlyDepositor {
        _storeEcotone();
        assembly ("memory-safe") {
            let operatorFee := shr(160, calldataload(164))
            let daFootprint := shr(240, calldataload(176))
            sstore(operatorFeeConstant.slot, or(shl(96, daFootprint), operatorFee))
        }
    }

    /// @notice Names the token that pays for gas; sent by the L1 SystemConfig when it is initialised.
    /// @param name at most 32 bytes, zero-padded. @param symbol likewise.
    function setGasPayingToken(address token, uint8 decimals, bytes32 name, bytes32 symbol) external onlyDepositor {
        GasToken.set(token, decimals, name, symbol);
        emit GasPayingTokenSet(token, decimals, name, symbol);
    }

    function _checkDepositor() private view {
        require(msg.sender == DEPOSITOR_ACCOUNT, NotDepositor());
    }

    /// @dev The calldata has the order of the slots' halves, so each half-slot is one shifted word. Every block pays
    /// for this in gas and in L1 data: hence neither ABI encoding nor a store per field.
    function _storeEcotone() private {
        assembly ("memory-safe") {
            sstore(sequenceNumber.slot, shr(128, calldataload(4)))
            sstore(number.slot, shr(128, calldataload(20)))
            sstore(basefee.slot, calldataload(36))
            sstore(blobBaseFee.slot, calldataload(68))
            sstore(hash.slot, calldataload(100))
            sstore(batcherHash.slot, calldataload(132))
        }
    }
}
