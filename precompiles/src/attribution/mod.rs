//! The Attribution precompile: models, bonds, receipts, challenges. The rules are in `docs/precompiles/attribution.md`.

mod bonds;
mod challenges;
mod dispatch;
pub(crate) mod layout;
mod lineage;
mod models;
mod receipts;
mod registration;
mod settle;
mod shares;
mod standing;

pub(crate) use dispatch::FUNCTIONS;
pub(crate) use layout::{TailRecord, genesis};
pub(crate) use models::{find_model, price_of, split_of};
pub(crate) use receipts::{add_claimed, in_model, receipt_of, tail_of};
pub(crate) use standing::{check_standing, limit_model, receipt_count};
