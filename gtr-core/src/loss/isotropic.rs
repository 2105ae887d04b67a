//! Fields whose covariance depends only on the distance.

use std::fmt;
use std::str::FromStr;

use super::kernel::{Kernel, kernels};
use crate::lists::join_names;
use crate::{Error, Position};

/// Default nugget.
const NUGGET: f64 = 0.01;

/// Isotropic field with one channel and variance 1.
///
/// The covariance of two different tokens at Euclidean distance d, in cells, is `(1 - nugget) * kernel(d / length)`.
/// The nugget is the fraction of a token's variance that is independent of all other tokens.
///
/// The text form is `KIND:LENGTH` or `KIND:LENGTH:NUGGET`; the default nugget is 0.01.
///
/// # Examples
/// ```
/// use gtr_core::loss::Isotropic;
/// let field: Isotropic = "matern-3/2:3".parse()?;
/// assert_eq!((field.length(), field.nugget()), (3.0, 0.01));
/// assert_eq!(field.to_string(), "matern-3/2:3:0.01");
/// assert!("matern-3/2:0".parse::<Isotropic>().is_err());
/// # Ok::<(), gtr_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Isotropic {
    kernel: &'static dyn Kernel,
    length: f64,
    nugget: f64,
}

impl Isotropic {
    /// Creates a field with `length` in cells and `nugget` as a fraction of the variance.
    ///
    /// # Errors
    /// [`Error::Field`] if the kernel is unknown, the length is not finite and positive, or the nugget is not in 0 to
    /// 1.
    pub fn new(kind: &str, length: f64, nugget: f64) -> Result<Self, Error> {
        let kernel = kernels().iter().copied().find(|kernel| kernel.kind() == kind).ok_or_else(|| {
            let kind: String = kind.chars().take(80).collect();
            let known = join_names(kernels().iter().map(|kernel| kernel.kind()));
            Error::Field(format!("unknown kernel `{kind}`; expected one of {known}"))
        })?;
        if !(length.is_finite() && length > 0.0) {
            return Err(Error::Field(format!("the length must be a positive number of cells, not {length}")));
        }
        if !(0.0..=1.0).contains(&nugget) {
            return Err(Error::Field(format!("the nugget must be 0 to 1, not {nugget}")));
        }
        Ok(Self { kernel, length, nugget })
    }

    /// Returns the kernel.
    pub fn kernel(&self) -> &'static dyn Kernel {
        self.kernel
    }

    /// Returns the length scale by which distances are divided, in cells.
    pub fn length(&self) -> f64 {
        self.length
    }

    /// Returns the fraction of a token's variance that is independent of all other tokens.
    pub fn nugget(&self) -> f64 {
        self.nugget
    }

    /// Returns the covariance of two tokens.
    pub fn covariance(&self, a: Position, b: Position) -> f64 {
        if a == b {
            return 1.0;
        }
        let (rows, columns) = (f64::from(a.row) - f64::from(b.row), f64::from(a.column) - f64::from(b.column));
        let distance = (rows * rows + columns * columns).sqrt();
        (1.0 - self.nugget) * self.kernel.correlation(distance / self.length)
    }
}

impl PartialEq for Isotropic {
    fn eq(&self, other: &Self) -> bool {
        self.kernel.kind() == other.kernel.kind() && self.length == other.length && self.nugget == other.nugget
    }
}

/// Exponential kernel with length 2 and nugget 0.01.
impl Default for Isotropic {
    fn default() -> Self {
        Self { kernel: &super::kernel::Exponential, length: 2.0, nugget: NUGGET }
    }
}

impl fmt::Display for Isotropic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kernel.kind(), self.length, self.nugget)
    }
}

impl FromStr for Isotropic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |part: &str| part.parse::<f64>().map_err(|_| syntax(text));
        match text.split(':').collect::<Vec<_>>().as_slice() {
            [kind, length] => Self::new(kind, number(length)?, NUGGET),
            [kind, length, nugget] => Self::new(kind, number(length)?, number(nugget)?),
            _ => Err(syntax(text)),
        }
    }
}

fn syntax(text: &str) -> Error {
    let text: String = text.chars().take(80).collect();
    Error::Field(format!("cannot parse `{text}`; expected KIND:LENGTH[:NUGGET], for example exponential:2:0.01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_round_trips() {
        for text in ["exponential:2:0.01", "matern-3/2:0.5:0", "gaussian:1.5:1"] {
            assert_eq!(text.parse::<Isotropic>().unwrap().to_string(), text);
        }
        assert_eq!(Isotropic::default().to_string(), "exponential:2:0.01");
        assert_eq!("exponential:2".parse::<Isotropic>().unwrap(), Isotropic::default());
    }

    #[test]
    fn errors_say_what_was_expected() {
        let refused = |text: &str| text.parse::<Isotropic>().unwrap_err().to_string();
        let syntax = "expected KIND:LENGTH[:NUGGET], for example exponential:2:0.01";
        for text in ["exponential", "exponential:x", "exponential:2:", "exponential:2:0:0", ""] {
            assert_eq!(refused(text), format!("field: cannot parse `{text}`; {syntax}"));
        }
        assert_eq!(
            refused("cubic:2"),
            "field: unknown kernel `cubic`; expected one of `exponential`, `matern-3/2` and `gaussian`"
        );
        for length in ["0", "-1", "inf", "NaN"] {
            assert!(refused(&format!("gaussian:{length}")).contains("a positive number of cells"), "{length}");
        }
        for nugget in ["-0.1", "1.5", "NaN"] {
            assert!(refused(&format!("gaussian:1:{nugget}")).contains("the nugget must be 0 to 1"), "{nugget}");
        }
    }
}
