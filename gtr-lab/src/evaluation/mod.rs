//! Generates and scores images. Evaluations, experiments and searches share this module.
//!
//! | file | content |
//! |---|---|
//! | `subject.rs`, `images.rs` | what is evaluated, and on which images |
//! | `evaluator.rs` | generates and scores the images that the store does not have |
//! | `store.rs`, `record.rs` | classifier outputs on disk, one record per image |
//! | `external.rs`, `labelled.rs` | existing images: scored, or of any size with their classes |
//! | `row.rs`, `report.rs` | the scores of one subject, and reports as a table, JSON or CSV |
//! | `plot.rs` | quality against cost, with the Pareto front |

mod evaluator;
mod external;
mod images;
mod labelled;
mod plot;
mod record;
mod report;
mod row;
mod store;
mod subject;

pub use self::evaluator::{Evaluator, Identity, Observation, Options, check_classes};
pub use self::external::ExternalImages;
pub use self::images::ImageSet;
pub use self::labelled::Labelled;
pub use self::plot::figure;
pub use self::report::EvaluationReport;
pub use self::row::{EvaluationRow, Made, Scorer, significance};
pub use self::subject::Subject;
