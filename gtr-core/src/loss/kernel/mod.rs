//! Kernels: the correlation of two tokens as a function of their distance.

use std::fmt::Debug;

/// The correlation of two tokens of an isotropic field as a function of their distance.
///
/// # For implementors
/// The function must be positive definite in the plane, equal 1 at distance 0, and depend only on its argument. To add
/// a kernel, add one file and one line in the list of this module.
pub trait Kernel: Debug + Send + Sync {
    /// Returns the name used in the text form of a field, in kebab-case.
    fn kind(&self) -> &'static str;

    /// Returns a one-line description.
    fn summary(&self) -> &'static str;

    /// Returns the correlation at `distance`, which is 0 or more and in units of the field's length.
    fn correlation(&self, distance: f64) -> f64;
}

/// Declares the modules of the kernels and lists them, one line per kernel.
macro_rules! kernels {
    ($($module:ident::$kernel:ident),* $(,)?) => {
        $(
            mod $module;
            pub use $module::$kernel;
        )*

        /// The kernels of this crate.
        const KERNELS: &[&dyn Kernel] = &[$(&$kernel),*];
    };
}

kernels! {
    exponential::Exponential,
    matern_three_halves::MaternThreeHalves,
    gaussian::Gaussian,
}

/// Returns all kernels of this crate.
///
/// # Examples
/// ```
/// let kinds: Vec<_> = gtr_core::loss::kernels().iter().map(|kernel| kernel.kind()).collect();
/// assert_eq!(kinds, ["exponential", "matern-3/2", "gaussian"]);
/// ```
pub fn kernels() -> &'static [&'static dyn Kernel] {
    KERNELS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_decrease_from_one() {
        for kernel in kernels() {
            assert_eq!(kernel.correlation(0.0), 1.0, "{}", kernel.kind());
            let values: Vec<f64> = (0..40).map(|tenth| kernel.correlation(f64::from(tenth) / 10.0)).collect();
            assert!(values.is_sorted_by(|near, far| near > far && *far > 0.0), "{}: {values:?}", kernel.kind());
            assert_eq!(kernel.correlation(f64::INFINITY), 0.0, "{}", kernel.kind());
            assert!(!kernel.summary().is_empty());
        }
    }

    #[test]
    fn correlations_equal_their_formulas() {
        let at_one = |kind: &str| kernels().iter().find(|it| it.kind() == kind).unwrap().correlation(1.0);
        assert!((at_one("exponential") - 0.367_879_441_171_442_3).abs() < 1e-15);
        assert!((at_one("matern-3/2") - 0.483_357_724_596_507_4).abs() < 1e-15);
        assert!((at_one("gaussian") - 0.606_530_659_712_633_4).abs() < 1e-15);
    }
}
