// What the page says of files and of what did not work.

import { bytes, count, groupWords, percent, plural } from "./text.js";
import { byId, el } from "./dom.js";

const KINDS = { checkpoint: "a checkpoint", eval_set: "an eval set", baseline: "a scoreboard", baseline_items: "a scoreboard's single bundles" };
const SLOTS = { checkpoint: "Checkpoint", eval_set: "Eval sets", baseline: "Baseline" };

/** A file in a few words. */
function describe(loaded) {
  switch (loaded.kind) {
    case "checkpoint":
      return `${bytes(loaded.bytes)}, ${loaded.dim} dimensions, ${loaded.vocabulary ? `${count(loaded.vocabulary)} pieces` : "on ready vectors"}, step ${count(loaded.step)}, seed ${loaded.seed}`;
    case "eval_set": {
      const tiers = loaded.tiers.filter((tier) => tier.count > 0).map(({ name, count: n }) => `${groupWords(name)} ${count(n)}`);
      return `${plural(loaded.bundles, "bundle")} over ${plural(loaded.events, "distinct event")}: ${tiers.join(", ")}`;
    }
    case "baseline":
      return `scoreboard of ${loaded.checkpoint} on ${loaded.eval_path}: ${percent(loaded.pass_rate)} pass`;
    default:
      return plural(loaded.items, "single bundle");
  }
}

/** A failure as it is shown: what, where, what to do. */
function failureBox(failure, ...more) {
  const box = el("section", { class: "failure", "data-state": "bad", "data-code": failure.code });
  box.append(el("h3", {}, failure.title), el("p", {}, failure.what));
  if (failure.where.length > 0) {
    const rows = failure.where.map(({ line, field, message }) => {
      const text = el("td", {}, field ? el("code", {}, field) : null, field ? ": " : null, message);
      return el("tr", {}, el("th", { scope: "row", class: "line" }, line === null ? "file" : `line ${count(line)}`), text);
    });
    box.append(el("table", {}, el("tbody", {}, rows)));
    if (failure.more > 0) box.append(el("p", { class: "quiet" }, `… and ${count(failure.more)} more`));
  }
  box.append(el("p", { class: "advice" }, failure.advice), ...more);
  return box;
}

/** Where the keyboard goes when what it was on is gone: the first of these that is there and can take it. */
function focusOn(...wanted) {
  for (const one of wanted) {
    if (!one || one === document.body || one.disabled || one.hidden) continue;
    one.focus({ preventScroll: true });
    if (document.activeElement === one) return;
  }
}

function showFailure(failure) {
  const known = { code: "page", title: "The page has a fault", what: String(failure?.message ?? failure), where: [], more: 0 };
  const whole = failure?.title ? failure : { ...known, advice: "Reload the page; if it stays, please report it." };
  const dismiss = () => {
    const next = box.nextElementSibling ?? box.previousElementSibling;
    box.remove();
    focusOn(next?.querySelector("button"), byId("evaluate"), byId("checkpoint"));
  };
  const box = failureBox(whole, el("button", { type: "button", class: "small", "aria-label": `Dismiss: ${whole.title}`, onclick: dismiss }, "Dismiss"));
  byId("failures").append(box);
}

/** One more thing to know about the files that were taken. */
const note = (text) => byId("notes").append(el("p", {}, text));

/** What was taken of a folder. */
function folderWords({ name, files, left, runs }) {
  if (runs > 1) return `${name} holds ${count(runs)} runs: drop the folder of one.`;
  if (files.length === 0) return `${name} holds no file that the page reads.`;
  return `${name}: ${files.length === 1 ? files[0].name : plural(files.length, "file")} of ${plural(files.length + left, "file")}.`;
}

const isForeign = ({ names }) => names.includes("config.json") && !names.some((name) => /^checkpoint.*\.safetensors$/i.test(name))
  && names.some((name) => /^(model\.safetensors|pytorch_model\.bin|modules\.json|tokenizer\.json)$/.test(name));

/** What stands in for a model folder of another library, which the page can't read. */
const foreignFolder = (folder) => ({
  code: "folder", title: `${folder.name} is a model folder of another library`,
  what: "The page reads checkpoints that `crucible train` wrote.", where: [], more: 0,
  advice: `\`crucible eval --checkpoint ${folder.name} --eval-set FILE\` reads such folders. Drop the scoreboard that it writes as a baseline.`,
});

function showSelfCheck(state, text) {
  byId("self-check-text").textContent = text;
  byId("self-check").dataset.state = state;
}

/** What the comparison of the GPU's arithmetic with the CPU's showed: a state and a sentence. */
function selfCheckWords(outcome) {
  const far = (x) => {
    if (x === null) return "a value was no number";
    return x === 0 ? "to the last bit" : `largest difference ${x.toExponential(1).replace("-", "\u2212")}`;
  };
  return {
    agrees: () => ["good", `GPU and CPU agree (${far(outcome.largest)}). GPU: ${outcome.device}.`],
    differs: () => ["bad", `The GPU computes wrongly here (${far(outcome.largest)}); it will not be used. GPU: ${outcome.device}.`],
    no_gpu: () => ["none", "This browser offers no WebGPU device; the CPU does the work."],
    failed: () => ["bad", `The GPU failed and will not be used: ${outcome.message}`],
  }[outcome.state]();
}

/** How far an evaluation is. */
function showProgress(set, done, start) {
  const seconds = (performance.now() - start) / 1000;
  const rate = done > 0 && seconds > 0 ? `, ${count(Math.round(done / seconds))} a second` : "";
  byId("bar").value = done / set.bundles;
  const text = `${set.name}: ${count(done)} of ${plural(set.bundles, "bundle")}${rate}`;
  // What comes then takes no steps.
  byId("progress-text").textContent = done < set.bundles ? text : `${text}; computing intervals…`;
}

export { KINDS, SLOTS, describe, failureBox, focusOn, folderWords, foreignFolder, isForeign, note, selfCheckWords, showFailure, showProgress, showSelfCheck };
