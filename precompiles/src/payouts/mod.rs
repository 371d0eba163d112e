//! The Payouts precompile: escrow, credits, claims.

mod credits;
mod dispatch;
mod layout;
mod pay;
mod requests;

pub(crate) use credits::credit;
pub(crate) use dispatch::FUNCTIONS;
pub(crate) use layout::genesis;
pub(crate) use pay::{Answer, Share, pay_answer};
pub(crate) use requests::{open_request, platform};
