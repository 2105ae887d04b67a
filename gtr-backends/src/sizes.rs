//! Sizes that models share, and their bounds.

use crate::layers::BlockSize;

/// A stack of transformer blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Width of a token.
    pub width: usize,
    /// Attention heads; they share the width.
    pub heads: usize,
    /// Blocks.
    pub depth: usize,
    /// Width inside the blocks' MLPs.
    pub hidden: usize,
}

impl Stack {
    pub(crate) fn block(self) -> BlockSize {
        BlockSize { width: self.width, heads: self.heads, hidden: self.hidden }
    }

    /// A stack of a configuration file, whose fields begin with `name`.
    pub(crate) fn checked(name: &str, width: usize, heads: usize, depth: usize, ratio: f64) -> Result<Self, String> {
        let width = within(&format!("{name}_embed_dim"), width, 8192)?;
        let heads = within(&format!("{name}_num_heads"), heads, 256)?;
        let depth = within(&format!("{name}_depth"), depth, 128)?;
        if width % heads != 0 {
            return Err(format!("`{name}_embed_dim` {width} cannot be shared by {heads} heads"));
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 8192 * 16, truncated as the reference does"
        )]
        let hidden = if ratio > 0.0 && ratio <= 16.0 { (width as f64 * ratio) as usize } else { 0 };
        if hidden == 0 {
            return Err(format!("`mlp_ratio` must be above 0 and at most 16, not {ratio}"));
        }
        Ok(Self { width, heads, depth, hidden })
    }
}

/// A field that has an upper bound.
pub(crate) fn within(name: &str, value: usize, most: usize) -> Result<usize, String> {
    if (1..=most).contains(&value) { Ok(value) } else { Err(format!("`{name}` must be 1 to {most}, not {value}")) }
}

/// A field that may be there, but says what is true of every model anyway.
pub(crate) fn fixed<T: PartialEq + std::fmt::Debug>(name: &str, value: Option<&T>, only: &T) -> Result<(), String> {
    match value {
        Some(value) if value != only => Err(format!("`{name}` {value:?} is not supported, only {only:?}")),
        _ => Ok(()),
    }
}
