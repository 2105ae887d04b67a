//! The arguments with which `sample` makes recorded images again.

use std::fmt::Display;

use gtr_core::GuidanceSchedule;

use super::{GoingOn, Parameters, Subjects};

/// Arguments of a command line, one after the other, not quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again(Vec<String>);

impl Again {
    /// Adds a flag with its value.
    pub(crate) fn add(&mut self, flag: &str, value: impl Display) {
        let value = value.to_string();
        // A value that looks like a flag would be taken for one.
        if value.starts_with('-') {
            self.0.push(format!("{flag}={value}"));
        } else {
            self.0.extend([flag.to_owned(), value]);
        }
    }

    /// Adds flags that are written out already.
    pub(crate) fn extend(&mut self, flags: &[String]) {
        self.0.extend_from_slice(flags);
    }

    fn add_some(&mut self, flag: &str, value: Option<&impl Display>) {
        if let Some(value) = value {
            self.add(flag, value);
        }
    }

    /// The arguments.
    pub(crate) fn into_words(self) -> Vec<String> {
        self.0
    }
}

impl Parameters {
    /// All but the plan and the file; the mask is left out where the plan says itself what is known.
    pub(crate) fn again(&self, with_mask: bool) -> Again {
        // Every field by its name: one that is added must be thought of here.
        let Self {
            version: _,
            model,
            weights,
            random_weights,
            vae,
            text_encoder,
            dtype,
            device,
            size,
            subjects,
            count,
            first_image,
            seed,
            cfg,
            cfg_schedule,
            temperature,
            scale,
            going_on: GoingOn { init, mask, dilate, reseed_reconstruction },
        } = self;
        let mut again = Again::default();
        if model != "digits" {
            again.add("--model", model);
        }
        again.add_some("--weights", weights.as_ref());
        if let Some(seed) = random_weights {
            // The value is optional, so it needs the sign.
            again.0.push(format!("--random-weights={seed}"));
        }
        again.add_some("--vae", vae.as_ref());
        again.add_some("--text-encoder", text_encoder.as_ref());
        again.add_some("--dtype", dtype.as_ref());
        again.add_some("--device", device.as_ref());
        again.add_some("--size", size.map(|(height, width)| format!("{height}x{width}")).as_ref());
        match subjects {
            Subjects::Classes(classes) => again.add("--class", ranges(classes)),
            Subjects::Prompts(prompts) => prompts.iter().for_each(|prompt| again.add("--prompt", prompt)),
        }
        if *count != 1 {
            again.add("--count", count);
        }
        if *first_image != 0 {
            again.add("--first-image", first_image);
        }
        again.add("--seed", seed);
        again.add("--cfg", cfg);
        let ramp = match cfg_schedule {
            GuidanceSchedule::Linear => "linear",
            GuidanceSchedule::Constant => "constant",
        };
        again.add("--cfg-schedule", ramp);
        if *temperature != 1.0 {
            again.add("--temperature", temperature);
        }
        again.add_some("--scale", scale.as_ref());
        again.add_some("--init", init.as_ref());
        again.add_some("--reseed-reconstruction", reseed_reconstruction.as_ref());
        if with_mask {
            again.add_some("--mask", mask.as_ref());
            again.add_some("--dilate", dilate.as_ref());
        }
        again
    }

    /// The version of the program that made the images.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The model, by name or path.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }
}

/// Classes as they are written on the command line: `0..9,3`.
fn ranges(classes: &[u32]) -> String {
    let mut parts = Vec::new();
    for run in classes.chunk_by(|class, next| class.checked_add(1) == Some(*next)) {
        match run {
            [first, _, .., last] => parts.push(format!("{first}..{last}")),
            few => parts.extend(few.iter().map(u32::to_string)),
        }
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_follow_each_other_are_ranges() {
        assert_eq!(ranges(&[7]), "7");
        assert_eq!(ranges(&[0, 1, 2, 3, 3, 5, 6, 1]), "0..3,3,5,6,1");
        assert_eq!(ranges(&[u32::MAX - 1, u32::MAX, 0]), "4294967294,4294967295,0");
    }

    #[test]
    fn values_like_flags_are_tied_to_their_flag() {
        let mut again = Again::default();
        again.add("--prompt", "--out");
        again.add("--prompt", "a cat");
        assert_eq!(again.into_words(), ["--prompt=--out", "--prompt", "a cat"]);
    }
}
