//! Sampling plans.
