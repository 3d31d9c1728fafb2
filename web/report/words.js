// What things are called in a report, and what a term means.

const STATISTIC_WORDS = {
  pass_rate: "pass rate", mean_margin: "mean margin", q10_margin: "10 % quantile of the margin", median_margin: "median margin",
  q90_margin: "90 % quantile of the margin", mean_rank: "mean rank of the positive",
};
const TRUTH_WORDS = { frozen: "frozen eval: known hard cases", organic: "organic holdout: new hard cases" };
const LEVEL_WORDS = { OK: "healthy", WARNING: "worth reading", CRITICAL: "stops a run unless acknowledged", SEVERE: "stops a run", ERROR: "stops: no meaningful result" };
const STATUS_WORDS = { healthy: "healthy (50 and more)", warning: "low (under 50)", critical: "critical (under 30)", severe: "severe (under 10)" };

const subsetKey = (subset) => (typeof subset === "string" ? subset : subset.tier ?? subset.pool);
const subsetWords = (subset) => groupWords(subsetKey(subset));
const evalWords = (e) => TRUTH_WORDS[report.evals[e].truth] ?? report.evals[e].name;
const measureWords = (m) => {
  const { subset, statistic } = report.measures[m];
  return `${STATISTIC_WORDS[statistic]}, ${subsetWords(subset)}`;
};
const unitWords = (m) => ({ pass_rate: "%", mean_rank: "rank, lower is better" }[report.measures[m].statistic] ?? "cosine units");
const shortAxis = (m) => `${report.evals[report.measures[m].eval].name}: ${measureWords(m)}`;
const axisWords = (m) => `${shortAxis(m)} (${unitWords(m)})`;
const measureOptions = () => report.measures.map((m, i) => ({ value: m.key, label: shortAxis(i), group: evalWords(m.eval) }));

// A value of a measure as text.
const isRate = (m) => report.measures[m].statistic === "pass_rate";
const digitsOf = (m) => ({ pass_rate: 1, mean_rank: 2 }[report.measures[m].statistic] ?? 3);
const shown = (m, x) => (isRate(m) ? percent(x) : fixed(x, digitsOf(m)));
const shownInterval = (m, interval) => between(interval, digitsOf(m), isRate(m) ? 100 : 1);
const shownDifference = (m, difference) => (difference ? `${signed((isRate(m) ? 100 : 1) * difference.mean, digitsOf(m))} ${shownInterval(m, difference.interval)}` : "–");
const levelOf = (interval) => (interval ? `${Math.round(100 * interval.level)} %` : "95 %");
const tickFor = (m) => (isRate(m) ? percentTick : (x) => short(x));
// The same in a table, with the interval below.
const cellOf = (m, of, value = "mean") => (of ? withInterval(shown(m, of[value]), shownInterval(m, of.interval)) : "–");
const differenceCell = (m, of) => (of ? withInterval(signed((isRate(m) ? 100 : 1) * of.mean, digitsOf(m)), shownInterval(m, of.interval)) : "–");

const named = (condition) => el("span", { class: "named" }, swatch(condition), report.conditions[condition].name);
const legend = (conditions) => el("ul", { class: "legend" }, conditions.map((c) => el("li", {}, named(c))));

// Conditions with the same values on all of these measures, run by run: groups of two and more.
function equalConditions(measures) {
  const groups = new Map();
  report.conditions.forEach((_, c) => {
    const values = runsOf(c).map(({ run }) => measures.map((m) => valueOf(boardOn(run, report.measures[m].eval), m)?.value ?? null));
    if (values.length === 0 || values.flat().includes(null)) return;
    const key = JSON.stringify(values);
    groups.set(key, [...(groups.get(key) ?? []), c]);
  });
  return [...groups.values()].filter((group) => group.length > 1);
}
const equalWords = (groups, where) => groups.map((group) => {
  // Conditions that differ in the share of an empty pool alone are the same training.
  const vacant = poolsWithout(group);
  return el("p", { class: "note" },
    `${listed(group.map((c) => report.conditions[c].name))} are equal ${where}, run by run: one mark stands for ${group.length === 2 ? "both" : "all"}, and P(on frontier) is one number that they share.`,
    vacant.length ? ` Without a bundle in them: ${vacant.length > 1 ? "pools" : "pool"} ${listed(vacant)}. A share of an empty pool changes nothing.` : null);
});
// Pools that are empty in all of these conditions, as far as that is known.
function poolsWithout(conditions) {
  const pools = conditions.map((c) => runsOf(c).find(({ run }) => run.exposures)?.run.exposures.expected.pools ?? []);
  return pools[0].filter(({ pool, size }) => size === 0 && pools.every((of) => of.some((p) => p.pool === pool && p.size === 0))).map(({ pool }) => pool);
}

// A term with what it means, for whoever stops at it.
const term = (word, meaning) => el("abbr", { title: meaning, tabindex: 0 }, word);
const MEANINGS = {
  knee: "where the frontier bends most: beyond it, a little more of one axis costs much of the other",
  frontier: "conditions that no other condition beats on both axes",
  ellipse: "where the condition's mean may lie: 95 % of a normal cloud like that of the resamples",
  margin: MARGIN,
  floor: "flips between two runs of the baseline that differ in their seed alone",
  persistent: "bundles that passed under the baseline and fail under this condition in more than half of the seeds",
};

const empty = (reason, advice) =>
  el("section", { class: "empty" }, el("h2", {}, "Nothing to show here"), el("p", {}, reason), advice ? el("p", { class: "quiet" }, "To change that: ", advice) : null);
