//! What decides a disputed receipt: gradients, scores and shares in plain f64, in one fixed order of operations.
//!
//! libtorch's sums depend on the processor, on its build and on the number of threads. Nothing here does: each number
//! is the result of IEEE 754 additions, multiplications, divisions and square roots in the order in which they are
//! written, and of functions (exponential, logarithm, cosine) that come with the program, not with the system. So two
//! judges with the same inputs get the same bits.
//!
//! ```text
//! model file ─► Weights ─┐
//! adapter ─► ScalarLora ─┴► gradient(sequence) ─► f64 gradients ─► scalar_scores ─► compare with a receipt's shares
//! ```

mod arithmetic;
mod attention;
mod compare;
mod gradient;
mod scores;
mod weights;

pub use compare::{Comparison, Difference, compare};
pub use gradient::{ScalarGradient, gradient};
pub use scores::{RowGradient, scalar_scores};
pub use weights::{ScalarLora, Weights};
