//! What rows would have earned from answers that were paid for, computed where the rows are.
//!
//! The service publishes a random sketch of each settled answer's side of scores ([`publish`]); whoever holds rows takes
//! their gradients, sketches them alike and multiplies ([`run`]). No row leaves its owner's machine.

mod estimate;
mod plot;
mod publish;
mod report;
mod run;
mod shelf;

#[cfg(test)]
mod tests;

pub(crate) use self::publish::Previews;
pub use self::{
    estimate::{PreviewReport, ReceiptPreview, RowPreview, RowReason, Trend},
    publish::PublishedSketch,
    run::{PreviewPlan, preview},
};
