//! What a visitor has dropped so far, and the results.
//!
//! Everything is behind `Rc`: an evaluation waits between its steps, and the page may ask for other things meanwhile.

use crate::failure::{Failure, sentence};
use crate::packed::unpacked;
use crate::upload::{Kind, Slot, check_kind, kind};
use crate::view::{self, Evaluated, Loaded};
use crucible_core::backend::Backend;
use crucible_core::data::{BundleSet, hex, read_bundles, read_events};
use crucible_core::encoder::{Checkpoint, EncoderError};
use crucible_core::eval::{
    self, EvalHeader, Inputs, Item, Match, REGRESSION_THRESHOLD, SEED, Score, Scoreboard, VERSION, match_headers,
};
use crucible_core::stats::{self, Comparison, On, Settings};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::rc::Rc;

/// A model.
pub struct Model {
    /// The page's number of it.
    pub id: u32,
    /// The file's name.
    pub name: String,
    /// SHA-256 of the file's bytes.
    pub hash: String,
    /// Bytes of the file.
    pub bytes: usize,
    /// The model itself.
    pub checkpoint: Checkpoint,
}

/// An eval set.
pub struct EvalSet {
    /// The page's number of it.
    pub id: u32,
    /// The file's name.
    pub name: String,
    /// What a scoreboard says of it.
    pub header: EvalHeader,
    /// Its bundles.
    pub set: BundleSet,
}

/// An earlier scoreboard.
pub struct Baseline {
    /// The page's number of it.
    pub id: u32,
    /// The file's name.
    pub name: String,
    /// The scoreboard.
    pub board: Scoreboard,
}

/// A baseline's items.
pub struct BaselineItems {
    /// The page's number of them.
    pub id: u32,
    /// The file's name.
    pub name: String,
    /// The items.
    pub items: Vec<Item<'static>>,
}

/// What came of an eval set.
pub struct Outcome {
    /// The eval set.
    pub set: Rc<EvalSet>,
    /// Each bundle's score.
    pub scores: Vec<Score>,
    /// The scoreboard.
    pub board: Scoreboard,
    /// The verdict against the baseline, where there are items to pair.
    pub comparison: Option<Comparison>,
    /// The baseline's items that were paired.
    pub before: Option<Rc<BaselineItems>>,
    /// Why a baseline stands not beside it.
    pub mismatch: Option<Failure>,
}

/// How an evaluation is to be made.
pub struct Wish<'a, B: Backend> {
    /// The device; none for the CPU.
    pub backend: Option<&'a B>,
    /// Its name in the scoreboard.
    pub device: String,
    /// Bundles a step.
    pub step: usize,
    /// Compares with a baseline of another eval set; the scoreboard records it.
    pub allow_mismatch: bool,
    /// RFC 3339.
    pub timestamp: String,
}

#[derive(Default)]
struct State {
    next: u32,
    model: Option<Rc<Model>>,
    sets: Vec<Rc<EvalSet>>,
    baselines: Vec<Rc<Baseline>>,
    items: Vec<Rc<BaselineItems>>,
    outcomes: Vec<Rc<Outcome>>,
}

/// All of it.
#[derive(Default)]
pub struct Session(RefCell<State>);

impl Session {
    /// Takes a file: what it is, is seen by its content, wherever it was dropped.
    ///
    /// # Errors
    /// It can't be used.
    pub fn load(&self, name: &str, bytes: &[u8], slot: Slot) -> Result<Loaded, Failure> {
        let content = unpacked(name, bytes)?;
        let kind = kind(name, &content);
        check_kind(name, kind, slot).map_err(|failure| more_of(kind, name, &content, failure))?;
        match kind {
            Kind::Checkpoint | Kind::Safetensors => self.load_checkpoint(name, bytes, &content),
            Kind::Bundles => self.load_set(name, bytes, &content),
            Kind::Scoreboard => self.load_baseline(name, &content),
            _ => self.load_items(name, &content),
        }
    }

    fn load_checkpoint(&self, name: &str, bytes: &[u8], content: &[u8]) -> Result<Loaded, Failure> {
        let checkpoint = Checkpoint::from_bytes(content).map_err(|e| refused(name, &e))?;
        // Hashed as the command does it: what the file holds, unpacked.
        let hash = hex(&Sha256::digest(content));
        let mut state = self.0.borrow_mut();
        let model = Rc::new(Model { id: state.next, name: name.to_owned(), hash, bytes: bytes.len(), checkpoint });
        state.next += 1;
        state.outcomes.clear();
        state.model = Some(Rc::clone(&model));
        Ok(view::model(&model))
    }

    fn load_set(&self, name: &str, bytes: &[u8], content: &[u8]) -> Result<Loaded, Failure> {
        let set = read_bundles(&mut &*content, name).map_err(Failure::of_faults)?;
        let header = EvalHeader::of(&set, name, &Sha256::digest(bytes), SEED, VERSION);
        let mut state = self.0.borrow_mut();
        // The same file once more takes the place of the first.
        let known = state.sets.iter().position(|s| s.name == name || s.header.source_hash == header.source_hash);
        let id = known.map_or(state.next, |at| state.sets[at].id);
        let set = Rc::new(EvalSet { id, name: name.to_owned(), header, set });
        match known {
            Some(at) => state.sets[at] = Rc::clone(&set),
            None => {
                state.next += 1;
                state.sets.push(Rc::clone(&set));
            }
        }
        state.outcomes.retain(|outcome| outcome.set.id != id);
        Ok(view::eval_set(&set))
    }

    fn load_baseline(&self, name: &str, content: &[u8]) -> Result<Loaded, Failure> {
        let board: Scoreboard = serde_json::from_slice(content).map_err(|e| {
            let advice = "Drop the JSON file that `crucible eval --output` wrote, unchanged.";
            Failure::new("scoreboard", format!("{name} is no scoreboard"), format!("It can't be read: {e}."), advice)
        })?;
        let mut state = self.0.borrow_mut();
        state.baselines.retain(|known| known.name != name);
        let baseline = Rc::new(Baseline { id: state.next, name: name.to_owned(), board });
        state.next += 1;
        state.baselines.push(Rc::clone(&baseline));
        Ok(view::baseline(&baseline))
    }

    fn load_items(&self, name: &str, content: &[u8]) -> Result<Loaded, Failure> {
        let items = eval::read_items(&mut &*content, name).map_err(Failure::of_faults)?;
        let mut state = self.0.borrow_mut();
        state.items.retain(|known| known.name != name);
        let items = Rc::new(BaselineItems { id: state.next, name: name.to_owned(), items });
        state.next += 1;
        state.items.push(Rc::clone(&items));
        Ok(view::items(&items))
    }

    /// Lets go of a checkpoint, an eval set, a baseline or its items.
    pub fn forget(&self, id: u32) {
        let mut state = self.0.borrow_mut();
        if state.model.as_ref().is_some_and(|known| known.id == id) {
            state.model = None;
            state.outcomes.clear();
        }
        state.sets.retain(|known| known.id != id);
        state.baselines.retain(|known| known.id != id);
        state.items.retain(|known| known.id != id);
        state.outcomes.retain(|outcome| outcome.set.id != id);
    }

    /// Evaluates the model on an eval set; `go_on` hears after each step how many bundles are done. None when it said no.
    ///
    /// # Errors
    /// Nothing to evaluate, texts that can't be tokenised, a device that fails.
    pub async fn evaluate<B: Backend>(
        &self,
        set: u32,
        wish: Wish<'_, B>,
        go_on: impl AsyncFnMut(usize) -> bool,
    ) -> Result<Option<Evaluated>, Failure> {
        let (model, set) = self.chosen(set)?;
        let run = eval::evaluate_in_steps(&model.checkpoint, &set.set, wish.backend, wish.step, go_on).await;
        let Some((embeddings, scores)) = run.map_err(|e| Failure::of_evaluation(&e))? else { return Ok(None) };
        let conditions = model.checkpoint.conditions();
        let inputs = Inputs {
            eval_header: set.header.clone(),
            checkpoint: eval::Checkpoint { path: model.name.clone(), hash: model.hash.clone() },
            model_conditions: conditions.map_err(|e| refused(&model.name, &e))?,
            timestamp: wish.timestamp,
            device: wish.device,
        };
        let board = eval::scoreboard(&set.set, &embeddings, &scores, inputs);
        drop(embeddings);
        let mut outcome = Outcome { set, scores, board, comparison: None, before: None, mismatch: None };
        self.compare(&mut outcome, wish.allow_mismatch);
        let outcome = Rc::new(outcome);
        let mut state = self.0.borrow_mut();
        // The visitor may have dropped another checkpoint meanwhile: this is no result of it.
        if state.model.as_ref().is_some_and(|now| Rc::ptr_eq(now, &model)) {
            state.outcomes.retain(|known| known.set.id != outcome.set.id);
            state.outcomes.push(Rc::clone(&outcome));
        }
        Ok(Some(view::evaluated(&outcome)))
    }

    fn chosen(&self, set: u32) -> Result<(Rc<Model>, Rc<EvalSet>), Failure> {
        let state = self.0.borrow();
        let missing = |what: &str| {
            Failure::new(
                "missing",
                format!("There is no {what}"),
                "It has not been dropped yet.",
                format!("Drop {what}."),
            )
        };
        let model = state.model.clone().ok_or_else(|| missing("checkpoint"))?;
        let set = state.sets.iter().find(|known| known.id == set).cloned().ok_or_else(|| missing("eval set"))?;
        Ok((model, set))
    }

    /// Sets the baseline of the same eval set beside a result, if there is one.
    fn compare(&self, outcome: &mut Outcome, allow_mismatch: bool) {
        let Some((baseline, before)) = self.baseline_of(&outcome.set.header) else { return };
        let items = eval::items(&outcome.set.set, &outcome.scores);
        let pair = before.as_ref().map(|before| (items.as_slice(), before.items.as_slice()));
        match eval::compare_baseline(&outcome.board, &baseline.board, REGRESSION_THRESHOLD, allow_mismatch, pair) {
            Err(finding) => outcome.mismatch = Some(Failure::of_mismatch(&baseline.name, &finding)),
            Ok((comparison, overridden)) => {
                if let Some((now, before)) = pair {
                    let sides = ((&baseline.board, before), (&outcome.board, now));
                    match stats::compare(sides.0, sides.1, On::Tier3, &Settings::default(), allow_mismatch) {
                        Ok(comparison) => outcome.comparison = Some(comparison),
                        Err(finding) => outcome.mismatch = Some(Failure::of_mismatch(&baseline.name, &finding)),
                    }
                }
                drop(items);
                outcome.board.baseline = Some(comparison);
                outcome.board.overrides.extend(overridden);
                outcome.before = before;
            }
        }
    }

    /// The baseline of this eval set; of another one where there is no better. With its items, where they are here.
    fn baseline_of(&self, header: &EvalHeader) -> Option<(Rc<Baseline>, Option<Rc<BaselineItems>>)> {
        let state = self.0.borrow();
        let fits =
            |known: &&Rc<Baseline>| !matches!(match_headers(header, &known.board.eval_header), Match::Different { .. });
        let baseline = state.baselines.iter().rfind(fits).or(state.baselines.last())?;
        // `X.json` and `X_items.jsonl`; under other names they are known by their number and how many passed.
        let stem = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        let wanted = format!("{}_items", stem(&baseline.name));
        let alike = |known: &&Rc<BaselineItems>| {
            let passed = known.items.iter().filter(|item| item.passes()).count();
            (known.items.len(), passed) == (baseline.board.overall.n, baseline.board.overall.correct)
        };
        let mut items = state.items.iter().filter(alike);
        let first = items.clone().next();
        let items = items.find(|known| stem(&known.name) == wanted).or(first);
        Some((Rc::clone(baseline), items.cloned()))
    }

    /// The result of an eval set.
    ///
    /// # Errors
    /// It has none.
    pub fn outcome(&self, set: u32) -> Result<Rc<Outcome>, Failure> {
        let state = self.0.borrow();
        let found = state.outcomes.iter().find(|outcome| outcome.set.id == set).cloned();
        found.ok_or_else(|| {
            let what = "It was not evaluated, or its files were changed since.";
            Failure::new("missing", "There is no such result", what, "Evaluate again.")
        })
    }
}

impl Outcome {
    /// The scoreboard, as the command writes it.
    ///
    /// # Errors
    /// It has no JSON form.
    pub fn scoreboard_text(&self) -> Result<String, Failure> {
        crucible_core::json_text(&self.board)
            .map_err(|e| Failure::new("write", "The scoreboard can't be written", e.to_string(), "Please report this."))
    }

    /// The items, as the command writes them.
    ///
    /// # Errors
    /// They have no JSON form.
    pub fn items_text(&self) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        eval::write_items(&eval::items(&self.set.set, &self.scores), &mut out)
            .map_err(|e| Failure::new("write", "The items can't be written", e.to_string(), "Please report this."))?;
        Ok(out)
    }
}

/// A checkpoint that can't be read.
fn refused(name: &str, error: &EncoderError) -> Failure {
    let whole = "Is the file complete? Copy or download it again.";
    let own = "What is read here is what `crucible train` writes: checkpoint_final.safetensors.";
    let (code, title, advice) = match error {
        EncoderError::Container { .. } => ("damaged", format!("{name} is damaged or cut short"), whole),
        EncoderError::NoDocument => ("foreign", format!("{name} is no checkpoint of Crucible"), own),
        EncoderError::WrongType { .. } => {
            let advice = "Save the model with 32-bit floats (F32), as `crucible train` does.";
            ("wrong_type", format!("{name} holds numbers of another type"), advice)
        }
        EncoderError::NotFinite { .. } => {
            let advice = "The training that wrote it went wrong; use an earlier checkpoint.";
            ("not_finite", format!("{name} holds numbers that are none"), advice)
        }
        EncoderError::WrongShape { .. } | EncoderError::MissingTensor { .. } | EncoderError::UnknownTensor { .. } => {
            ("tensors", format!("{name} does not hold what it says"), own)
        }
        _ => ("unusable", format!("{name} can't be used"), own),
    };
    Failure::new(code, title, sentence(&error.to_string()), advice)
}

/// A file of events is no eval set, but whether it is sound can be said all the same.
fn more_of(kind: Kind, name: &str, content: &[u8], mut failure: Failure) -> Failure {
    if kind == Kind::Events {
        match read_events(&mut &*content, name) {
            Ok(events) => failure.what += &format!(" Its {} events have no faults.", events.len()),
            Err(faults) => {
                let faults = Failure::of_faults(faults);
                failure.what += " It has faults, too.";
                (failure.places, failure.more) = (faults.places, faults.more);
            }
        }
    }
    failure
}
