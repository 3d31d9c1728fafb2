//! What `expand` and `revalidate` share: vectors, lineups, and the events that confusers come from.

use crate::checkpoint::events;
use crate::commands::mine::GuardArgs;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exclude::ExcludeArgs;
use crate::io;
use crate::vectors::{Access, VectorArgs, Vectors};
use crucible_core::bundles::PerSource;
use crucible_core::data::{BundleSet, hex, read_bundles};
use crucible_core::mining::Settings;
use crucible_core::overlap::Exclusion;
use crucible_core::pools::{InputFile, Workset};
use crucible_core::rng::Stream;
use std::path::{Path, PathBuf};

/// Flags of multi-lineup validation.
#[derive(Debug, clap::Args)]
pub(super) struct ValidationArgs {
    /// Events that confusers come from too; without them only those of the bundles themselves
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// What ranks confusers and scores lineups.
    #[command(flatten)]
    pub(super) vectors: VectorArgs,
    /// Danger from which on a lineup passes
    #[arg(long, value_name = "DANGER", default_value_t = 0.0, allow_hyphen_values = true, value_parser = danger)]
    pub(super) threshold: f64,
    /// Lineups of a pair
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) lineups: usize,
    /// Lineups that have to pass
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) min_passes: usize,
    /// Negatives of a lineup
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) negatives_per_lineup: usize,
    /// Confusers that lineups are drawn from: within the lemma, siblings, other lemmas
    #[arg(long, value_name = "N,N,N", value_delimiter = ',', default_values_t = [10, 5, 20])]
    pub(super) depths: Vec<usize>,
    /// Jaccard index of word shingles from which on two texts are near-duplicates, which are never negatives
    #[arg(long, value_name = "INDEX", default_value_t = 0.8)]
    pub(super) near_duplicate: f64,
    /// Seed of what is drawn; lineups are others than those of `mine` under the same seed
    #[arg(long, default_value_t = 42)]
    pub(super) seed: u64,
    /// Guards against false negatives.
    #[command(flatten)]
    pub(super) guards: GuardArgs,
}

fn danger(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(danger) if (-2.0..=2.0).contains(&danger) => Ok(danger),
        _ => Err("expected a danger from -2 to 2".to_owned()),
    }
}

impl ValidationArgs {
    /// The settings of the lineups.
    ///
    /// # Errors
    /// One that is out of range, with exit status 2.
    pub(super) fn settings(&self) -> CliResult<Settings> {
        let [within_lemma, sibling, cross_lemma] = self.depths[..] else {
            let message = "--depths takes three numbers (within the lemma, siblings, other lemmas)";
            return Err(CliError::usage(message));
        };
        let settings = Settings {
            lineups: self.lineups,
            min_passes: self.min_passes,
            negatives_per_lineup: self.negatives_per_lineup,
            depths: PerSource { within_lemma, sibling, cross_lemma },
            guards: self.guards.guards(),
            near_duplicate: self.near_duplicate,
            seed: self.seed,
            ..Settings::default()
        };
        settings.check().map_err(|e| CliError::usage(e.to_string()))?;
        Ok(settings)
    }

    /// The same with a seed of the command's own. Lineups of a pair follow from the seed and the pair: under the seed that
    /// it was mined with, a bundle would meet the very lineups again that it was accepted for.
    pub(super) fn fresh(&self, settings: &Settings, command: &str) -> Settings {
        Settings { seed: Stream::new(self.seed, command, 0).bits(), ..settings.clone() }
    }

    /// What is read, with `bundles`: no output may overwrite it.
    pub(super) fn taken(&self, bundles: &Path) -> Vec<(&'static str, PathBuf)> {
        let mut taken = vec![("--bundles", bundles.to_owned())];
        taken.extend(self.events.iter().map(|path| ("--events", path.clone())));
        taken.extend(self.vectors.source().files().into_iter().map(|(flag, path)| (flag, path.to_owned())));
        taken
    }

    /// Reads bundles, events (without those that `exclude` names) and vectors.
    ///
    /// # Errors
    /// Files that can't be read, their faults, events that differ between the two files.
    pub(super) fn read(&self, bundles: &Path, exclude: &ExcludeArgs, ctx: &Context) -> CliResult<Material> {
        let mut file = io::open_hashed(bundles)?;
        let name = bundles.display().to_string();
        let set = read_bundles(file.reader(), &name)?;
        let sha256 = hex(&file.sha256()?);
        let (corpus, excluded) = match self.events.as_deref() {
            Some(path) => exclude.apply(path, events(path)?, self.near_duplicate)?,
            None if exclude.exclude.is_empty() => Default::default(),
            None => {
                let message = "--exclude leaves events of --events out, and none are named";
                return Err(CliError::usage(message).advise("name events, or leave out --exclude"));
            }
        };
        let workset = Workset::new(corpus, &set, &name)
            .map_err(|f| CliError::from(f).advise("an id means one event: make the two the same, or rename one"))?;
        let from = self.events.as_deref().unwrap_or(bundles);
        let vectors =
            self.vectors.source().load(ctx.global.device.as_deref(), from, &workset.events, Access::Memory)?;
        vectors.notes.tell(&ctx.reporter);
        let input = InputFile { path: name, sha256, bundles: set.bundles.len() as u64, ..InputFile::default() };
        Ok(Material { set, workset, vectors, input, excluded })
    }
}

/// What a validation works on.
pub(super) struct Material {
    pub(super) set: BundleSet,
    pub(super) workset: Workset,
    pub(super) vectors: Vectors,
    pub(super) input: InputFile,
    /// What `--exclude` left out of the events.
    pub(super) excluded: Option<Exclusion>,
}
