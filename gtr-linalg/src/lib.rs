//! Linear algebra of covariances: factors, conditional variances, eigenvalues, moments.
//!
//! The interface is not generic, so that `nalgebra` is instantiated and optimised in this crate alone: the crates that use
//! it can be built without optimisation. Every function runs on one thread and sums in a fixed order, so its result does
//! not depend on the number of threads.

mod block;
mod blocked;
mod covariance;
mod factor;
mod outer_products;
mod sample;
mod swept;
mod symmetric;

pub use self::covariance::Covariance;
pub use self::factor::{Conditional, Degenerate, Factor, Together};
pub use self::outer_products::{OuterProducts, add_outer_product};
pub use self::sample::{Moments, Sample};
pub use self::swept::Swept;
pub use self::symmetric::{Eigen, Symmetric};
