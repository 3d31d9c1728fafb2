// The evaluator's page: takes files, starts evaluations, shows what comes back.

import { KINDS, SLOTS, describe, failureBox, focusOn, folderWords, foreignFolder, isForeign, note, selfCheckWords, showFailure, showProgress, showSelfCheck } from "./shown.js";
import { byId, el } from "./dom.js";
import { listed } from "./text.js";
import { Evaluator } from "./evaluator.js";
import { acceptDrops } from "./files.js";
import engine from "./engine.js";
import { showResult } from "./results.js";

/** The worker; a new one where the last has stopped. */
let evaluator;
/** Settled when the first is there, or can't be. */
let starting = Promise.resolve();
/** What is done now: nothing, `reading` or `evaluating`. */
let busy = "";
let cancelled = false;
/** What was taken, by slot: {key, file, loaded}. The key is the page's own: a new worker numbers files anew. */
let taken = { checkpoint: [], eval_set: [], baseline: [] };
let keys = 0;

const slotOf = (loaded) => (loaded.kind === "baseline_items" ? "baseline" : loaded.kind);

// What the page shows of itself ------------------------------------------------------------------------------------

function showTaken() {
  for (const [slot, list] of Object.entries(taken)) {
    const entries = list.map((entry) => {
      const { loaded } = entry;
      const remove = el("button", { type: "button", class: "small", "aria-label": `Remove ${loaded.name}`, title: "Remove", disabled: busy !== "", onclick: () => forget(slot, entry) }, "×");
      const text = el("div", {}, el("strong", {}, loaded.name), el("p", { class: "quiet" }, describe(loaded)));
      return el("li", { title: loaded.hash ? `SHA-256 ${loaded.hash}` : loaded.fingerprint }, text, remove);
    });
    byId(`${slot}-loaded`).replaceChildren(...entries);
    document.querySelector(`[data-slot="${slot}"]`).classList.toggle("filled", list.length > 0);
  }
}

const missing = () => [["checkpoint", "a checkpoint"], ["eval_set", "an eval set"]].filter(([slot]) => taken[slot].length === 0).map(([, words]) => words);

function showReady() {
  const lacking = missing();
  byId("evaluate").disabled = evaluator === undefined || lacking.length > 0 || busy !== "";
  if (busy !== "" || evaluator === undefined) return;
  byId("ready").textContent = lacking.length > 0 ? `Still needed: ${lacking.join(" and ")}.` : "";
  byId("ready").dataset.state = lacking.length > 0 ? "waiting" : "ready";
}

/** Begins something that can be cancelled; what ends it again. The keyboard stays with the page meanwhile. */
function begin(what, state, text) {
  const before = document.activeElement;
  busy = what;
  cancelled = false;
  byId("failures").replaceChildren();
  Object.assign(byId("ready"), { textContent: text }).dataset.state = state;
  byId("cancel").hidden = false;
  byId("cancel").disabled = false;
  for (const input of document.querySelectorAll('input[type="file"], .loaded button')) input.disabled = true;
  showReady();
  if (before?.disabled) focusOn(byId("cancel"));
  return () => {
    const held = document.activeElement === byId("cancel") || document.activeElement === document.body;
    busy = "";
    byId("cancel").hidden = byId("progress").hidden = true;
    for (const input of document.querySelectorAll('input[type="file"]')) input.disabled = false;
    showTaken();
    showReady();
    if (held && before !== document.body) focusOn(before?.isConnected ? before : null, byId("evaluate"), byId("checkpoint"));
  };
}

// Files ------------------------------------------------------------------------------------------------------------

async function forget(slot, entry) {
  const at = taken[slot].indexOf(entry);
  taken[slot] = taken[slot].filter((known) => known !== entry);
  if (slot === "checkpoint") byId("results").replaceChildren();
  byId(`result-${entry.key}`)?.remove();
  byId("notes").replaceChildren();
  showTaken();
  showReady();
  const left = byId(`${slot}-loaded`).querySelectorAll("button");
  focusOn(left[Math.min(at, left.length - 1)], byId(slot));
  await evaluator.ask("forget", { item: entry.loaded.id }).catch(failed);
}

/** Keeps a file that the worker has read, and says what it takes the place of. */
function take(file, loaded, hint) {
  const slot = slotOf(loaded);
  const same = ({ loaded: known }) => slot === "checkpoint" || known.id === loaded.id || (known.name === loaded.name && known.kind === loaded.kind);
  const [replaced] = taken[slot].filter(same);
  const entry = { key: replaced?.key ?? keys++, file, loaded };
  taken[slot] = [...taken[slot].filter((known) => !same(known)), entry];
  if (replaced) note(`${loaded.name} replaces ${replaced.loaded.name === loaded.name ? "the file of that name" : replaced.loaded.name}.`);
  if (hint !== "any" && hint !== slot) note(`${loaded.name} is ${KINDS[loaded.kind]}: it was put under ${SLOTS[slot]}.`);
  // Results are of the files that they were made of.
  if (slot === "checkpoint") byId("results").replaceChildren();
  else byId(`result-${entry.key}`)?.remove();
}

/** Reads files; `found` are those of folders, of which some may be of no use here. */
async function load(files, hint, found = []) {
  await starting;
  if (evaluator === undefined || files.length + found.length === 0) return;
  if (busy !== "") {
    note(`${busy === "reading" ? "Other files are being read" : "An evaluation is running"}: wait for it or cancel it, then give ${listed([...files, ...found].slice(0, 5).map(({ name }) => name))} again.`);
    return;
  }
  byId("notes").replaceChildren();
  const end = begin("reading", "reading", "Reading…");
  const useless = [];
  for (const file of [...files, ...found]) {
    if (cancelled) break;
    byId("ready").textContent = `Reading ${file.name}…`;
    try {
      const loaded = await evaluator.ask("load", { file, slot: hint });
      if (loaded !== null) take(file, loaded, hint);
    } catch (failure) {
      if (failure?.code === "stopped") break;
      // Of a folder's files nobody said that they belong here.
      if (found.includes(file) && ["wrong_kind", "faults", "empty"].includes(failure?.code)) useless.push(file.name);
      else await failed(failure);
    }
  }
  if (useless.length > 0) note(`Left out, as they are no bundles and no scoreboards: ${listed(useless)}. Drop one by itself to see what is wrong with it.`);
  await restored;
  end();
  if (cancelled) Object.assign(byId("ready"), { textContent: "Cancelled; what had been read before is kept." }).dataset.state = "cancelled";
}

/** Files and folders that were dropped somewhere on the page. */
async function dropped({ files, folders, error }, target) {
  if (error) showFailure(error);
  const hint = target.closest?.("[data-slot]")?.dataset.slot ?? "any";
  const found = folders.flatMap((folder) => folder.files);
  const foreign = folders.filter(isForeign);
  const wanted = found.filter((file) => !foreign.some((folder) => folder.files.includes(file)));
  await load(files, hint, wanted);
  for (const folder of foreign) showFailure(foreignFolder(folder));
  for (const folder of folders.filter((one) => !foreign.includes(one))) note(folderWords(folder));
}

/** Shows it; and where the worker has stopped, starts another, which knows none of the files. */
async function failed(failure) {
  showFailure(failure);
  if (!evaluator?.broken) return;
  evaluator = undefined;
  taken = { checkpoint: [], eval_set: [], baseline: [] };
  byId("results").replaceChildren();
  evaluator = await Evaluator.start(engine);
  checkArithmetic();
}

function acceptFiles() {
  for (const slot of Object.keys(taken)) {
    byId(slot).addEventListener("change", async (event) => {
      const files = [...event.target.files];
      // So that the same file can be chosen again.
      event.target.value = "";
      await load(files, slot);
    });
  }
  acceptDrops(dropped, (target) => {
    for (const old of document.querySelectorAll(".over")) old.classList.remove("over");
    if (target) (target.closest?.("[data-slot]") ?? byId("files")).classList.add("over");
    document.body.classList.toggle("receiving", target !== null);
  });
}

// Cancelling -------------------------------------------------------------------------------------------------------

/** Settled when a new worker has the files of the one that was ended. */
let restored = Promise.resolve();

/** In any phase. A worker that is in the middle of something does not hear: it is ended, and another gets the files. */
async function cancel() {
  if (busy === "") return;
  cancelled = true;
  byId("cancel").disabled = true;
  byId("ready").textContent = "Cancelling…";
  const old = evaluator;
  // One that hears may still be in the middle of a long step.
  if (await old.cancel()) for (let i = 0; i < 20 && busy !== ""; i += 1) await new Promise((resolve) => { setTimeout(resolve, 100); });
  if (busy === "" || evaluator !== old) return;
  restored = (async () => {
    old.stop();
    evaluator = await Evaluator.start(engine);
    for (const entry of Object.values(taken).flat()) entry.loaded = (await evaluator.ask("load", { file: entry.file, slot: "any" })) ?? entry.loaded;
    checkArithmetic();
  })().catch(failed).catch(showFailure);
  await restored;
}

// Evaluations ------------------------------------------------------------------------------------------------------

/** Evaluates one eval set and shows what came of it; false when it was cancelled. */
async function evaluateOne(entry, allow_mismatch) {
  const start = performance.now();
  const set = entry.loaded;
  const gpu = document.querySelector('input[name="device"]:checked').value === "gpu";
  showProgress(set, 0, start);
  const onprogress = ({ done }) => { if (!cancelled) showProgress(set, done, start); };
  const evaluated = await evaluator.ask("evaluate", { set: set.id, gpu, allow_mismatch }, onprogress);
  if (evaluated === null || cancelled) return false;
  const columns = await evaluator.ask("columns", { set: set.id });
  const again = () => evaluateAll([entry], true);
  const mismatch = evaluated.mismatch && failureBox(evaluated.mismatch, el("button", { type: "button", onclick: again }, "Compare all the same"));
  const ask = (request, fields) => asked(request, { set: entry.loaded.id, ...fields });
  const id = `result-${entry.key}`;
  const shown = showResult({ id, set, checkpoint: taken.checkpoint[0].loaded, evaluated, columns, mismatch, ask });
  byId(id)?.remove();
  byId("results").append(shown);
  return true;
}

/** What a result asks for later. */
const asked = (request, fields) => evaluator.ask(request, fields).catch(async (failure) => {
  await failed(failure);
  showTaken();
  showReady();
  return undefined;
});

async function evaluateAll(sets, allow_mismatch) {
  if (busy !== "") return;
  byId("notes").replaceChildren();
  const end = begin("evaluating", "running", "Evaluating…");
  byId("progress").hidden = false;
  let outcome = "done";
  try {
    for (const set of sets) {
      if (cancelled || !(await evaluateOne(set, allow_mismatch))) {
        outcome = "cancelled";
        break;
      }
    }
  } catch (failure) {
    outcome = failure?.code === "stopped" ? "cancelled" : "failed";
    if (outcome === "failed") await failed(failure);
  }
  await restored;
  end();
  byId("ready").dataset.state = outcome;
  const texts = { done: "Evaluated; the results are below.", cancelled: "Cancelled; nothing was kept of it.", failed: "" };
  byId("ready").textContent = texts[outcome];
}

// The GPU ----------------------------------------------------------------------------------------------------------

/** Compares the GPU's arithmetic with the CPU's. Files don't wait for it; a GPU in software is offered, but not chosen. */
async function checkArithmetic() {
  const gpu = document.querySelector('input[value="gpu"]');
  gpu.disabled = true;
  document.querySelector('input[value="cpu"]').checked = true;
  const own = evaluator;
  try {
    const { state: kind, name } = await own.ask("adapter");
    const soft = kind === "software";
    if (soft) showSelfCheck("running", `This browser's GPU is a software one (${name}): the CPU is faster, and is chosen. Comparing their arithmetic…`);
    const [state, text] = selfCheckWords(await own.ask("self_check"));
    // Another worker may have taken its place meanwhile.
    if (own !== evaluator) return;
    showSelfCheck(state, soft && state === "good" ? `${text} It is a software GPU: the CPU is faster, and is chosen.` : text);
    gpu.disabled = state !== "good";
    gpu.checked = state === "good" && !soft && busy === "";
  } catch (failure) {
    if (own === evaluator) showSelfCheck("bad", `The GPU was not compared with the CPU, and is not used: ${failure?.what ?? failure}`);
  }
}

try {
  const first = Evaluator.start(engine).then((made) => { evaluator = made; });
  starting = first.catch(() => {});
  acceptFiles();
  await first;
  byId("version").textContent = `Crucible ${evaluator.version}`;
  byId("evaluate").addEventListener("click", () => evaluateAll(taken.eval_set, false));
  byId("cancel").addEventListener("click", cancel);
  showReady();
  await checkArithmetic();
} catch (error) {
  showSelfCheck("bad", `The page could not start: ${error?.what ?? error?.message ?? error}`);
}
