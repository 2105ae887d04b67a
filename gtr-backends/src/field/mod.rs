//! Fields that are measured from pictures, for the loss of plans ([`gtr_core::loss`]).
//!
//! | file | what it says |
//! |---|---|
//! | `tokens.rs` | pictures to the token values that a model generates, without the model's own weights |
//! | `samples.rs` | token values of many pictures, from which the means of their classes are taken |
//! | `principal.rs` | tokens in fewer channels |
//! | `covariance.rs` | the covariance of samples: full, or averaged over equal displacements |
//! | `shrinkage.rs` | how a covariance is shrunk that is estimated from few pictures |
//! | `file.rs` | the file in which a field is kept, with its provenance |
//! | `own.rs` | the field that a model brings along |

mod covariance;
mod file;
mod own;
mod principal;
mod samples;
mod shrinkage;
mod tokens;

pub use self::covariance::Form;
pub use self::file::FieldFile;
pub use self::own::of_model;
pub use self::samples::Samples;
pub use self::shrinkage::oas;
pub use self::tokens::PictureTokens;

/// The field of a model that is kept beside its weights, in the folder of the model.
pub const FILE: &str = crate::models::FIELD;
