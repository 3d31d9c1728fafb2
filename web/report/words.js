// What things are called on the page, and what a term means.

const TIER_WORDS = { tier1_easy: "tier 1 (easy)", tier2_robust: "tier 2 (robust)", tier3_adversarial: "tier 3 (adversarial)", none: "no tier" };
const STATISTIC_WORDS = {
  pass_rate: "pass rate", mean_margin: "mean margin", q10_margin: "10 % quantile of the margin", median_margin: "median margin",
  q90_margin: "90 % quantile of the margin", mean_rank: "mean rank of the positive",
};
const TRUTH_WORDS = { frozen: "frozen eval: known hard cases", organic: "organic holdout: new hard cases" };
const LEVEL_WORDS = { OK: "healthy", WARNING: "worth reading", CRITICAL: "stops a run unless acknowledged", SEVERE: "stops a run", ERROR: "stops: no meaningful result" };
const STATUS_WORDS = { healthy: "healthy (50 and more)", warning: "low (under 50)", critical: "critical (under 30)", severe: "severe (under 10)" };

const subsetKey = (subset) => (typeof subset === "string" ? subset : subset.tier ?? subset.pool);
const subsetWords = (subset) => {
  if (subset === "all") return "all bundles";
  return subset.tier ? TIER_WORDS[subset.tier] : `pool ${subset.pool}`;
};
const evalWords = (e) => TRUTH_WORDS[report.evals[e].truth] ?? report.evals[e].name;
const measureWords = (m) => {
  const { subset, statistic } = report.measures[m];
  return `${STATISTIC_WORDS[statistic]}, ${subsetWords(subset)}`;
};
const axisWords = (m) => {
  const measure = report.measures[m];
  const unit = { pass_rate: "%", mean_rank: "rank, lower is better" }[measure.statistic] ?? "cosine units";
  return `${report.evals[measure.eval].name}: ${measureWords(m)} (${unit})`;
};

const shortAxis = (m) => `${report.evals[report.measures[m].eval].name}: ${measureWords(m)}`;
const measureOptions = () => report.measures.map((m, i) => ({ value: m.key, label: shortAxis(i), group: evalWords(m.eval) }));

// A value of a measure as text.
const shown = (m, x) => {
  const statistic = report.measures[m].statistic;
  if (statistic === "pass_rate") return percent(x);
  return fixed(x, statistic === "mean_rank" ? 2 : 3);
};
const shownInterval = (m, interval) => {
  if (!interval) return "";
  const scale = report.measures[m].statistic === "pass_rate" ? 100 : 1;
  const digits = scale === 100 ? 1 : report.measures[m].statistic === "mean_rank" ? 2 : 3;
  return `[${fixed(scale * interval.low, digits)}, ${fixed(scale * interval.high, digits)}]`;
};
const shownDifference = (m, difference) => {
  if (!difference) return "–";
  const rate = report.measures[m].statistic === "pass_rate";
  const digits = rate ? 1 : report.measures[m].statistic === "mean_rank" ? 2 : 3;
  return `${signed((rate ? 100 : 1) * difference.mean, digits)} ${shownInterval(m, difference.interval)}`;
};
const levelOf = (interval) => (interval ? `${Math.round(100 * interval.level)} %` : "95 %");
const shownP = (p) => (p < 0.001 ? "< 0.001" : fixed(p, 3));

// A term with what it means, for whoever stops at it.
const term = (word, meaning) => el("abbr", { title: meaning, tabindex: 0 }, word);
const MEANINGS = {
  knee: "where the frontier bends most: beyond it, a little more of one axis costs much of the other",
  frontier: "conditions that no other condition beats on both axes",
  ellipse: "where the condition's mean may lie: 95 % of a normal cloud like that of the resamples",
  margin: "similarity of anchor and positive, less that of the nearest negative; a bundle passes above 0",
  floor: "flips between two runs of the baseline that differ in their seed alone",
  persistent: "bundles that passed under the baseline and fail under this condition in more than half of the seeds",
};
