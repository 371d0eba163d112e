//! The Payouts precompile: escrow, credits, claims, channels, streams. The rules are in `docs/precompiles/payouts.md`.

mod channels;
mod claims;
mod credits;
mod dispatch;
mod draws;
pub(crate) mod layout;
mod pay;
mod requests;
mod signatures;
mod streams;
mod tail;

pub(crate) use credits::credit;
pub(crate) use dispatch::FUNCTIONS;
pub(crate) use layout::genesis;
pub(crate) use pay::{Answer, OwnedDataset, pay_answer};
pub(crate) use requests::{open_request, platform};
