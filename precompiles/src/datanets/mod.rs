//! The Datanets precompile: contributions, their order, owners and licences. The rules are in
//! `docs/precompiles/datanets.md`.

mod clusters;
mod commitments;
mod contributions;
mod dispatch;
mod earnings;
mod glance;
mod grants;
mod judging;
pub(crate) mod layout;
mod licences;
mod owners;
mod parents;
mod registry;
mod roles;
mod versions;

pub(crate) use clusters::copied_in;
pub(crate) use contributions::contribution_of;
pub(crate) use dispatch::FUNCTIONS;
pub(crate) use earnings::{Income, accrue_each, draw, earner_of, earners_of, parts, unknown_contribution};
pub(crate) use glance::{datanet_title, origin_of, version_root, version_rows};
pub(crate) use grants::{rely, withdrawals};
pub(crate) use layout::genesis;
pub(crate) use licences::{Asked, Permission, granted, permission};
pub(crate) use owners::owners_at;
pub(crate) use parents::ancestors;
pub(crate) use registry::datanet_head;
pub(crate) use versions::{specials, version_of};
