//! What the steps of a plan take from earlier steps in a run.

use super::Plan;
use crate::StepReuse;

impl Plan {
    /// Returns what each AR step takes from earlier steps in a run whose steps are guided as `guided` says.
    ///
    /// This is the data of the plan, except that a step computes the whole transformer if what it would take does not exist:
    /// without an earlier complete step; if the step is guided and takes the difference of the halves, but the last complete
    /// step was not guided; or if it is guided and computes the unconditional half from caches, but a step since the last
    /// complete one did not compute that half.
    pub fn reuse(&self, guided: impl IntoIterator<Item = bool>) -> Vec<Option<StepReuse>> {
        // Of the last complete step; `None` before the first.
        let mut complete_guided = None;
        // Whether all steps since then have computed both halves.
        let mut both_halves = true;
        let step = |(reuse, guided): (Option<StepReuse>, bool)| {
            let mut reuse = reuse?;
            let exists = |guidance: bool| match complete_guided {
                None => false,
                Some(complete) => !guided || if guidance { complete } else { both_halves },
            };
            reuse.cached = reuse.cached.filter(|parts| exists(parts.guidance));
            match reuse.cached {
                None => (complete_guided, both_halves) = (Some(guided), guided),
                Some(parts) => both_halves &= guided && !parts.guidance,
            }
            Some(reuse)
        };
        self.steps.iter().map(|step| step.axes.reuse).zip(guided).map(step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Plan;
    use crate::{AxisConfig, AxisName, Grid, Registry, preset};

    fn plan(config: AxisConfig) -> Plan {
        let mut schedule = preset::find("mar-8").unwrap().schedule.clone();
        schedule.set_axis(AxisName::Reuse, config);
        schedule.plan(Grid::new(8, 8).unwrap(), &Registry::builtin()).unwrap().plan
    }

    /// Returns, for each step, whether it computes the whole transformer.
    fn complete(config: AxisConfig, guided: impl Fn(usize) -> bool) -> Vec<bool> {
        let reuse = plan(config).reuse((0..8).map(guided));
        reuse.into_iter().map(|step| step.unwrap().cached.is_none()).collect()
    }

    #[test]
    fn a_step_is_complete_if_what_it_takes_does_not_exist() {
        let lazymar = AxisConfig::new("lazymar").with("complete_steps", 1).with("refresh_period", 4);
        let planned = [true, true, false, false, false, true, false, false];
        assert_eq!(complete(lazymar.clone(), |_| true), planned);
        assert_eq!(complete(lazymar.clone(), |_| false), planned);
        // Step 1, the last complete step before step 3, is not guided, so there is no difference to take.
        let late = [true, true, false, true, false, true, false, false];
        assert_eq!(complete(lazymar.clone(), |step| step >= 3), late);
        // A difference outlives a step without guidance, caches of the unconditional half do not.
        assert_eq!(complete(lazymar.clone(), |step| step != 2), planned);
        let both = lazymar.with("reuse_guidance", false);
        assert_eq!(complete(both, |step| step != 2), [true, true, false, true, false, true, false, false]);
    }

    #[test]
    fn caches_of_a_half_that_was_not_computed_are_not_taken() {
        let mut plan = plan(AxisConfig::new("lazymar").with("complete_steps", 1).with("refresh_period", 4));
        // Step 2 takes the difference, so the unconditional half has no caches for step 3.
        let cached = plan.steps[3].axes.reuse.as_mut().unwrap().cached.as_mut().unwrap();
        cached.guidance = false;
        let complete = |guided| -> Vec<bool> {
            plan.reuse([guided; 8]).into_iter().map(|step| step.unwrap().cached.is_none()).collect()
        };
        assert_eq!(complete(true), [true, true, false, true, false, true, false, false]);
        assert_eq!(complete(false), [true, true, false, false, false, true, false, false]);
    }
}
