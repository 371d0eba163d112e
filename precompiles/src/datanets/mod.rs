//! The Datanets precompile: contributions, their order and their licences.

mod commitments;
mod dispatch;
pub(crate) mod layout;
mod registry;
mod versions;

pub(crate) use dispatch::FUNCTIONS;
pub(crate) use layout::genesis;
pub(crate) use registry::{contribution_of, datanet_head};
pub(crate) use versions::{forbidding, version_of};
