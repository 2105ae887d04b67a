//! `lazymar_*`: a MAR model and what it computes when it reuses results of earlier steps and evaluations.

use super::checks::Checks;
use super::folder::Folder;
use super::lazymar_run::LazyRun;
use super::{lazymar_caches, lazymar_head, lazymar_steps};
use crate::BackendError;
use crate::checkpoint::Checkpoint;
use crate::mar::{MarConfig, MarGenerator, MarModel};

pub(super) fn check(folder: &Folder, checks: &mut Checks<'_>) -> Result<(), BackendError> {
    let config = MarConfig::parse(&folder.name, &folder.config()?.to_string())?;
    folder.check_size(config.grid, config.buffer)?;
    let checkpoint = Checkpoint::open(&folder.weights()?)?;
    let section = checkpoint.section().clone();
    let mut generator = MarGenerator::new(MarModel::load(&config, checkpoint, &folder.compute)?, section);
    folder.each(checks, |stem, checks| check_one(folder, stem, &mut generator, checks));
    Ok(())
}

fn check_one(
    folder: &Folder,
    stem: &str,
    generator: &mut MarGenerator,
    checks: &mut Checks<'_>,
) -> Result<(), BackendError> {
    if stem.starts_with("weights") {
        return Ok(());
    }
    let (recording, registry) = (folder.open(stem)?, checks.inputs.registry);
    if stem.starts_with("p_sample_loop") {
        lazymar_head::check(&recording, generator.model().head(), checks)?;
    } else if stem.starts_with("sample") {
        lazymar_steps::reusing(&LazyRun::open(&recording, generator, registry)?, generator, checks)?;
    } else if let Some(rest) = stem.strip_prefix("plain") {
        let run = folder.open(&format!("sample{rest}"))?;
        lazymar_steps::plain(&recording, &LazyRun::open(&run, generator, registry)?, generator, checks)?;
    } else if let Some(rest) = stem.strip_prefix("caches") {
        let run = folder.open(&format!("sample{rest}"))?;
        lazymar_caches::check(&recording, &LazyRun::open(&run, generator, registry)?, generator, checks)?;
    } else {
        checks.note("not checked: unknown name");
        return Ok(());
    }
    checks.unused(&recording);
    Ok(())
}
