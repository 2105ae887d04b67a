//! Coefficients of the denoising process.

use gtr_backends::diffusion::Process;
use gtr_core::{DiffusionSteps, TimestepLimit, Timesteps};

use crate::golden::Golden;

#[test]
fn coefficients_are_those_of_the_reference() {
    let golden = Golden::open("diffusion_coefs");
    let mut compared = 0;
    let names = golden.names();
    for name in names.iter().filter_map(|name| name.strip_suffix(".timestep_map")) {
        let kept = golden.u32s(&format!("{name}.timestep_map"));
        let steps = DiffusionSteps::new(name.parse().unwrap()).unwrap();
        if steps.get() > 1 {
            // A single step is the highest timestep here; the reference cannot sample with one.
            assert_eq!(Timesteps::new(steps, TimestepLimit::NONE).unwrap().values(), kept, "{name} steps");
        }
        let process = Process::new(&Timesteps::from_values(&kept).unwrap());
        for (quantity, found) in [
            ("betas", &process.betas),
            ("alphas_cumprod", &process.alphas_cumprod),
            ("alphas_cumprod_prev", &process.alphas_cumprod_prev),
            ("sqrt_recip_alphas_cumprod", &process.sqrt_recip_alphas_cumprod),
            ("sqrt_recipm1_alphas_cumprod", &process.sqrt_recipm1_alphas_cumprod),
            ("posterior_variance", &process.posterior_variance),
            ("posterior_log_variance_clipped", &process.posterior_log_variance_clipped),
            ("log_betas", &process.log_betas),
            ("posterior_mean_coef1", &process.posterior_mean_coef1),
            ("posterior_mean_coef2", &process.posterior_mean_coef2),
        ] {
            let key = format!("{name}.{quantity}");
            if !golden.has(&key) {
                assert!(found.is_empty(), "{key}");
                continue;
            }
            let expected = golden.f64s(&key);
            assert_eq!(found.len(), expected.len(), "{key}");
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (found - expected).abs();
                assert!(error <= 1e-6 * expected.abs(), "{key}[{index}]: {found} instead of {expected}");
                compared += 1;
            }
        }
    }
    assert!(compared > 10_000, "only {compared} values were compared");
}
