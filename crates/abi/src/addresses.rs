//! Addresses that are the same on every chain of ours.

use alloy_primitives::{Address, address};

/// The Datanets precompile.
pub const DATANETS: Address = address!("0x4F50454E00000000000000000000000000000001");
/// The Attribution precompile.
pub const ATTRIBUTION: Address = address!("0x4F50454E00000000000000000000000000000002");
/// The Payouts precompile.
pub const PAYOUTS: Address = address!("0x4F50454E00000000000000000000000000000003");
/// The Datanets as ERC-721; the only caller of `transferDatanet`.
pub const DATANET_TOKEN: Address = address!("0x4F50454E00000000000000000000000000000101");
/// The contributions as ERC-721; the only caller of `transferContribution`.
pub const CONTRIBUTION_TOKEN: Address = address!("0x4F50454E00000000000000000000000000000102");
/// Claims by signature; the only caller of `claimTo`.
pub const CLAIM_ROUTER: Address = address!("0x4F50454E00000000000000000000000000000103");
/// The court, which judges challenged receipts; the only caller of `freezeReceipt` and `resolveReceipt`.
pub const COURT: Address = address!("0x4F50454E00000000000000000000000000000104");

/// The OP Stack's wrapped native token.
pub const WETH: Address = address!("0x4200000000000000000000000000000000000006");
/// The OP Stack's L2 end of the cross-domain messenger.
pub const L2_CROSS_DOMAIN_MESSENGER: Address = address!("0x4200000000000000000000000000000000000007");
/// The OP Stack's oracle of L1 and operator fees.
pub const GAS_PRICE_ORACLE: Address = address!("0x420000000000000000000000000000000000000F");
/// The OP Stack's L2 end of the standard bridge.
pub const L2_STANDARD_BRIDGE: Address = address!("0x4200000000000000000000000000000000000010");
/// Receives priority fees; the coinbase of every block.
pub const SEQUENCER_FEE_VAULT: Address = address!("0x4200000000000000000000000000000000000011");
/// Makes ERC-20s that the bridge mints.
pub const OPTIMISM_MINTABLE_ERC20_FACTORY: Address = address!("0x4200000000000000000000000000000000000012");
/// The number of the L1 origin, kept for old contracts.
pub const L1_BLOCK_NUMBER: Address = address!("0x4200000000000000000000000000000000000013");
/// The OP Stack's L2 end of the ERC-721 bridge.
pub const L2_ERC721_BRIDGE: Address = address!("0x4200000000000000000000000000000000000014");
/// What L2 knows of L1: the attributes of the L1 origin and the fee parameters.
pub const L1_BLOCK: Address = address!("0x4200000000000000000000000000000000000015");
/// Where withdrawals start; its storage root is part of every output root.
pub const L2_TO_L1_MESSAGE_PASSER: Address = address!("0x4200000000000000000000000000000000000016");
/// Makes ERC-721s that the bridge mints.
pub const OPTIMISM_MINTABLE_ERC721_FACTORY: Address = address!("0x4200000000000000000000000000000000000017");
/// The owner of the predeploys' proxies.
pub const PROXY_ADMIN: Address = address!("0x4200000000000000000000000000000000000018");
/// Receives base fees.
pub const BASE_FEE_VAULT: Address = address!("0x4200000000000000000000000000000000000019");
/// Receives the L1 data fees.
pub const L1_FEE_VAULT: Address = address!("0x420000000000000000000000000000000000001A");
/// Receives operator fees.
pub const OPERATOR_FEE_VAULT: Address = address!("0x420000000000000000000000000000000000001b");
/// Sends the L1 attributes deposit at the start of every block.
pub const L1_ATTRIBUTES_DEPOSITOR: Address = address!("0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001");
/// Keeps the parent beacon block roots (EIP-4788).
pub const BEACON_ROOTS: Address = address!("0x000F3df6D732807Ef1319fB7B8bB8522d0Beac02");
/// Keeps the block hashes (EIP-2935).
pub const HISTORY_STORAGE: Address = address!("0x0000F90827F1C53a10cb7A02335B175320002935");
/// What the portal's custom gas token functions call the native token when it is ether.
pub const ETHER_TOKEN: Address = address!("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE");
