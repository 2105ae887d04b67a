//! The names of the axes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::axes::axes;

macro_rules! names {
    (
        required { $($variant:ident $field:ident $axis:ident, $list:ident $with:ident $build:ident, $text:literal;)* }
        optional { $(
            $other:ident $other_field:ident $other_axis:ident, $other_list:ident $other_with:ident $other_build:ident,
            $default:literal $(=> $data:ident)?, $other_text:literal;
        )* }
    ) => {
        /// The axes of a schedule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum AxisName {
            $(#[doc = $text] $variant,)*
            $(#[doc = $other_text] $other,)*
        }

        /// Number of axes.
        const COUNT: usize = [$(stringify!($field),)* $(stringify!($other_field),)*].len();

        impl AxisName {
            /// All axes, in the order in which planning evaluates them.
            pub const ALL: [Self; COUNT] = [$(Self::$variant,)* $(Self::$other,)*];

            /// Returns the serialised name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)*
                    $(Self::$other => stringify!($other_field),)*
                }
            }

            /// Returns the description, one sentence.
            ///
            /// # Examples
            /// ```
            /// assert_eq!(gtr_core::AxisName::Pace.description(), "Number of tokens that each AR step generates.");
            /// ```
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    $(Self::$other => $other_text,)*
                }
            }

            /// Returns the kind of a schedule that does not set the axis; `None` if every schedule must set it.
            ///
            /// # Examples
            /// ```
            /// use gtr_core::AxisName;
            /// assert_eq!(AxisName::Solver.default_kind(), Some("ddpm"));
            /// assert_eq!(AxisName::Order.default_kind(), None);
            /// ```
            pub fn default_kind(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => None,)*
                    $(Self::$other => Some($default),)*
                }
            }
        }
    };
}

axes!(names);

impl AxisName {
    /// Returns the title of a section about the axis: the name with a capital, a colon and the description.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(gtr_core::AxisName::Pace.title(), "Pace: number of tokens that each AR step generates");
    /// ```
    pub fn title(self) -> String {
        let capital = |text: &str, case: fn(&char) -> char| {
            let mut letters = text.chars();
            letters.next().iter().map(case).chain(letters).collect::<String>()
        };
        let name = capital(self.as_str(), char::to_ascii_uppercase);
        format!("{name}: {}", capital(self.description().trim_end_matches('.'), char::to_ascii_lowercase))
    }
}

impl fmt::Display for AxisName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
