//! Uses that a contribution's licence may permit, as a bit set.

/// Rows may be used to train a model.
pub const TRAIN: u16 = 1;
/// A model trained on the rows may serve answers for a fee.
pub const SERVE: u16 = 1 << 1;
/// The rows may be sold on.
pub const RESELL: u16 = 1 << 2;
/// Works derived from the rows may be published.
pub const DERIVE: u16 = 1 << 3;
/// Every use there is; a licence with any other bit is unknown.
pub const ALL: u16 = TRAIN | SERVE | RESELL | DERIVE;
