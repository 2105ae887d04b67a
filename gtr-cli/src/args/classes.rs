//! Lists of classes: `7`, `0..9`, `1,3,5`, `golden retriever`, `n02099601`.

use std::str::FromStr;

/// More classes than this are a mistake.
const MOST: usize = 100_000;

/// Classes in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes(pub(crate) Vec<ClassName>);

/// A class as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClassName {
    /// By its number.
    Number(u32),
    /// By its name, which only the model can look up.
    Name(String),
}

impl ClassName {
    /// The name, where it is one.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Name(name) => Some(name),
        }
    }
}

/// Why a text is no list of classes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClassesError {
    #[error("write a class, a range with both ends or a list: 7, 0..9 or 1,3,5")]
    Syntax,
    #[error("the range {0}..{1} runs backwards: write {1}..{0}")]
    Backwards(u32, u32),
    #[error("more than {MOST} classes: ask for fewer")]
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
