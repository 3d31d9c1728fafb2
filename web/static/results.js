// What came of an eval set: scoreboard, verdict, sanity, histograms, worst bundles, all bundles, downloads.

import { MARGIN, VERDICT_WORDS, between, count, fixed, groupWords, percent, plainly, plural, points, sentence, shownP } from "./text.js";
import { download, el } from "./dom.js";
import { histograms, interval } from "./marks.js";
import { itemTable } from "./items.js";
import { plainTable, withInterval } from "./table.js";

function part(title, ...children) {
  return el("div", { class: "part" }, el("h3", {}, title), ...children);
}

function scoreboard(board, file) {
  const { chance } = board.sanity;
  const groups = [["overall", board.overall, chance.overall.level]];
  for (const [tier, summary] of Object.entries(board.by_tier)) groups.push([tier, summary, chance.by_tier[tier]?.level]);
  for (const [pool, summary] of Object.entries(board.by_pool)) groups.push([pool, summary, null, "pool"]);
  const rows = groups.map(([name, of, level, kind]) => ({ name, of, level, kind }));
  const by = (name, title, digits) => ({
    name: title, number: true, value: (r) => r.of[name], show: (r) => withInterval(fixed(r.of[name], digits), between(r.of.by_group?.[name], digits)),
    parts: [{ name, value: (r) => r.of[name] }, { name: `${name}.low`, value: (r) => r.of.by_group?.[name]?.low ?? null }, { name: `${name}.high`, value: (r) => r.of.by_group?.[name]?.high ?? null }],
  });
  const resampled = board.overall.by_group?.groups;
  const note = `Brackets are 95 % intervals: of rates by Wilson's score${resampled ? `, of margins and ranks by resampling ${count(resampled)} documents or lemmas` : ""}.`;
  return plainTable("Scoreboard", [
    { name: "Bundles", file: "group", value: (r) => r.name, show: (r) => groupWords(r.name) },
    { name: "Number", number: true, value: (r) => r.of.n, show: (r) => count(r.of.n) },
    { name: "Pass rate", number: true, value: (r) => r.of.pass_rate, show: (r) => withInterval(percent(r.of.pass_rate), between(r.of.ci95, 1, 100)), parts: [{ name: "pass_rate", value: (r) => r.of.pass_rate }, { name: "pass_rate.low", value: (r) => r.of.ci95.low }, { name: "pass_rate.high", value: (r) => r.of.ci95.high }] },
    { name: "0 to 100 %", class: "chart-cell", value: (r) => r.of.pass_rate, show: (r) => interval(r.of, r.level), parts: [] },
    { name: "Guessing passes", number: true, value: (r) => r.level ?? null, show: (r) => percent(r.level) },
    by("mean_margin", "Mean margin", 4), by("median_margin", "Median margin", 4), by("mean_rank", "Mean rank", 2),
  ], rows, { file: `${file}_scoreboard`, rowClass: (r) => r.kind, note });
}

function sanity({ sanity: s, overrides }) {
  const facts = [
    ["ties", count(s.ties)],
    ["zero vectors", count(s.zero_vectors.texts)],
    ["similarities, 10th to 90th percentile", `${fixed(s.similarity.q10, 3)} to ${fixed(s.similarity.q90, 3)}`],
    ["mean cosine of texts at random", fixed(s.space.mean_cosine, 3)],
    ["effective rank", `${fixed(s.space.effective_rank, 1)} of ${s.space.dim}`],
  ];
  const warnings = [
    ...s.warnings.map(({ message }) => sentence(plainly(message))),
    ...overrides.map(({ id, message, acknowledged_by }) => `${id} was passed over by ${acknowledged_by}: ${message}`),
  ];
  return [el("dl", { class: "facts" }, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    warnings.length > 0 ? el("ul", { class: "warnings" }, warnings.map((text) => el("li", {}, text))) : null];
}

const STATES = { PASS: "good", FAIL: "bad", INCONCLUSIVE: "unsure" };
const verdictLine = (state, word, meaning) => el("p", { class: "verdict", "data-state": state }, el("strong", {}, word), el("span", {}, meaning));

function verdict(judged, file) {
  const headline = (judged.rows.find(({ name }) => name === judged.on) ?? judged.rows[0]).change;
  const { bounds } = headline;
  const said = `${sentence(groupWords(judged.on))}: from ${percent(headline.baseline)} to ${percent(headline.candidate)}, ${points(headline.change)} points; `
    + `one-sided ${percent(bounds.level, 0)} bounds ${between(bounds, 1, 100)}; margin ${fixed(100 * judged.delta, 1)} points. `
    + `${count(headline.lost)} lost, ${count(headline.gained)} gained.`;
  const table = plainTable("Changes against the baseline", [
    { name: "Bundles", file: "group", value: (r) => r.name, show: (r) => groupWords(r.name) },
    { name: "Number", number: true, value: (r) => r.change.n, show: (r) => count(r.change.n) },
    { name: "Before", number: true, value: (r) => r.change.baseline, show: (r) => percent(r.change.baseline) },
    { name: "Now", number: true, value: (r) => r.change.candidate, show: (r) => percent(r.change.candidate) },
    { name: "Change, points", number: true, value: (r) => r.change.change, show: (r) => withInterval(points(r.change.change), between(r.change.bounds, 1, 100)), parts: [{ name: "change", value: (r) => r.change.change }, { name: "low", value: (r) => r.change.bounds.low }, { name: "high", value: (r) => r.change.bounds.high }] },
    { name: "Lost", number: true, value: (r) => r.change.lost, show: (r) => count(r.change.lost) },
    { name: "Gained", number: true, value: (r) => r.change.gained, show: (r) => count(r.change.gained) },
    { name: "p (McNemar)", number: true, value: (r) => r.change.p_mcnemar, show: (r) => shownP(r.change.p_mcnemar) },
    { name: "Verdict", value: (r) => r.change.verdict, show: (r) => el("span", { class: `verdict-word ${r.change.verdict.toLowerCase()}` }, r.change.verdict) },
  ], judged.rows, { file: `${file}_changes`, note: `Brackets are one-sided ${percent(bounds.level, 0)} bounds.` });
  return el("div", { class: "part" }, verdictLine(STATES[judged.verdict], judged.verdict, VERDICT_WORDS[judged.verdict]), el("p", {}, said), table,
    judged.warnings.length > 0 ? el("ul", { class: "warnings" }, judged.warnings.map((text) => el("li", {}, sentence(plainly(text))))) : null);
}

/** Two pass rates, where there are no bundles to pair. */
function threshold(baseline, file) {
  const rows = [["overall", baseline.overall], ...Object.entries(baseline.by_tier)].filter(([, change]) => change).map(([name, of]) => ({ name, of }));
  const table = plainTable("Changes against the baseline", [
    { name: "Bundles", file: "group", value: (r) => r.name, show: (r) => groupWords(r.name) },
    { name: "Before", number: true, value: (r) => r.of.baseline, show: (r) => percent(r.of.baseline) },
    { name: "Now", number: true, value: (r) => r.of.current, show: (r) => percent(r.of.current) },
    { name: "Change, points", number: true, value: (r) => r.of.change, show: (r) => points(r.of.change) },
    { name: "Verdict", value: (r) => (r.of.regressed ? "fell" : "kept") },
  ], rows, { file: `${file}_changes` });
  return el("div", { class: "part" },
    verdictLine(baseline.passed ? "good" : "bad", baseline.passed ? "kept" : "fell", `No pass rate may fall by more than ${fixed(100 * baseline.regression_threshold, 1)} points.`),
    el("p", { class: "quiet" }, "This is no test: drop the baseline's file of single bundles, too (its name ends in _items.jsonl), for a verdict that knows what chance alone would do."), table);
}

function textOf(role, text) {
  const [before, word, after] = text.parts;
  const shown = el("q", { dir: "auto" }, before, word === "" ? null : el("mark", {}, word), after);
  const about = `${role}${text.source ? `, ${text.source}` : ""}: ${text.sense}`;
  return el("div", { class: text.winning ? "text winning" : "text" }, el("span", { class: "role" }, about), shown);
}

function killerList(killers) {
  return el("ol", { class: "killers" }, killers.map((killer) => el(
    "li",
    {},
    el("p", {}, el("strong", {}, killer.bundle_id), el("span", { class: "quiet" }, ` ${groupWords(killer.tier)}, margin ${fixed(killer.margin, 4)}, rank ${count(killer.rank)}${killer.zero_vector ? ", a zero vector" : ""}`)),
    textOf("anchor", killer.anchor),
    textOf("positive", killer.positive),
    killer.negative ? textOf("nearest negative", killer.negative) : null,
  )));
}

function textsBox({ bundle_id, anchor, positive, negatives }) {
  return el(
    "section",
    { "aria-label": `Texts of ${bundle_id}` },
    el("h4", {}, bundle_id),
    textOf("anchor", anchor),
    textOf("positive", positive),
    negatives.map((negative) => textOf(negative.winning ? "nearest negative" : "negative", negative)),
  );
}

/** Without the endings of data files. */
const stem = (name) => name.replace(/(\.(jsonl|ndjson|json|safetensors|gz|zst))+$/i, "");

/** `data`: the texts to hand out, made when asked for. */
function fileButton(title, name, type, data) {
  const give = async () => {
    const made = await data();
    if (made) download(name, type, made);
  };
  return el("button", { type: "button", onclick: give, "data-file": name }, title);
}

/** All of it. `ask` asks the worker about this eval set. */
function showResult({ id, set, checkpoint, evaluated, columns, mismatch, ask }) {
  const { board, histogram, killers, judged, seconds } = evaluated;
  const base = `${stem(checkpoint.name)}_${stem(set.name)}`;
  const against = judged ? verdict(judged, base) : board.baseline ? threshold(board.baseline, base) : null;
  const rate = Math.round(board.overall.n / Math.max(seconds, 1e-3));
  const textsOf = async (index) => {
    const texts = await ask("texts", { index });
    return texts && textsBox(texts);
  };
  const title = el("h2", { id: `${id}-title`, tabindex: -1 }, `${set.name}: `, el("span", { class: "headline" }, `${percent(board.overall.pass_rate)} pass`));
  const state = judged ? STATES[judged.verdict] : board.baseline ? (board.baseline.passed ? "good" : "bad") : undefined;
  return el(
    "section",
    { class: "result", id, "aria-labelledby": `${id}-title`, "data-state": state, "data-set": set.name },
    title,
    el("p", { class: "quiet" }, `${checkpoint.name} on ${board.device}, ${fixed(seconds, 2)} s (${plural(rate, "bundle")} a second). Fingerprint ${board.eval_header.fingerprint}.`),
    el(
      "p",
      { class: "files" },
      fileButton("Download the scoreboard", `${base}.json`, "application/json", () => ask("scoreboard")),
      fileButton("Download the single bundles", `${base}_items.jsonl`, "application/x-ndjson", () => ask("items")),
    ),
    mismatch ?? null,
    el("div", { class: "part" }, scoreboard(board, base)),
    against,
    part("How far to believe it", sanity(board)),
    part("Margins", el("p", { class: "quiet" }, `Margin: ${MARGIN}.`), el("div", { class: "histograms" }, histograms(histogram, base))),
    part("Worst bundles", el("p", { class: "quiet" }, "The lowest margins: bundles that the model fails, or nearly fails."), killerList(killers)),
    part("All bundles", itemTable(columns, textsOf)),
  );
}

export { showResult };
