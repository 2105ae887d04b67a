//! The table of axes. Everything that lists the axes is generated from it: [`AxisName`](crate::AxisName), the fields of
//! [`Schedule`](crate::Schedule), the lists of [`Registry`](crate::Registry), the data of
//! [`StepAxes`](crate::StepAxes), the laws, and in other crates the flags, schemas and reference.
//!
//! A new axis is one line here and one folder of this crate, whose `mod.rs` declares the trait and the implementations.

/// Passes the table of axes to a macro. The columns of a line are:
///
/// - variant of `AxisName`, field of `Schedule` (also the name of the folder), and trait;
/// - methods of `Registry`: the entries, the method that adds one, and the method that builds one;
/// - optional axes only: the kind if a schedule does not set the axis. It must have no parameters;
/// - if the axis adds data to AR steps: the type of the data, which is public at the root of the crate. The trait then has
///   a method `steps`, which returns the data;
/// - description.
macro_rules! axes {
    ($then:ident) => {
        $then! {
            required {
                Order order Order, orders with_order build_order,
                "Order, and stages, in which tokens are generated.";
                Pace pace Pace, paces with_pace build_pace,
                "Number of tokens that each AR step generates.";
                Diffusion diffusion Diffusion, diffusions with_diffusion build_diffusion,
                "Number of diffusion steps of each AR step.";
                Detail detail Detail, details with_detail build_detail,
                "Tokens of a step that get extra diffusion steps.";
            }
            optional {
                Guidance guidance GuidanceCurve, guidance_curves with_guidance build_guidance, "model" => Fraction,
                "Strength of classifier-free guidance in each AR step.";
                Solver solver Solver, solvers with_solver build_solver, "ddpm",
                "Update of a token from one diffusion step to the next.";
                Reuse reuse Reuse, reuses with_reuse build_reuse, "none" => StepReuse,
                "Results of earlier AR steps that a step uses again.";
                Cooling cooling Cooling, coolings with_cooling build_cooling, "none" => Fraction,
                "Fraction of the temperature that each AR step uses.";
            }
        }
    };
}

pub(crate) use axes;
