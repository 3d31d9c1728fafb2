// What came of an eval set: scoreboard, verdict, sanity, histograms, worst killers, items, downloads.

import { histograms, interval } from "./chart.js";
import { count, element, number, percent, points } from "./dom.js";
import { itemTable } from "./table.js";

const cells = (...texts) => texts.map((text) => element("td", { class: "number" }, text));
const headRow = (...titles) => element("thead", {}, element("tr", {}, ...titles.map((title, i) => element("th", { scope: "col", class: i === 0 ? undefined : "number" }, title))));

/** A table that scrolls sideways where it is too wide. */
function wide(label, head, rows) {
  const table = element("table", { class: "numbers" }, head, element("tbody", {}, ...rows));
  return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": label }, table);
}

function part(title, ...children) {
  return element("div", { class: "part" }, element("h3", {}, title), ...children);
}

/** A number with its interval, from resampling whole documents or lemmas; where there is none, alone. */
function between(summary, name, digits) {
  const ci = summary.by_group?.[name];
  const range = ci && element("span", { class: "quiet range-text" }, ` ${number(ci.low, digits)} to ${number(ci.high, digits)}`);
  return element("td", { class: "number" }, number(summary[name], digits), range);
}

function scoreboard(board) {
  const { chance } = board.sanity;
  const row = (name, summary, level, className) => element(
    "tr",
    { class: className },
    element("th", { scope: "row" }, name),
    ...cells(count(summary.n), percent(summary.pass_rate)),
    element("td", { class: "chart" }, interval(summary, level)),
    ...cells(
      `${percent(summary.ci95.low)} to ${percent(summary.ci95.high)}`,
      percent(level),
    ),
    between(summary, "mean_margin", 4),
    between(summary, "median_margin", 4),
    between(summary, "mean_rank", 2),
  );
  const rows = [row("overall", board.overall, chance.overall.level)];
  for (const [tier, summary] of Object.entries(board.by_tier)) rows.push(row(tier, summary, chance.by_tier[tier]?.level));
  for (const [pool, summary] of Object.entries(board.by_pool)) rows.push(row(pool, summary, null, "pool"));
  const head = headRow("", "bundles", "passed", "0 to 100 %", "95 % interval", "chance", "mean margin", "median margin", "mean rank");
  const groups = board.overall.by_group?.groups;
  const note = groups && element("p", { class: "quiet small-text" }, `Intervals are at 95 %: of rates by Wilson's score, of margins and ranks by resampling ${count(groups)} documents or lemmas.`);
  return element("div", {}, wide("Scoreboard", head, rows), note);
}

function sanity({ sanity: s, overrides }) {
  const similarity = `${number(s.similarity.q10, 3)} to ${number(s.similarity.q90, 3)}`;
  const rank = `${number(s.space.effective_rank, 1)} of ${s.space.dim}`;
  const facts = [
    ["ties", count(s.ties)],
    ["zero vectors", count(s.zero_vectors.texts)],
    ["similarities, 10th to 90th percentile", similarity],
    ["mean cosine of texts at random", number(s.space.mean_cosine, 3)],
    ["effective rank", rank],
  ];
  const list = element("dl", { class: "facts" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  const warnings = [
    ...s.warnings.map(({ message }) => message),
    ...overrides.map(({ id, message, acknowledged_by }) => `${id} was passed over by ${acknowledged_by}: ${message}`),
  ];
  return [list, warnings.length > 0 ? element("ul", { class: "warnings" }, ...warnings.map((text) => element("li", {}, text))) : undefined];
}

const VERDICTS = {
  PASS: ["good", "The drop, if there is any, is smaller than the margin that was fixed."],
  FAIL: ["bad", "There is a drop, and it is beyond the margin that was fixed."],
  INCONCLUSIVE: ["unsure", "These bundles do not decide it."],
};

/** The paired test: with the baseline's items. */
function verdict(judged) {
  const [state, meaning] = VERDICTS[judged.verdict];
  const headline = (judged.rows.find(({ name }) => name === judged.on) ?? judged.rows[0]).change;
  const sentence = `${judged.on}: from ${percent(headline.baseline)} to ${percent(headline.candidate)}, ${points(headline.change)} points; `
    + `one-sided ${percent(headline.bounds.level, 0)} bounds ${points(headline.bounds.low)} and ${points(headline.bounds.high)}; margin ${(100 * judged.delta).toFixed(1)} points. `
    + `${count(headline.lost)} lost, ${count(headline.gained)} gained.`;
  const rows = judged.rows.map(({ name, change: c }) => element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    ...cells(count(c.n), percent(c.baseline), percent(c.candidate), points(c.change), `${points(c.bounds.low)} to ${points(c.bounds.high)}`, count(c.lost), count(c.gained), c.p_mcnemar < 0.0001 ? "< 0.0001" : c.p_mcnemar.toFixed(4), c.verdict),
  ));
  const head = headRow("", "bundles", "before", "now", "points", "bounds", "lost", "gained", "McNemar p", "verdict");
  return part(
    "Against the baseline",
    element("p", { class: "verdict", "data-state": state }, element("strong", {}, judged.verdict), element("span", {}, meaning)),
    element("p", {}, sentence),
    wide("Changes against the baseline", head, rows),
    judged.warnings.length > 0 ? element("ul", { class: "warnings" }, ...judged.warnings.map((text) => element("li", {}, text))) : undefined,
  );
}

/** Two pass rates, where there are no items to pair. */
function threshold(baseline) {
  const changes = [["overall", baseline.overall], ...Object.entries(baseline.by_tier)].filter(([, change]) => change);
  const rows = changes.map(([name, c]) => element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    ...cells(percent(c.baseline), percent(c.current), points(c.change), c.regressed ? "regressed" : ""),
  ));
  const limit = (100 * baseline.regression_threshold).toFixed(1);
  return part(
    "Against the baseline",
    element("p", { class: "verdict", "data-state": baseline.passed ? "good" : "bad" }, element("strong", {}, baseline.passed ? "kept" : "fell"), element("span", {}, `No pass rate may fall by more than ${limit} points.`)),
    element("p", { class: "quiet" }, "This is no test: drop the baseline's items file too (its name ends in _items.jsonl) for a verdict that knows what chance alone would do."),
    wide("Changes against the baseline", headRow("", "before", "now", "points", ""), rows),
  );
}

function textOf(role, text) {
  const [before, word, after] = text.parts;
  const shown = element("q", {}, before, word === "" ? undefined : element("mark", {}, word), after);
  const about = `${role}${text.source ? `, ${text.source}` : ""}: ${text.sense}`;
  return element("div", { class: text.winning ? "text winning" : "text" }, element("span", { class: "role" }, about), shown);
}

function killerList(killers) {
  return element("ol", { class: "killers" }, ...killers.map((killer) => element(
    "li",
    {},
    element("p", {}, element("strong", {}, killer.bundle_id), element("span", { class: "quiet" }, ` ${killer.tier}, margin ${number(killer.margin, 4)}, rank ${count(killer.rank)}${killer.zero_vector ? ", a zero vector" : ""}`)),
    textOf("anchor", killer.anchor),
    textOf("positive", killer.positive),
    killer.negative ? textOf("nearest negative", killer.negative) : undefined,
  )));
}

function textsBox({ bundle_id, anchor, positive, negatives }) {
  return element(
    "section",
    { "aria-label": `Texts of ${bundle_id}` },
    element("h4", {}, bundle_id),
    textOf("anchor", anchor),
    textOf("positive", positive),
    ...negatives.map((negative) => textOf(negative.winning ? "nearest negative" : "negative", negative)),
  );
}

/** Without the endings of data files. */
const stem = (name) => name.replace(/(\.(jsonl|ndjson|json|safetensors|gz|zst))+$/i, "");

/** `data`: the texts to hand out, made when asked for. */
function download(title, name, type, data) {
  const give = async () => {
    const bytes = await data();
    if (!bytes) return;
    const address = URL.createObjectURL(new Blob([bytes], { type }));
    element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  };
  return element("button", { type: "button", onclick: give, "data-file": name }, title);
}

/** All of it. `ask` asks the worker. */
function showResult({ set, checkpoint, evaluated, columns, mismatch, ask }) {
  const { board, histogram, killers, judged, seconds } = evaluated;
  const id = `result-${set.id}`;
  const base = `${stem(checkpoint.name)}_${stem(set.name)}`;
  const against = judged ? verdict(judged) : board.baseline ? threshold(board.baseline) : undefined;
  const rate = Math.round(board.overall.n / Math.max(seconds, 1e-3));
  const textsOf = async (index) => {
    const texts = await ask("texts", { set: set.id, index });
    return texts && textsBox(texts);
  };
  const title = element("h2", { id: `${id}-title` }, `${set.name}: `, element("span", { class: "headline" }, `${percent(board.overall.pass_rate)} passed`));
  const state = judged ? VERDICTS[judged.verdict][0] : board.baseline ? (board.baseline.passed ? "good" : "bad") : undefined;
  return element(
    "section",
    { class: "result", id, "aria-labelledby": `${id}-title`, "data-state": state, "data-set": set.name },
    title,
    element("p", { class: "quiet" }, `${checkpoint.name} on ${board.device}, ${seconds.toFixed(2)} s (${count(rate)} bundles a second). Fingerprint ${board.eval_header.fingerprint}.`),
    element(
      "p",
      { class: "downloads" },
      download("Download the scoreboard", `${base}.json`, "application/json", () => ask("scoreboard", { set: set.id })),
      download("Download the items", `${base}_items.jsonl`, "application/x-ndjson", () => ask("items", { set: set.id })),
    ),
    mismatch ?? undefined,
    part("Scoreboard", scoreboard(board)),
    against,
    part("How far to believe it", ...sanity(board)),
    part("Margins", element("p", { class: "quiet" }, "Similarity of the positive less that of the nearest negative, in cosine units. Above 0 a bundle passes."), histograms(histogram)),
    part("Worst killers", element("p", { class: "quiet" }, "The lowest margins: bundles that the model fails, or nearly fails."), killerList(killers)),
    part("Items", itemTable(columns, textsOf)),
  );
}

export { showResult };
