//! Laws of the loss of a plan, for any function that computes it.

use gtr_linalg::{OuterProducts, Symmetric};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::{Law, grids, some_known};
use crate::loss::{Field, Isotropic, Loss, Measured, kernels};
use crate::{Error, Grid, ImageIndex, Seed, Stream, StreamPurpose, TokenIndex, TokenSet};

/// Function that computes the loss of steps given known tokens, like [`crate::loss::loss_of_steps`].
pub type LossOf<'a> = &'a dyn Fn(&TokenSet, &[Vec<TokenIndex>], &Field) -> Result<Loss, Error>;

/// Input of a loss.
#[derive(Clone, Debug)]
pub struct Case {
    /// Tokens that are known from the start.
    pub known: TokenSet,
    /// Tokens of each step.
    pub steps: Vec<Vec<TokenIndex>>,
    /// Field on which the loss is computed.
    pub field: Field,
}

impl Case {
    fn grid(&self) -> Grid {
        self.known.grid()
    }

    fn of(&self, of: LossOf<'_>) -> Result<Loss, TestCaseError> {
        computed(of, &self.known, &self.steps, &self.field)
    }

    /// Returns all tokens of the steps, in order.
    fn tokens(&self) -> Vec<TokenIndex> {
        self.steps.concat()
    }
}

fn computed(of: LossOf<'_>, known: &TokenSet, steps: &[Vec<TokenIndex>], field: &Field) -> Result<Loss, TestCaseError> {
    of(known, steps, field).map_err(|error| TestCaseError::fail(error.to_string()))
}

/// Returns true if two values are equal up to rounding.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

/// Strategy for isotropic fields of every kernel.
pub fn isotropic() -> BoxedStrategy<Isotropic> {
    let field = |(kernel, length, nugget): (usize, f64, f64)| {
        let kind = kernels()[kernel].kind();
        Isotropic::new(kind, length, nugget).unwrap_or_else(|_| unreachable!("in range"))
    };
    (0..kernels().len(), 0.3..6.0f64, 0.01..1.0f64).prop_map(field).boxed()
}

/// Strategy for measured fields on a grid, with one to three channels and one or two classes.
pub fn measured(grid: Grid) -> BoxedStrategy<Measured> {
    let field = move |(channels, classes, seed): (usize, u64, u64)| {
        let side = grid.tokens() * channels;
        let covariance = |class| {
            let mut numbers = vec![0.0; side * 2 * side];
            Stream::new(Seed(seed), StreamPurpose::TokenNoise, ImageIndex(class), 0).fill_normal(&mut numbers);
            let mut products = OuterProducts::new(side);
            products.add(&numbers);
            products.divided_by(1.0).as_slice().to_vec()
        };
        let field = Measured::new("drawn", grid, channels, (0..classes).map(covariance).collect());
        field.unwrap_or_else(|error| unreachable!("a product with its transpose: {error}"))
    };
    (1..4usize, 1..3u64, any::<u64>()).prop_map(field).boxed()
}

/// Strategy for cases: isotropic fields on the grids of [`grids`], measured fields on grids of up to 16 tokens.
pub fn cases() -> BoxedStrategy<Case> {
    let small = (1..5u32, 1..5u32)
        .prop_map(|(height, width)| Grid::new(height, width).unwrap_or_else(|_| unreachable!("small sides above 0")));
    let isotropic = (grids(), isotropic().prop_map(Field::from));
    let measured = small.prop_flat_map(|grid| (Just(grid), measured(grid).prop_map(Field::from)));
    let drawn = prop_oneof![isotropic, measured];
    (drawn, any::<u64>(), 0.0..1.0f64, 0.0..0.6f64)
        .prop_map(|((grid, field), seed, together, share)| case(grid, field, Seed(seed), together, share))
        .boxed()
}

/// Creates a case with the tokens in random order. Each token joins the step of the token before it with probability
/// `together`. If `share` is 0.3 or more, some tokens are known.
fn case(grid: Grid, field: Field, seed: Seed, together: f64, share: f64) -> Case {
    let none = TokenSet::empty(grid);
    let known = if share < 0.3 { none } else { some_known(grid, seed, share - 0.3).unwrap_or(none) };
    let mut tokens: Vec<TokenIndex> = known.complement().iter().collect();
    let mut stream = Stream::new(seed, StreamPurpose::TokenOrder, ImageIndex(1), 0);
    stream.shuffle(&mut tokens);
    let mut steps: Vec<Vec<TokenIndex>> = Vec::new();
    for token in tokens {
        #[expect(clippy::cast_precision_loss, reason = "a number below 1000")]
        let joins = stream.below(1000) as f64 / 1000.0 < together;
        match steps.last_mut() {
            Some(step) if joins => step.push(token),
            _ => steps.push(vec![token]),
        }
    }
    Case { known, steps, field }
}

/// No loss is negative, and the losses of the steps and of the tokens each add up to the total.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn never_negative(of: LossOf<'_>, case: &Case) -> Law {
    let loss = case.of(of)?;
    prop_assert_eq!(loss.steps.len(), case.steps.len());
    prop_assert_eq!(loss.tokens.len(), case.grid().tokens());
    let numbers = std::iter::once(&loss.total).chain(&loss.steps).chain(&loss.tokens);
    prop_assert!(numbers.clone().all(|number| number.is_finite() && *number >= 0.0), "a negative loss: {loss:?}");
    for (what, sum) in [("steps", loss.steps.iter().sum::<f64>()), ("tokens", loss.tokens.iter().sum::<f64>())] {
        prop_assert!(close(sum, loss.total), "the {what} add up to {sum}, not to {}", loss.total);
    }
    for token in case.known.iter() {
        prop_assert_eq!(loss.tokens[token.index()], 0.0, "a known token has a loss");
    }
    Ok(())
}

/// Sampling one token at a time has no loss.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn nothing_one_by_one(of: LossOf<'_>, case: &Case) -> Law {
    let steps: Vec<_> = case.tokens().into_iter().map(|token| vec![token]).collect();
    let loss = computed(of, &case.known, &steps, &case.field)?;
    prop_assert_eq!(loss.total, 0.0, "sampling one token at a time has a loss");
    Ok(())
}

/// The loss of sampling all tokens at once is the total correlation of the field, computed here from determinants.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn everything_at_once(of: LossOf<'_>, grid: Grid, field: &Field) -> Law {
    let none = TokenSet::empty(grid);
    let loss = computed(of, &none, &[grid.iter().collect()], field)?;
    let expected = total_correlation(grid, field);
    prop_assert!(
        close(loss.total, expected),
        "the loss of all tokens at once is {}, but the total correlation is {expected}",
        loss.total
    );
    Ok(())
}

/// Returns the total correlation: half the difference between the sum of the log-determinants of the tokens and the
/// log-determinant of the whole covariance.
fn total_correlation(grid: Grid, field: &Field) -> f64 {
    let correlation = |covariance: &Symmetric, channels: usize| {
        let log_determinant = |matrix: &Symmetric| {
            let eigenvalues = matrix.eigenvalues();
            eigenvalues.iter().map(|value| value.ln()).sum::<f64>()
        };
        let token = |token: usize| log_determinant(&covariance.principal(token * channels, (token + 1) * channels));
        0.5 * ((0..grid.tokens()).map(token).sum::<f64>() - log_determinant(covariance))
    };
    match field {
        Field::Isotropic(_) => correlation(&dense(grid, field)[0], 1),
        Field::Measured(measured) => {
            let all: Vec<f64> =
                dense(grid, field).iter().map(|covariance| correlation(covariance, measured.channels())).collect();
            #[expect(clippy::cast_precision_loss, reason = "a few classes")]
            let count = all.len() as f64;
            all.iter().sum::<f64>() / count
        }
    }
}

/// Returns the covariance matrix of each class.
fn dense(grid: Grid, field: &Field) -> Vec<Symmetric> {
    match field {
        Field::Isotropic(field) => {
            let positions: Vec<_> = grid.iter().map(|token| grid.position(token)).collect();
            let side = positions.len();
            vec![Symmetric::from_fn(side, |row, column| field.covariance(positions[row], positions[column]))]
        }
        Field::Measured(field) => {
            let side = grid.tokens() * field.channels();
            field
                .classes()
                .iter()
                .map(|numbers| Symmetric::from_fn(side, |row, column| numbers[row * side + column]))
                .collect()
        }
    }
}

/// Dividing a step in two, at any position, never increases the loss.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn splitting_never_raises(of: LossOf<'_>, case: &Case) -> Law {
    let whole = case.of(of)?;
    for (position, step) in case.steps.iter().enumerate().filter(|(_, step)| step.len() > 1).take(3) {
        let (first, second) = step.split_at(1 + position % (step.len() - 1));
        let mut steps = case.steps.clone();
        steps.splice(position..=position, [first.to_vec(), second.to_vec()]);
        let split = computed(of, &case.known, &steps, &case.field)?;
        let bound = whole.total + 1e-9 * (1.0 + whole.total);
        prop_assert!(
            split.total <= bound,
            "step {position} has a loss of {} if divided in two, {} otherwise",
            split.total,
            whole.total
        );
    }
    Ok(())
}

/// The order of the tokens within a step does not affect the loss.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn order_within_a_step_is_nothing(of: LossOf<'_>, case: &Case) -> Law {
    let loss = case.of(of)?;
    let turned: Vec<Vec<TokenIndex>> = case.steps.iter().map(|step| step.iter().rev().copied().collect()).collect();
    let other = computed(of, &case.known, &turned, &case.field)?;
    let pairs = loss.steps.iter().zip(&other.steps).chain(loss.tokens.iter().zip(&other.tokens));
    for (a, b) in pairs.chain([(&loss.total, &other.total)]) {
        prop_assert!(close(*a, *b), "the order within a step changes {a} to {b}");
    }
    Ok(())
}

/// Independent tokens have no loss in any steps.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn nothing_where_independent(of: LossOf<'_>, case: &Case) -> Law {
    for kernel in kernels() {
        let field = Isotropic::new(kernel.kind(), 2.0, 1.0).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let loss = computed(of, &case.known, &case.steps, &field.into())?;
        prop_assert_eq!(loss.total, 0.0, "independent tokens have a loss");
    }
    Ok(())
}

/// A measured field with the covariance of an isotropic field has the same loss.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn measured_as_isotropic(of: LossOf<'_>, case: &Case, field: Isotropic) -> Law {
    let (grid, field) = (case.grid(), field.into());
    let numbers = dense(grid, &field)[0].as_slice().to_vec();
    let measured = Measured::new("written out", grid, 1, vec![numbers.clone(), numbers])
        .map_err(|error| TestCaseError::fail(error.to_string()))?;
    let expected = computed(of, &case.known, &case.steps, &field)?;
    let found = computed(of, &case.known, &case.steps, &measured.into())?;
    for (expected, found) in expected.steps.iter().zip(&found.steps) {
        prop_assert!(
            close(*expected, *found),
            "the loss is {expected} on the isotropic field, but {found} on the measured field"
        );
    }
    Ok(())
}

/// Maps a row and a column of a grid to those of the transformed grid.
type Image = fn(Grid, u32, u32) -> (u32, u32);

/// On an isotropic field, rotating the grid and the steps by 90 degrees, or mirroring both, does not affect the loss.
///
/// # Errors
/// Returns an error if the law does not hold.
pub fn turned_or_mirrored(of: LossOf<'_>, case: &Case, field: Isotropic) -> Law {
    let (grid, field) = (case.grid(), field.into());
    let expected = computed(of, &case.known, &case.steps, &field)?;
    let turned = Grid::new(grid.width(), grid.height()).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let mirror: Image = |grid, row, column| (row, grid.width() - 1 - column);
    let quarter: Image = |grid, row, column| (column, grid.height() - 1 - row);
    for (what, to, image) in [("mirrored", grid, mirror), ("rotated", turned, quarter)] {
        let moved = |token: TokenIndex| {
            let position = grid.position(token);
            let (row, column) = image(grid, position.row, position.column);
            to.at(row, column).unwrap_or_else(|| unreachable!("inside"))
        };
        let known = TokenSet::from_tokens(to, case.known.iter().map(moved));
        let steps: Vec<Vec<TokenIndex>> =
            case.steps.iter().map(|step| step.iter().map(|&token| moved(token)).collect()).collect();
        let found = computed(of, &known, &steps, &field)?;
        prop_assert!(
            close(expected.total, found.total),
            "if {what}, the loss is {}, not {}",
            found.total,
            expected.total
        );
        for token in grid.iter() {
            let (a, b) = (expected.tokens[token.index()], found.tokens[moved(token).index()]);
            prop_assert!(close(a, b), "if {what}, the loss of token {token} is {b}, not {a}");
        }
    }
    Ok(())
}
