//! Images, made to be judged: what evaluation, experiments and searches share.
//!
//! | file | what it says |
//! |---|---|
//! | `subject.rs`, `images.rs` | what is judged, and of how many images |
//! | `evaluator.rs` | images made and judged, as far as they are not kept from before |
//! | `store.rs`, `record.rs` | what was seen, kept on disk an image at a time |
//! | `outside.rs`, `labelled.rs`, `npz.rs` | pictures made elsewhere: judged, or of any size with their classes |
//! | `row.rs`, `report.rs` | scores, and scores side by side, as a table, JSON or CSV |
//! | `plot.rs` | quality against cost, with the Pareto front |
//! | `progress.rs` | how far it is |

mod evaluator;
mod images;
mod labelled;
mod npz;
mod outside;
mod plot;
mod progress;
mod record;
mod report;
mod row;
mod store;
mod subject;

pub(crate) use self::evaluator::{Evaluator, Observation, Outcome};
pub(crate) use self::images::Images;
pub(crate) use self::labelled::Labelled;
pub(crate) use self::outside::Outside;
pub(crate) use self::plot::{Plot, figure};
pub(crate) use self::report::Report;
pub(crate) use self::row::{Row, Scale, told};
pub(crate) use self::subject::Subject;
