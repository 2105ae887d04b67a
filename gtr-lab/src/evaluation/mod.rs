//! Images, made to be judged: what evaluation, experiments and searches share.
//!
//! | file | what it says |
//! |---|---|
//! | `subject.rs`, `images.rs` | what is judged, and of how many images |
//! | `evaluator.rs` | images made and judged, as far as they are not kept from before |
//! | `store.rs`, `record.rs` | what was seen, kept on disk an image at a time |
//! | `external.rs`, `labelled.rs` | pictures made elsewhere: judged, or of any size with their classes |
//! | `row.rs`, `report.rs` | scores, and scores side by side, as a table, JSON or CSV |
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
pub use self::report::Report;
pub use self::row::{Made, Row, Scale, told};
pub use self::subject::Subject;
