//! The Attribution precompile: models, bonds, receipts.

mod bonds;
mod dispatch;
mod layout;
mod lineage;
mod models;
mod settle;
mod standing;

pub(crate) use dispatch::FUNCTIONS;
pub(crate) use layout::genesis;
pub(crate) use models::{check_serving, find_model, price_of, split_of};
pub(crate) use standing::{limit_model, receipt_count};
