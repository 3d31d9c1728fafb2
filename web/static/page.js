// The evaluator's page: takes files, starts evaluations, shows what comes back.

import { byId, bytes, count, element, percent } from "./dom.js";
import engine from "./engine.js";
import { Evaluator } from "./evaluator.js";
import { showResult } from "./results.js";

/** The worker; a new one where the last has stopped. */
let evaluator;
let running = false;
/** What was taken, by kind. */
let taken = { checkpoint: [], eval_set: [], baseline: [] };

const slotOf = (loaded) => (loaded.kind === "baseline_items" ? "baseline" : loaded.kind);

// What did not work ------------------------------------------------------------------------------------------------

/** A failure as it is shown: what, where, what to do. */
function failureBox(failure, ...more) {
  const box = element("section", { class: "failure", "data-state": "bad", "data-code": failure.code });
  box.append(element("h3", {}, failure.title), element("p", {}, failure.what));
  if (failure.where.length > 0) {
    const rows = failure.where.map(({ line, field, message }) => {
      const text = element("td", {}, field ? element("code", {}, field) : undefined, field ? ": " : undefined, message);
      return element("tr", {}, element("th", { scope: "row", class: "line" }, line === null ? "file" : `line ${count(line)}`), text);
    });
    box.append(element("table", {}, element("tbody", {}, ...rows)));
    if (failure.more > 0) box.append(element("p", { class: "quiet" }, `… and ${count(failure.more)} more`));
  }
  box.append(element("p", { class: "advice" }, failure.advice), ...more);
  return box;
}

function showFailure(failure) {
  const known = { code: "page", title: "The page has a fault", what: String(failure?.message ?? failure), where: [], more: 0 };
  const whole = failure?.title ? failure : { ...known, advice: "Reload the page; if it stays, please report it." };
  const close = element("button", { type: "button", class: "small", onclick: () => box.remove() }, "Dismiss");
  const box = failureBox(whole, close);
  byId("failures").append(box);
}

// Files ------------------------------------------------------------------------------------------------------------

function describe(loaded) {
  switch (loaded.kind) {
    case "checkpoint":
      return `${bytes(loaded.bytes)}, ${loaded.dim} dimensions, ${loaded.vocabulary ? `${count(loaded.vocabulary)} pieces` : "on ready vectors"}, step ${count(loaded.step)}, seed ${loaded.seed}`;
    case "eval_set": {
      const tiers = loaded.tiers.filter((tier) => tier.count > 0).map(({ name, count: n }) => `${name} ${count(n)}`);
      return `${count(loaded.bundles)} bundles over ${count(loaded.events)} distinct events: ${tiers.join(", ")}`;
    }
    case "baseline":
      return `scoreboard of ${loaded.checkpoint} on ${loaded.eval_path}: ${percent(loaded.pass_rate)} passed`;
    default:
      return `${count(loaded.items)} items`;
  }
}

function showTaken() {
  for (const [slot, list] of Object.entries(taken)) {
    const entries = list.map((loaded) => {
      const label = `Remove ${loaded.name}`;
      const remove = loaded.id === undefined ? undefined : element("button", { type: "button", class: "small", "aria-label": label, title: "Remove", onclick: () => forget(slot, loaded) }, "×");
      const text = element("div", {}, element("strong", {}, loaded.name), element("p", { class: "quiet" }, describe(loaded)));
      return element("li", { title: loaded.hash ? `SHA-256 ${loaded.hash}` : loaded.fingerprint }, text, remove);
    });
    byId(`${slot}-loaded`).replaceChildren(...entries);
    document.querySelector(`[data-slot="${slot}"]`).classList.toggle("filled", list.length > 0);
  }
  showReady();
}

function showReady() {
  const missing = [];
  if (taken.checkpoint.length === 0) missing.push("a checkpoint");
  if (taken.eval_set.length === 0) missing.push("an eval set");
  const ready = evaluator !== undefined && missing.length === 0 && !running;
  byId("evaluate").disabled = !ready;
  const text = missing.length > 0 ? `Still needed: ${missing.join(" and ")}.` : "";
  byId("ready").textContent = running || evaluator === undefined ? byId("ready").textContent : text;
  if (!running && evaluator !== undefined) byId("ready").dataset.state = missing.length > 0 ? "waiting" : "ready";
}

async function forget(slot, loaded) {
  taken[slot] = taken[slot].filter((known) => known !== loaded);
  document.getElementById(`result-${loaded.id}`)?.remove();
  showTaken();
  await evaluator.ask("forget", { item: loaded.id }).catch(failed);
}

function take(loaded) {
  const slot = slotOf(loaded);
  const others = taken[slot].filter((known) => known.id !== loaded.id && known.name !== loaded.name);
  taken[slot] = slot === "checkpoint" ? [loaded] : [...others, loaded];
  // Results are of the files that they were made of.
  if (slot === "checkpoint") byId("results").replaceChildren();
  if (slot === "eval_set") document.getElementById(`result-${loaded.id}`)?.remove();
}

async function load(files, slot) {
  if (running || evaluator === undefined) return;
  byId("failures").replaceChildren();
  byId("ready").dataset.state = "reading";
  for (const file of files) {
    byId("ready").textContent = `Reading ${file.name}…`;
    try {
      take(await evaluator.ask("load", { file, slot }));
    } catch (failure) {
      await failed(failure);
    }
  }
  showTaken();
}

/** Shows it; and where the worker has stopped, starts another, which knows none of the files. */
async function failed(failure) {
  showFailure(failure);
  if (!evaluator?.broken) return;
  evaluator = undefined;
  taken = { checkpoint: [], eval_set: [], baseline: [] };
  byId("results").replaceChildren();
  evaluator = await Evaluator.start(engine);
  await evaluator.ask("self_check");
  showTaken();
}

function acceptFiles() {
  for (const slot of Object.keys(taken)) {
    byId(slot).addEventListener("change", async (event) => {
      await load([...event.target.files], slot);
      // So that the same file can be chosen again.
      event.target.value = "";
    });
  }
  const over = (event) => event.target.closest?.("[data-slot]") ?? byId("files");
  const mark = (marked) => {
    for (const old of document.querySelectorAll(".over")) old.classList.remove("over");
    marked?.classList.add("over");
  };
  // Over the whole page: a file that misses a field must not make the browser leave it.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(over(event));
  });
  addEventListener("dragleave", () => mark());
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark();
    load([...event.dataTransfer.files], over(event).dataset.slot ?? "any");
  });
}

// Evaluations ------------------------------------------------------------------------------------------------------

function showProgress(set, done, start) {
  const seconds = (performance.now() - start) / 1000;
  const rate = done > 0 && seconds > 0 ? `, ${count(Math.round(done / seconds))} a second` : "";
  byId("bar").value = done / set.bundles;
  const text = `${set.name}: ${count(done)} of ${count(set.bundles)} bundles${rate}`;
  // What comes then takes no steps.
  byId("progress-text").textContent = done < set.bundles ? text : `${text}; computing intervals…`;
}

/** Evaluates one eval set and shows what came of it; false when it was cancelled. */
async function evaluateOne(set, allow_mismatch) {
  const start = performance.now();
  const gpu = document.querySelector('input[name="device"]:checked').value === "gpu";
  showProgress(set, 0, start);
  const onprogress = ({ done }) => showProgress(set, done, start);
  const evaluated = await evaluator.ask("evaluate", { set: set.id, gpu, allow_mismatch }, onprogress);
  if (evaluated === null) return false;
  const columns = await evaluator.ask("columns", { set: set.id });
  const again = () => evaluateAll([set], true);
  const mismatch = evaluated.mismatch && failureBox(evaluated.mismatch, element("button", { type: "button", onclick: again }, "Compare all the same"));
  const shown = showResult({ set, checkpoint: taken.checkpoint[0], evaluated, columns, mismatch, ask });
  document.getElementById(`result-${set.id}`)?.remove();
  byId("results").append(shown);
  return true;
}

/** What a result asks for later. */
const ask = (request, fields) => evaluator.ask(request, fields).catch(async (failure) => {
  await failed(failure);
  return undefined;
});

async function evaluateAll(sets, allow_mismatch) {
  if (running) return;
  running = true;
  byId("failures").replaceChildren();
  byId("evaluate").disabled = true;
  byId("cancel").hidden = byId("progress").hidden = false;
  for (const input of document.querySelectorAll('input[type="file"], .loaded button')) input.disabled = true;
  Object.assign(byId("ready"), { textContent: "Evaluating…" }).dataset.state = "running";
  let outcome = "done";
  try {
    for (const set of sets) {
      if (!(await evaluateOne(set, allow_mismatch))) {
        outcome = "cancelled";
        break;
      }
    }
  } catch (failure) {
    outcome = "failed";
    await failed(failure);
  }
  running = false;
  byId("cancel").hidden = byId("progress").hidden = true;
  for (const input of document.querySelectorAll('input[type="file"], .loaded button')) input.disabled = false;
  showReady();
  byId("ready").dataset.state = outcome;
  const texts = { done: "Evaluated; the results are below.", cancelled: "Cancelled; nothing was kept of it.", failed: "" };
  byId("ready").textContent = texts[outcome];
}

// The GPU ----------------------------------------------------------------------------------------------------------

async function checkArithmetic() {
  const outcome = await evaluator.ask("self_check");
  const far = (x) => {
    if (x === null) return "a value was no number";
    return x === 0 ? "to the last bit" : `largest difference ${x.toExponential(1)}`;
  };
  const [state, text] = {
    agrees: () => ["good", `GPU and CPU agree (${far(outcome.largest)}). GPU: ${outcome.device}.`],
    differs: () => ["bad", `The GPU computes wrongly here (${far(outcome.largest)}); it will not be used. GPU: ${outcome.device}.`],
    no_gpu: () => ["none", "This browser offers no WebGPU device; the CPU does the work."],
    failed: () => ["bad", `The GPU failed and will not be used: ${outcome.message}`],
  }[outcome.state]();
  byId("self-check-text").textContent = text;
  byId("self-check").dataset.state = state;
  const gpu = document.querySelector('input[value="gpu"]');
  gpu.disabled = state !== "good";
  gpu.checked = state === "good";
}

try {
  evaluator = await Evaluator.start(engine);
  byId("version").textContent = `Crucible ${evaluator.version}`;
  byId("evaluate").addEventListener("click", () => evaluateAll(taken.eval_set, false));
  byId("cancel").addEventListener("click", () => evaluator.ask("cancel"));
  acceptFiles();
  await checkArithmetic();
  showTaken();
} catch (error) {
  byId("self-check-text").textContent = `The page could not start: ${error?.what ?? error?.message ?? error}`;
  byId("self-check").dataset.state = "bad";
}
