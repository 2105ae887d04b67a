//! Fields measured from images, for the loss of plans ([`gtr_core::loss`]).
//!
//! | file | contents |
//! |---|---|
//! | `tokens.rs` | converts images to the token values that a model generates, without the model's own weights |
//! | `samples.rs` | token values of many images; subtracts the means of their classes |
//! | `principal.rs` | principal components: tokens with fewer channels |
//! | `covariance.rs` | estimates the covariance of samples: full, or averaged over displacements |
//! | `shrinkage.rs` | shrinkage of a covariance that is estimated from few images |
//! | `file.rs` | file format of fields, with provenance |
//! | `of_model.rs` | the field that is distributed with a model |

mod covariance;
mod file;
mod of_model;
mod principal;
mod samples;
mod shrinkage;
mod tokens;

pub use self::covariance::Form;
pub use self::file::FieldFile;
pub use self::of_model::of_model;
pub use self::samples::Samples;
pub use self::shrinkage::oas;
pub use self::tokens::PictureTokens;

/// File name of a model's field, in the folder of the model.
pub const FILE: &str = crate::models::FIELD;
