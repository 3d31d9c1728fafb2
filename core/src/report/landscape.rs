//! Conditions on all axes at once: intervals over runs and groups of items, and what any two axes say together.

use super::document::{Difference, Landscape, Measure, Plane, PlanePoint, Point, Range, Statistic, Subset};
use super::measures::Prepared;
use crate::estimate::{BCA_BY_GROUP, Interval, LEVEL, bca, replicates, wilson};
use crate::eval::{Scoreboard, Summary};
use crate::parallel;
use crate::rng::Stream;
use crate::sweep::{Spread, ellipse_of, frontier_of, interval_of, knee_of};

/// How much is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LandscapeSettings {
    /// Resamples of each bootstrap.
    pub resamples: usize,
    /// Their seed.
    pub seed: u64,
}

impl Default for LandscapeSettings {
    fn default() -> Self {
        Self { resamples: 1000, seed: 42 }
    }
}

/// A run that is compared: its items by subset, for every eval that it was scored on.
pub(super) struct Compared {
    /// Number of the run.
    pub(super) run: usize,
    /// By measure; none where it was not scored on that eval.
    pub(super) prepared: Vec<Option<std::sync::Arc<Prepared>>>,
}

/// One run's values on the measures, each with an interval: Wilson's for pass rates, BCa over groups for the rest, as the
/// scoreboard has it where it does.
pub(super) fn ranges(
    measures: &[(&Measure, std::sync::Arc<Prepared>)],
    board: &Scoreboard,
    settings: &LandscapeSettings,
) -> Vec<Option<Range>> {
    let range = |(measure, of): &(&Measure, std::sync::Arc<Prepared>)| {
        let groups = of.groups();
        let (passed, n) = of.counts();
        if n == 0 {
            return None;
        }
        let times = |drawn: &[usize]| {
            let mut times = vec![0.0; groups.last().map_or(0, |g| g + 1)];
            drawn.iter().for_each(|g| times[groups[*g]] += 1.0);
            times
        };
        let all: Vec<usize> = (0..groups.len()).collect();
        let value = of.value(measure.statistic, &times(&all));
        if measure.statistic == Statistic::PassRate {
            return Some(Range { value, interval: wilson(passed, n) });
        }
        if let Some(interval) = summary(board, measure.subset).and_then(|s| written(s, measure.statistic)) {
            return Some(Range { value, interval: Some(interval) });
        }
        let drawn = |drawn: &[u32]| {
            let drawn: Vec<usize> = drawn.iter().map(|g| *g as usize).collect();
            of.value(measure.statistic, &times(&drawn))
        };
        let resamples = replicates(groups.len(), settings.resamples, settings.seed, "report run", drawn);
        let left_out: Vec<f64> = (0..groups.len())
            .map(|out| {
                let mut times = times(&all);
                times[groups[out]] = 0.0;
                of.value(measure.statistic, &times)
            })
            .collect();
        let interval = bca(value, resamples, &left_out).map(|b| Interval {
            low: b.bound(0.025),
            high: b.bound(0.975),
            level: LEVEL,
            method: BCA_BY_GROUP.to_owned(),
        });
        Some(Range { value, interval })
    };
    measures.iter().map(range).collect()
}

fn summary(board: &Scoreboard, subset: Subset) -> Option<&Summary> {
    match subset {
        Subset::All => Some(&board.overall),
        Subset::Tier(tier) => board.by_tier.get(&tier),
        Subset::Pool(pool) => board.by_pool.get(&pool),
    }
}

fn written(summary: &Summary, statistic: Statistic) -> Option<Interval> {
    let of = summary.by_group.as_ref()?;
    let interval = match statistic {
        Statistic::PassRate => return summary.ci95.clone(),
        Statistic::MeanMargin => &of.mean_margin,
        Statistic::Q10Margin => &of.q10_margin,
        Statistic::MedianMargin => &of.median_margin,
        Statistic::Q90Margin => &of.q90_margin,
        Statistic::MeanRank => &of.mean_rank,
    };
    Some(interval.clone())
}

/// `[condition][measure]`, NaN where there is none.
type Values = Vec<Vec<f64>>;

/// Compares the conditions' runs; `groups` is each eval's number of groups. None without a measure.
pub(super) fn landscape(
    measures: &[Measure],
    groups: &[usize],
    conditions: &[Vec<Compared>],
    baseline: Option<usize>,
    settings: &LandscapeSettings,
) -> Option<Landscape> {
    // A condition without runs to compare has no values.
    let runs = conditions.iter().map(Vec::len).filter(|n| *n > 0).min().filter(|_| !measures.is_empty())?;
    let ones: Vec<Vec<f64>> = groups.iter().map(|g| vec![1.0; *g]).collect();
    // Runs whose value is asked for, in how many of the drawn ones each is.
    let values = |drawn: &[usize], times: &[Vec<f64>]| -> Values {
        let mut wanted = vec![0.0; runs];
        drawn.iter().for_each(|r| wanted[*r] += 1.0);
        let value = |compared: &[Compared], m: usize| {
            if compared.is_empty() {
                return f64::NAN;
            }
            let mut sum = 0.0;
            for (of, wanted) in compared.iter().zip(&wanted).filter(|(_, wanted)| **wanted > 0.0) {
                let Some(prepared) = &of.prepared[m] else { return f64::NAN };
                sum += wanted * prepared.value(measures[m].statistic, &times[measures[m].eval]);
            }
            sum / drawn.len() as f64
        };
        conditions.iter().map(|of| (0..measures.len()).map(|m| value(&of[..runs.min(of.len())], m)).collect()).collect()
    };
    let all: Vec<usize> = (0..runs).collect();
    let means = values(&all, &ones);
    let resamples: Vec<Values> = parallel::map(settings.resamples.max(1), |number| {
        let mut stream = Stream::new(settings.seed, "report", number as u64);
        let drawn: Vec<usize> = all.iter().map(|_| stream.below(runs)).collect();
        let times: Vec<Vec<f64>> = groups
            .iter()
            .map(|count| {
                let mut times = vec![0.0; *count];
                (0..*count).for_each(|_| times[stream.below(*count)] += 1.0);
                times
            })
            .collect();
        values(&drawn, &times)
    });
    let by_run: Vec<Values> = all.iter().map(|r| values(&[*r], &ones)).collect();
    let interval = |of: &dyn Fn(&Values) -> f64| {
        let finite: Vec<f64> = resamples.iter().map(of).filter(|x| x.is_finite()).collect();
        (!finite.is_empty()).then(|| interval_of(finite.into_iter()))
    };
    let point = |c: usize, m: usize| {
        let spread = Spread::of(&by_run.iter().map(|v| v[c][m]).collect::<Vec<_>>())?;
        let mean = means[c][m];
        mean.is_finite().then(|| Point { mean, std: spread.std, interval: interval(&|v| v[c][m]) })
    };
    let difference = |c: usize, m: usize| {
        let baseline = baseline.filter(|b| *b != c)?;
        let of = |v: &Values| v[c][m] - v[baseline][m];
        let mean = of(&means);
        mean.is_finite().then(|| Difference { mean, interval: interval(&of) })
    };
    let table = |of: &dyn Fn(usize, usize) -> Option<Point>| -> Vec<Vec<Option<Point>>> {
        (0..conditions.len()).map(|c| (0..measures.len()).map(|m| of(c, m)).collect()).collect()
    };
    let pairs: Vec<(usize, usize)> =
        (0..measures.len()).flat_map(|x| (x + 1..measures.len()).map(move |y| (x, y))).collect();
    Some(Landscape {
        seeds: Vec::new(),
        runs: conditions.iter().map(|of| of.iter().take(runs).map(|r| r.run).collect()).collect(),
        resamples: settings.resamples.max(1),
        points: table(&point),
        differences: (0..conditions.len()).map(|c| (0..measures.len()).map(|m| difference(c, m)).collect()).collect(),
        planes: parallel::map(pairs.len(), |at| plane(pairs[at], measures, &means, &resamples, baseline)),
        warnings: Vec::new(),
    })
}

/// What two axes say together. An axis on which less is better is turned round for it.
fn plane(
    (x, y): (usize, usize),
    measures: &[Measure],
    means: &Values,
    resamples: &[Values],
    baseline: Option<usize>,
) -> Plane {
    let sign = [x, y].map(|m| if measures[m].higher_is_better { 1.0 } else { -1.0 });
    let there: Vec<usize> = (0..means.len()).filter(|c| [x, y].iter().all(|m| means[*c][*m].is_finite())).collect();
    let turned =
        |v: &Values| -> Vec<[f64; 2]> { there.iter().map(|c| [sign[0] * v[*c][x], sign[1] * v[*c][y]]).collect() };
    let points = turned(means);
    let on = frontier_of(&points);
    let clouds: Vec<Vec<[f64; 2]>> =
        resamples.iter().map(turned).filter(|c| c.iter().flatten().all(|v| v.is_finite())).collect();
    let on_again: Vec<Vec<bool>> = clouds.iter().map(|c| frontier_of(c)).collect();
    let share = |count: usize| count as f64 / clouds.len().max(1) as f64;
    // Not the turned cloud: the page draws it as it is.
    let cloud = |of: &dyn Fn(&Vec<[f64; 2]>) -> [f64; 2]| {
        let cloud: Vec<[f64; 2]> = clouds.iter().map(of).map(|p| [sign[0] * p[0], sign[1] * p[1]]).collect();
        ellipse_of(&cloud, LEVEL)
    };
    let base = there.iter().position(|c| Some(*c) == baseline);
    let of = |at: usize| PlanePoint {
        condition: there[at],
        on_frontier: on[at],
        p_on_frontier: share(on_again.iter().filter(|on| on[at]).count()),
        p_beats_baseline: base
            .filter(|b| *b != at)
            .map(|b| share(clouds.iter().filter(|c| (0..2).all(|axis| c[at][axis] > c[b][axis])).count())),
        ellipse: (clouds.len() > 2).then(|| cloud(&|c| c[at])),
        change: base
            .filter(|b| *b != at && clouds.len() > 2)
            .map(|b| cloud(&|c| [c[at][0] - c[b][0], c[at][1] - c[b][1]])),
    };
    let mut ends: Vec<usize> = (0..there.len()).filter(|at| on[*at]).collect();
    ends.sort_by(|a, b| points[*b][0].total_cmp(&points[*a][0]));
    Plane {
        x,
        y,
        points: (0..there.len()).map(of).collect(),
        frontier: ends.into_iter().map(|at| there[at]).collect(),
        knee: knee_of(&points).map(|at| there[at]),
    }
}
