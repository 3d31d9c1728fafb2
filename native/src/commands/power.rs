//! `crucible power`: how many items or seeds it takes to see a change.

use super::eval::share;
use crate::context::Context;
use crate::error::{CliError, CliResult};
use crate::exit::Exit;
use crate::scoreboards;
use crucible_core::stats::{Pairs, Settings, change, power::Question};
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The drop that matters, as a share of bundles
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = share)]
    pub delta: f64,
    /// The change that is really there, such as -0.01
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, allow_negative_numbers = true)]
    pub change: f64,
    /// The chance to get PASS
    #[arg(long, value_name = "SHARE", default_value_t = 0.8, value_parser = share)]
    pub power: f64,
    /// Share of bundles that flip between two models
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "scoreboards")]
    pub discordance: Option<f64>,
    /// How much more bundles of a group vary together than independent ones
    #[arg(long, value_name = "X", default_value_t = 1.0, conflicts_with = "scoreboards")]
    pub design_effect: f64,
    /// Two scoreboards with items, to measure discordance and design effect on
    #[arg(long, value_name = "FILE", num_args = 2)]
    pub scoreboards: Option<Vec<PathBuf>>,
    /// Standard deviation of the pass rate's change between seeds, as a share
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub seed_spread: Option<f64>,
}

/// The answer.
#[derive(Debug, Serialize)]
struct Answer {
    delta: f64,
    change: f64,
    level: f64,
    power: f64,
    discordance: Option<f64>,
    design_effect: f64,
    seed_spread: Option<f64>,
    items: Option<u64>,
    seeds: Option<u64>,
}

/// Answers.
///
/// # Errors
/// A question without the figures that it needs, and scoreboards that can't be read.
pub fn run(args: &Args, ctx: &Context) -> CliResult<Exit> {
    let question = Question { delta: args.delta, change: args.change, level: 0.95, power: args.power };
    if !(args.change > -args.delta && args.change <= 1.0 && args.power > 0.0 && args.power < 1.0) {
        let message = format!("a change of {} can't pass a margin of {}", args.change, args.delta);
        return Err(CliError::usage(message).advise("--change above -delta, --power between 0 and 1"));
    }
    if !(args.design_effect > 0.0 && args.design_effect.is_finite()) {
        return Err(CliError::usage(format!("--design-effect {}: expected a number above 0", args.design_effect)));
    }
    let (mut discordance, mut design_effect) = (args.discordance, args.design_effect);
    if let Some([before, after]) = args.scoreboards.as_deref() {
        let items = |path: &PathBuf| scoreboards::read_items(&scoreboards::items_found(path));
        let pairs = Pairs::of(&items(before)?, &items(after)?).pairs;
        let measured = change(&pairs.iter().collect::<Vec<_>>(), &Settings::default())
            .ok_or_else(|| CliError::new(Exit::Data, "no bundle is in both items files"))?;
        discordance = Some((measured.lost + measured.gained) as f64 / measured.n as f64);
        design_effect = measured.design_effect.unwrap_or(1.0);
    }
    if discordance.is_none() && args.seed_spread.is_none() {
        let advice = "give --scoreboards A.json B.json or --discordance for items, --seed-spread for seeds";
        return Err(CliError::usage("nothing is known of how results vary").advise(advice));
    }
    let answer = Answer {
        delta: args.delta,
        change: args.change,
        level: question.level,
        power: args.power,
        discordance,
        design_effect,
        seed_spread: args.seed_spread,
        items: discordance.and_then(|d| question.items(d, design_effect)),
        seeds: args.seed_spread.and_then(|s| question.seeds(s)),
    };
    ctx.print(&answer, &text(&answer))?;
    Ok(Exit::Success)
}

fn text(answer: &Answer) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut text = format!(
        "To get PASS with a chance of {} when the real change is {:+.1} points and {:.1} are allowed:\n",
        percent(answer.power),
        100.0 * answer.change,
        100.0 * answer.delta
    );
    let number = |n: Option<u64>| n.map_or_else(|| "no number is enough".to_owned(), |n| n.to_string());
    if let Some(discordance) = answer.discordance {
        let (items, effect) = (number(answer.items), answer.design_effect);
        let _ = writeln!(text, "  bundles: {items} ({} flip, design effect {effect:.2})", percent(discordance));
    }
    if let Some(spread) = answer.seed_spread {
        let seeds = number(answer.seeds);
        let _ = writeln!(text, "  seeds a side: {seeds} (spread of the change between seeds {})", percent(spread));
    }
    text
}
