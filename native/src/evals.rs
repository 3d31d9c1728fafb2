//! Scores on the way: `evals.jsonl`, with what the model did on the eval sets every `experiment.eval_every` steps.
//!
//! It holds no time and is cut back to the step from which a run goes on, as `metrics.jsonl` is. Scores are computed on the
//! CPU, whatever the training runs on.

use crate::checkpoint::{Loaded, Notes};
use crate::error::{CliError, CliResult};
use crate::evaluation::{self, EvalSet, Scored, eval_sets};
use crate::training::ready;
use crucible_core::config::Config;
use crucible_core::data::Tier;
use crucible_core::encoder::{Checkpoint, Corpus, Encoder};
use crucible_core::eval::{SEED, Scoreboard, StepScores, VERSION};
use crucible_core::sweep::Truth;
use std::path::Path;

/// The file's name.
pub const EVALS: &str = "evals.jsonl";

/// Eval sets, tokenised when they are first scored.
#[derive(Default)]
pub struct Evals(Vec<(Truth, EvalSet, Option<Corpus>)>);

impl Evals {
    /// Reads the eval sets of a configuration; none where it asks for no scores on the way.
    ///
    /// # Errors
    /// It asks for them and names no eval set (exit status 2); sets that can't be read.
    pub fn read(config: &Config) -> CliResult<Self> {
        if config.experiment.eval_every == 0 {
            return Ok(Self::default());
        }
        let named = eval_sets(config);
        if named.is_empty() {
            let message = "experiment.eval_every is set, and data names no eval set to score";
            return Err(
                CliError::usage(message).advise("set data.frozen_eval or data.organic_eval, or eval_every to 0")
            );
        }
        let read = |(truth, path): (Truth, &String)| {
            Ok((truth, EvalSet::read(Path::new(path))?.with_vectors(ready(config).as_ref())?, None))
        };
        Ok(Self(named.into_iter().map(read).collect::<CliResult<_>>()?))
    }

    /// What the model does on each of them.
    ///
    /// # Errors
    /// Texts that can't be tokenised.
    pub fn score(&mut self, model: Checkpoint) -> CliResult<Vec<(Truth, Scoreboard)>> {
        let step = model.step;
        let loaded = Loaded { model, hash: String::new(), notes: Notes::default() };
        let mut boards = Vec::new();
        for (truth, set, corpus) in &mut self.0 {
            let corpus = match corpus {
                Some(corpus) => corpus,
                none => none.insert(loaded.tokenise(set.events())?),
            };
            let embeddings = loaded.model.embed(corpus);
            let scored = Scored::model(&loaded, &format!("step {step}"))?;
            let header = set.header(SEED, VERSION);
            boards.push((*truth, evaluation::scored(&set.set, header, scored, &embeddings, None)?.0));
        }
        Ok(boards)
    }
}

/// The file's line of a scoreboard.
#[must_use]
pub fn line(step: u64, truth: Truth, board: &Scoreboard) -> StepScores {
    let tier3 = board.by_tier.get(&Tier::Adversarial).cloned();
    StepScores { step, truth: truth.name().to_owned(), overall: board.overall.clone(), tier3 }
}
