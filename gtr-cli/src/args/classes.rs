//! Lists of classes: `7`, `0..9`, `1,3,5`, `golden retriever`, `n02099601`.

use std::str::FromStr;

/// Largest accepted number of classes.
const MOST: usize = 100_000;

/// Requested classes, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes(pub(crate) Vec<ClassName>);

/// A requested class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClassName {
    /// Number of the class.
    Number(u32),
    /// Name of the class, which only the model can resolve.
    Name(String),
}

impl ClassName {
    /// Returns the name; `None` for a number.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Name(name) => Some(name),
        }
    }
}

/// Error of parsing a list of classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClassesError {
    #[error("expected a class, a range with both ends or a list: 7, 0..9 or 1,3,5")]
    Syntax,
    #[error("the range {0}..{1} is reversed: expected {1}..{0}")]
    Backwards(u32, u32),
    #[error("expected at most {MOST} classes")]
    TooMany,
}

impl FromStr for Classes {
    type Err = ClassesError;

    fn from_str(text: &str) -> Result<Self, ClassesError> {
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| ClassesError::Syntax);
        let mut classes = Vec::new();
        for part in text.split(',') {
            if part.trim().starts_with(char::is_alphabetic) {
                classes.push(ClassName::Name(part.trim().to_owned()));
                continue;
            }
            let (first, last) = match part.split_once("..") {
                Some((first, last)) => (number(first)?, number(last)?),
                None => (number(part)?, number(part)?),
            };
            if first > last {
                return Err(ClassesError::Backwards(first, last));
            }
            if (last - first) as usize >= MOST.saturating_sub(classes.len()) {
                return Err(ClassesError::TooMany);
            }
            classes.extend((first..=last).map(ClassName::Number));
        }
        if classes.len() > MOST { Err(ClassesError::TooMany) } else { Ok(Self(classes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        let classes = |text: &str| text.parse::<Classes>().map(|classes| classes.0);
        let numbers = |numbers: &[u32]| Ok(numbers.iter().copied().map(ClassName::Number).collect());
        assert_eq!(classes("7"), numbers(&[7]));
        assert_eq!(classes("0..3"), numbers(&[0, 1, 2, 3]));
        assert_eq!(classes("5,1..2"), numbers(&[5, 1, 2]));
        assert_eq!(classes("3..1"), Err(ClassesError::Backwards(3, 1)));
        assert_eq!(classes("0..4294967295"), Err(ClassesError::TooMany));
        let named = vec![ClassName::Name("golden retriever".into()), ClassName::Number(3)];
        assert_eq!(classes("golden retriever, 3"), Ok(named));
        for text in ["", "1,", "-1", "1..", "1...3", "7x", "1..tench"] {
            assert_eq!(classes(text), Err(ClassesError::Syntax), "{text}");
        }
    }
}
