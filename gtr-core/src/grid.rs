//! The token grid.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The token grid of an image: `height` rows of `width` tokens, numbered row by row from the top left.
///
/// A grid has at least one token and at most [`Grid::MAX_TOKENS`] tokens. The text form is `HEIGHTxWIDTH`; the
/// side alone is accepted for a square grid.
///
/// # Examples
/// ```
/// use gtr_core::Grid;
/// let grid: Grid = "16x24".parse()?;
/// assert_eq!((grid.height(), grid.width(), grid.tokens()), (16, 24, 384));
/// assert!("0x4".parse::<Grid>().is_err());
/// # Ok::<(), gtr_core::GridError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Sides", into = "Sides")]
#[schemars(with = "Sides")]
pub struct Grid {
    height: u32,
    width: u32,
}

/// Serialised form of a grid.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Grid", description = "The token grid; height times width is at most 2^24.")]
struct Sides {
    /// Rows of tokens.
    #[schemars(range(min = 1, max = 16_777_216))]
    height: u32,
    /// Columns of tokens.
    #[schemars(range(min = 1, max = 16_777_216))]
    width: u32,
}

impl TryFrom<Sides> for Grid {
    type Error = GridError;
    fn try_from(sides: Sides) -> Result<Self, GridError> {
        Self::new(sides.height, sides.width)
    }
}

impl From<Grid> for Sides {
    fn from(grid: Grid) -> Self {
        Self { height: grid.height, width: grid.width }
    }
}

/// Index of a token: `row * width + column`. Created by [`Grid::token`] and [`Grid::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct TokenIndex(u32);

impl TokenIndex {
    /// Returns the index as it is written in plans.
    pub fn get(self) -> u32 {
        self.0
    }

    /// Returns the index for indexing a slice.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TokenIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Row and column of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Row, from 0 at the top.
    pub row: u32,
    /// Column, from 0 at the left.
    pub column: u32,
}

/// Error for an invalid grid or token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// A side is zero, or the grid is too large.
    #[error("invalid grid {height}x{width}; expected sides of at least 1 and at most 16777216 tokens")]
    Size {
        /// Requested number of rows.
        height: u32,
        /// Requested number of columns.
        width: u32,
    },
    /// The text is neither `HEIGHTxWIDTH` nor the side of a square grid.
    #[error("invalid grid `{0}`; expected HEIGHTxWIDTH or one side, for example 16x16 or 16")]
    Syntax(String),
    /// The token is outside the grid.
    #[error("token {token} is not on the grid of {grid}; expected 0 to {}", grid.tokens() - 1)]
    Token {
        /// Requested token.
        token: usize,
        /// The grid.
        grid: Grid,
    },
}

impl Grid {
    /// Maximum number of tokens, 2^24.
    pub const MAX_TOKENS: usize = 1 << 24;

    /// Creates a grid.
    ///
    /// # Errors
    /// [`GridError::Size`] if a side is zero or the grid has more than [`Grid::MAX_TOKENS`] tokens.
    pub fn new(height: u32, width: u32) -> Result<Self, GridError> {
        let tokens = u64::from(height) * u64::from(width);
        if tokens == 0 || tokens > Self::MAX_TOKENS as u64 {
            return Err(GridError::Size { height, width });
        }
        Ok(Self { height, width })
    }

    /// Returns the number of rows.
    pub fn height(self) -> u32 {
        self.height
    }

    /// Returns the number of columns.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Returns the number of tokens.
    pub fn tokens(self) -> usize {
        self.height as usize * self.width as usize
    }

    /// Returns the token with the given index.
    ///
    /// # Errors
    /// [`GridError::Token`] if the index is not below [`Grid::tokens`].
    pub fn token(self, token: usize) -> Result<TokenIndex, GridError> {
        match u32::try_from(token) {
            Ok(index) if token < self.tokens() => Ok(TokenIndex(index)),
            _ => Err(GridError::Token { token, grid: self }),
        }
    }

    /// Returns the token at a row and a column, or `None` outside the grid.
    pub fn at(self, row: u32, column: u32) -> Option<TokenIndex> {
        (row < self.height && column < self.width).then(|| TokenIndex(row * self.width + column))
    }

    /// Returns the row and column of a token of this grid.
    pub fn position(self, token: TokenIndex) -> Position {
        Position { row: token.0 / self.width, column: token.0 % self.width }
    }

    /// Returns an iterator over all tokens in ascending order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = TokenIndex> + DoubleEndedIterator + Clone {
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^24 tokens")]
        (0..self.tokens() as u32).map(TokenIndex)
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

impl FromStr for Grid {
    type Err = GridError;

    fn from_str(text: &str) -> Result<Self, GridError> {
        let syntax = || GridError::Syntax(text.chars().take(40).collect());
        // A single side is that of a square.
        let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
        let side = |side: &str| {
            if side.bytes().all(|byte| byte.is_ascii_digit()) {
                side.parse::<u32>().map_err(|_| syntax())
            } else {
                Err(syntax())
            }
        };
        Self::new(side(height)?, side(width)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_positions_are_inverse() {
        let grid = Grid::new(3, 5).unwrap();
        for token in grid.iter() {
            let Position { row, column } = grid.position(token);
            assert_eq!(grid.at(row, column), Some(token));
        }
        assert_eq!(grid.at(3, 0), None);
        assert_eq!(grid.token(15), Err(GridError::Token { token: 15, grid }));
    }

    #[test]
    fn invalid_grids_are_errors() {
        for text in ["0x4", "4x0", "4096x4097", "4294967295x4294967295"] {
            assert!(matches!(text.parse::<Grid>(), Err(GridError::Size { .. })), "{text}");
        }
        for text in ["", "16 ", "x", "1x", "-1x4", "+1x4", "1x1x1", "99999999999x1", "1 x 1"] {
            assert!(matches!(text.parse::<Grid>(), Err(GridError::Syntax(_))), "{text}");
        }
        assert!(serde_json::from_str::<Grid>(r#"{"height":0,"width":4}"#).is_err());
        assert_eq!("16".parse(), Grid::new(16, 16));
        assert_eq!("4096x4096".parse::<Grid>().map(Grid::tokens), Ok(Grid::MAX_TOKENS));
    }
}
