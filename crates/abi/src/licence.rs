//! Uses that a contribution's licence may permit, as a bit set, and the purposes it may be limited to.

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

/// Purposes that a licence may be limited to, as a bit set; higher bits are free for agreements off chain.
pub mod purpose {
    /// For profit.
    pub const COMMERCIAL: u32 = 1;
    /// Research whose results are published.
    pub const RESEARCH: u32 = 1 << 1;
    /// Teaching and learning.
    pub const EDUCATION: u32 = 1 << 2;
    /// Public authorities.
    pub const PUBLIC_SECTOR: u32 = 1 << 3;
    /// Diagnosis and treatment.
    pub const MEDICAL: u32 = 1 << 4;
    /// Private use.
    pub const PERSONAL: u32 = 1 << 5;
}
