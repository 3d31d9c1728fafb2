//! Flags of `crucible mine`, and what they mean.

use crate::checkpoint::ModelArgs;
use crate::error::{CliError, CliResult};
use crate::exclude::ExcludeArgs;
use crate::replace::{Named, Replace, refuse_overwriting};
use crate::vectors::Source;
use crate::{output, parquet_file};
use crucible_core::bundles::PerSource;
use crucible_core::mining::{GuardPreset, Guards, Settings, Shard};
use std::path::{Path, PathBuf};

/// The flag of the queue that a person puts verdicts in.
const REVIEW: &str = "--review";

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Events to mine (JSON Lines; .gz and .zst are unpacked)
    #[arg(long, value_name = "FILE")]
    pub events: PathBuf,
    /// Bundles of tier3 that are there already: nothing of them is mined again, and `--threshold auto` follows them
    #[arg(long, value_name = "FILE")]
    pub existing_tier3: Option<PathBuf>,
    /// Eval sets that are never mined.
    #[command(flatten)]
    pub exclude: ExcludeArgs,
    /// Where accepted bundles go, hardest first (JSON Lines; .gz and .zst are packed)
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// The model that ranks confusers and scores lineups; further ones score the same lineups, and agreement is recorded
    #[arg(long, value_name = "FILE|DIR", conflicts_with_all = ["use_embeddings", "embeddings"])]
    pub checkpoint: Vec<PathBuf>,
    /// How folders among them are read.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Ranks and scores with the events' own `embedding`s
    #[arg(long, visible_alias = "own-embeddings", conflicts_with = "embeddings")]
    pub use_embeddings: bool,
    /// Ranks and scores with the vectors of a .npy, .safetensors or .parquet file, as `crucible embed` writes it
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// The event ids of its rows; without it beside the vectors: X.npy, X_ids.jsonl. X.parquet has them itself
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    pub embedding_ids: Option<PathBuf>,
    /// Leaves those vectors in the file, for more events than memory holds vectors of
    #[arg(long, requires = "embeddings")]
    pub map_embeddings: bool,
    /// Danger from which on a lineup passes, or `auto`: that of the existing tier3 under the same model
    #[arg(long, value_name = "DANGER|auto", default_value = "0", allow_hyphen_values = true)]
    pub threshold: ThresholdArg,
    /// Which quantile of the existing tier3's dangers `auto` takes
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub threshold_quantile: f64,
    /// Lineups of a candidate
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub lineups: usize,
    /// Lineups that have to pass
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub min_passes: usize,
    /// Pairs of anchor and positive that are drawn of a sense, at most
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub candidates_per_sense: usize,
    /// Bundles that are written, at most: those of most passes, then of most danger
    #[arg(long, value_name = "N", default_value_t = 15_000)]
    pub max_output: usize,
    /// Negatives of a lineup
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub negatives_per_lineup: usize,
    /// Confusers that lineups are drawn from: within the lemma, siblings, other lemmas
    #[arg(long, value_name = "N,N,N", value_delimiter = ',', default_values_t = [10, 5, 20])]
    pub depths: Vec<usize>,
    /// Where low passers go: not accepted, but with at least a fifth of the lineups (2 of 10)
    #[arg(long, value_name = "FILE")]
    pub quarantine: Option<PathBuf>,
    /// Where suspected false negatives go, for somebody to put verdicts in (JSON Lines); verdicts of a queue that is there
    /// are kept
    #[arg(long, value_name = "FILE")]
    pub review: Option<PathBuf>,
    /// Where the statistics go; without it beside the output: X.jsonl, X_stats.json
    #[arg(long, value_name = "FILE")]
    pub stats: Option<PathBuf>,
    /// Mines one part of the senses, `1/7` to `7/7`; `crucible pool merge` puts the parts together
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<Shard>,
    /// Goes on where a run with the same flags was stopped or killed
    #[arg(long)]
    pub resume: bool,
    /// Whether outputs that are there are replaced.
    #[command(flatten)]
    pub replace: Replace,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Guards against false negatives
    #[command(flatten)]
    pub guards: GuardArgs,
    /// Jaccard index of word shingles from which on two texts are near-duplicates, which are never negatives
    #[arg(long, value_name = "INDEX", default_value_t = 0.8)]
    pub near_duplicate: f64,
    /// Candidates that are tried again with shuffled labels (0: none)
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub null_candidates: usize,
    /// Goes into every bundle's metadata; without it bundles tell no time, so that their bytes repeat
    #[arg(long, value_name = "TEXT")]
    pub mined_at: Option<String>,
    /// Says how long each part took
    #[arg(long, hide = true)]
    pub timings: bool,
    /// Candidates that are searched together
    #[arg(long, value_name = "N", hide = true)]
    pub batch: Option<usize>,
    /// Seconds between two saved states
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, hide = true)]
    pub save_every: f64,
}

/// Guards, by the names of sentence-transformers' miner.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Guards against false negatives")]
pub struct GuardArgs {
    /// Passes over so many of each source's nearest
    #[arg(long, value_name = "RANK", default_value_t = 0)]
    pub range_min: usize,
    /// No confuser beyond this rank of its source
    #[arg(long, value_name = "RANK")]
    pub range_max: Option<usize>,
    /// No confuser of a greater cosine with the anchor
    #[arg(long, value_name = "COSINE", allow_hyphen_values = true)]
    pub max_score: Option<f64>,
    /// No confuser of a smaller one
    #[arg(long, value_name = "COSINE", allow_hyphen_values = true)]
    pub min_score: Option<f64>,
    /// No confuser above the positive's cosine less this
    #[arg(long, value_name = "COSINE", allow_hyphen_values = true)]
    pub absolute_margin: Option<f64>,
    /// No confuser above the positive's cosine less this share of its size: 0.05 keeps those up to 95 %
    #[arg(long, value_name = "SHARE")]
    pub relative_margin: Option<f64>,
    /// Guards with a name; flags beside it win
    #[arg(long, value_name = "NAME", value_enum)]
    pub guard_preset: Option<Preset>,
}

impl GuardArgs {
    /// What they mean together.
    #[must_use]
    pub fn guards(&self) -> Guards {
        let mut guards = Guards {
            range_min: self.range_min,
            range_max: self.range_max,
            max_score: self.max_score,
            min_score: self.min_score,
            absolute_margin: self.absolute_margin,
            relative_margin: self.relative_margin,
        };
        match self.guard_preset {
            Some(Preset::TopkPercpos) => guards.preset(GuardPreset::TopkPercPos),
            Some(Preset::TopkMarginpos) => guards.preset(GuardPreset::TopkMarginPos),
            None => {}
        }
        guards
    }
}

/// Names of guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// At most 95 % of the positive's cosine (--relative-margin 0.05)
    TopkPercpos,
    /// At least 0.05 below the positive's cosine (--absolute-margin 0.05)
    TopkMarginpos,
}

/// `--threshold`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdArg {
    /// Calibrated.
    Auto,
    /// As given.
    Given(f64),
}

impl std::str::FromStr for ThresholdArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(danger) if (-2.0..=2.0).contains(&danger) => Ok(Self::Given(danger)),
            _ => Err("expected `auto`, or a danger from -2 to 2".to_owned()),
        }
    }
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parts {
        Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
        _ => Err("expected I/N with I from 1 to N, such as 1/7 for the first of seven parts".to_owned()),
    }
}

/// Where everything goes.
pub(super) struct Outputs {
    pub(super) bundles: PathBuf,
    pub(super) quarantine: Option<PathBuf>,
    pub(super) review: Option<PathBuf>,
    pub(super) stats: PathBuf,
    pub(super) state: PathBuf,
}

impl Outputs {
    fn all(&self) -> [(&'static str, Option<&Path>); 5] {
        [
            ("--output", Some(&self.bundles)),
            ("--quarantine", self.quarantine.as_deref()),
            (REVIEW, self.review.as_deref()),
            ("--stats", Some(&self.stats)),
            ("the resume state", Some(&self.state)),
        ]
    }

    /// Whether a run has written all of them: its state is removed last.
    pub(super) fn are_finished(&self) -> bool {
        let mut results = self.all().into_iter().filter_map(|(_, path)| path).filter(|path| *path != self.state);
        !self.state.exists() && results.all(Path::exists)
    }

    /// Removes temporary files that a run left here when it was killed.
    ///
    /// # Errors
    /// A folder can't be read or written.
    pub(super) fn tidy(&self) -> CliResult<()> {
        let paths = self.all().into_iter().filter_map(|(_, path)| path);
        let here = |path: &&Path| path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.exists());
        paths.filter(here).try_for_each(output::remove_leftovers)
    }
}

impl Args {
    /// The settings.
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
            candidates_per_sense: self.candidates_per_sense,
            negatives_per_lineup: self.negatives_per_lineup,
            depths: PerSource { within_lemma, sibling, cross_lemma },
            guards: self.guards.guards(),
            near_duplicate: self.near_duplicate,
            max_output: self.max_output,
            null_candidates: self.null_candidates,
            seed: self.seed,
        };
        settings.check().map_err(|e| CliError::usage(e.to_string()))?;
        if self.threshold == ThresholdArg::Auto && self.existing_tier3.is_none() {
            return Err(CliError::usage("--threshold auto follows the existing tier3, and none is given")
                .advise("name it with --existing-tier3 FILE, or give a number"));
        }
        if !(0.0..=1.0).contains(&self.threshold_quantile) {
            return Err(CliError::usage(format!("--threshold-quantile {}: expected 0 to 1", self.threshold_quantile)));
        }
        if let Some(path) = self.embeddings.as_deref().filter(|path| self.map_embeddings && parquet_file::is_one(path))
        {
            let message = format!("--map-embeddings: {} has to be unpacked into memory", path.display());
            return Err(
                CliError::usage(message).advise("write the vectors as .npy (`crucible embed`), or leave the flag out")
            );
        }
        Ok(settings)
    }

    /// Where vectors come from: the deciding model first.
    pub(super) fn sources(&self) -> Vec<Source> {
        match &self.embeddings {
            Some(vectors) => vec![Source::file(vectors, self.embedding_ids.as_deref())],
            None if !self.checkpoint.is_empty() => {
                self.checkpoint.iter().map(|path| Source::Checkpoint(path.clone(), self.model.clone())).collect()
            }
            None if self.use_embeddings => vec![Source::Own],
            None => vec![Source::Lexical],
        }
    }

    /// Where everything goes, if it can: nothing is an input, nor goes to one place with something else.
    ///
    /// # Errors
    /// It can't.
    pub(super) fn outputs(&self, sources: &[Source]) -> CliResult<Outputs> {
        let outputs = Outputs {
            bundles: self.output.clone(),
            quarantine: self.quarantine.clone(),
            review: self.review.clone(),
            stats: self.stats.clone().unwrap_or_else(|| output::beside(&self.output, "_stats.json")),
            state: output::beside(&self.output, "_resume_state.json"),
        };
        let mut inputs: Vec<(&str, &Path)> = vec![("--events", &self.events)];
        inputs.extend(self.existing_tier3.as_deref().map(|path| ("--existing-tier3", path)));
        inputs.extend(self.exclude.files());
        inputs.extend(sources.iter().flat_map(Source::files));
        let all: Vec<Named<'_>> = outputs.all().into_iter().filter_map(|(flag, path)| Some((flag, path?))).collect();
        refuse_overwriting(&all, &inputs)?;
        let anew = !self.resume && !self.replace.force;
        if anew && outputs.state.exists() {
            let message = format!("{} holds a run that was stopped", outputs.state.display());
            return Err(CliError::usage(message).advise("go on with --resume, or start over with --force"));
        }
        output::check_writable(&outputs.state)?;
        // A run that goes on may have been killed when some of its results had appeared.
        let goes_on = self.resume && (outputs.state.exists() || outputs.are_finished());
        let replace = Replace { force: self.replace.force || goes_on };
        let results: Vec<Named<'_>> = all.into_iter().filter(|(_, path)| *path != outputs.state).collect();
        let (review, results): (Vec<_>, Vec<_>) = results.into_iter().partition(|(flag, _)| *flag == REVIEW);
        replace.check(&results, &inputs)?;
        replace.check_merged(&review, &inputs)?;
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_count_from_one() {
        assert_eq!(shard("1/7"), Ok(Shard { number: 1, of: 7 }));
        assert_eq!(shard("7/7"), Ok(Shard { number: 7, of: 7 }));
        for bad in ["0/7", "8/7", "1", "1/0", "a/b", "1/7/2", "-1/3", ""] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn thresholds_are_dangers_or_auto() {
        assert_eq!("auto".parse(), Ok(ThresholdArg::Auto));
        assert_eq!("-0.25".parse(), Ok(ThresholdArg::Given(-0.25)));
        for bad in ["NaN", "3", "", "Auto"] {
            assert!(bad.parse::<ThresholdArg>().is_err(), "{bad}");
        }
    }
}
