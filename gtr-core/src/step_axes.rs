//! The data that optional axes add to an AR step.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AxisName;
use crate::axes::axes;

macro_rules! step_axes {
    (@name $variant:ident $data:ident) => { AxisName::$variant };
    (
        required { $($variant:ident $field:ident $axis:ident, $list:ident $with:ident $build:ident, $text:literal;)* }
        optional { $(
            $other:ident $other_field:ident $other_axis:ident, $other_list:ident $other_with:ident $other_build:ident,
            $default:literal $(=> $data:ident)?, $other_text:literal;
        )* }
    ) => {
        /// The data that optional axes add to an AR step; empty if all of them have their default kind.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct StepAxes {
            $($(
                #[doc = $other_text]
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $other_field: Option<crate::$data>,
            )?)*
        }

        impl StepAxes {
            /// The axes that add data to an AR step.
            pub(crate) const AXES: &[AxisName] = &[$($(step_axes!(@name $other $data),)?)*];
        }
    };
}

axes!(step_axes);

impl StepAxes {
    /// Returns true if no axis adds data.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
