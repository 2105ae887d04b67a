//! Arguments of `sample` that reproduce recorded images.

use super::numbering::Subjects;
use super::record::{Inpainting, Parameters};
use crate::arguments::Arguments;

/// Default model of `sample`.
const DEFAULT_MODEL: &str = "digits";

impl Parameters {
    /// Returns all arguments except the plan and the output. The mask can be omitted, because the plan contains the known
    /// tokens.
    pub fn again(&self, with_mask: bool) -> Arguments {
        // Destructured, so that a new field cannot be forgotten here.
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
            inpainting: Inpainting { init, mask, dilate, reseed_reconstruction },
        } = self;
        let mut again = Arguments::default();
        if model != DEFAULT_MODEL {
            again.add("--model", model);
        }
        again.add_some("--weights", weights.as_ref());
        if let Some(seed) = random_weights {
            // The value is optional, so it must be joined by `=`.
            again.tie("--random-weights", seed);
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
        again.add("--cfg-schedule", cfg_schedule);
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

    /// Returns true if a mask selects the known tokens.
    pub fn has_mask(&self) -> bool {
        self.inpainting.mask.is_some()
    }
}

/// Formats classes for the command line, such as `0..9,3`.
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
    fn consecutive_classes_are_ranges() {
        assert_eq!(ranges(&[7]), "7");
        assert_eq!(ranges(&[0, 1, 2, 3, 3, 5, 6, 1]), "0..3,3,5,6,1");
        assert_eq!(ranges(&[u32::MAX - 1, u32::MAX, 0]), "4294967294,4294967295,0");
    }
}
