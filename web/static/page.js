// The page: hands files to the core, shows what comes back. All text goes in as text, never as markup: it may come from
// a stranger's file.

import engine from "./engine.js";
import { Evaluator } from "./evaluator.js";

// A file is read whole into memory, twice; a browser's module has 4 GiB at most.
const MAX_BYTES = 512 * 1024 * 1024;

let evaluator;

const byId = (id) => document.getElementById(id);

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(rows) {
  const made = element("table");
  for (const cells of rows) {
    const row = element("tr");
    row.append(...cells);
    made.append(row);
  }
  return made;
}

const countTable = (counts) =>
  table(counts.map(({ name, count }) => [element("th", name), element("td", count.toLocaleString("en"), "number")]));

function show(state, ...children) {
  const result = byId("result");
  result.replaceChildren(...children);
  result.dataset.state = state;
  result.hidden = false;
}

function showBundles(name, counts) {
  const bundles = counts.bundles.toLocaleString("en");
  const events = counts.events.toLocaleString("en");
  const parts = [element("h2", name), element("p", `${bundles} bundles over ${events} distinct events, no faults.`)];
  parts.push(element("h3", "Bundles per tier"), countTable(counts.tiers));
  if (counts.pools.some((pool) => pool.count > 0)) {
    parts.push(element("h3", "Tier 3 per pool"), countTable(counts.pools));
  }
  show("good", ...parts);
}

function showEvents(name, counts) {
  const rows = Object.entries(counts).map(([key, count]) => ({ name: key, count }));
  show("good", element("h2", name), element("p", "A file of events, no faults."), countTable(rows));
}

function showRefusal({ source, faults, more }) {
  const total = faults.length + more;
  const rows = faults.map(({ line, field, message }) => {
    const text = element("td");
    if (field && field !== ".") text.append(element("code", field), ": ");
    text.append(message);
    return [element("td", line === null ? "file" : `line ${line}`, "line"), text];
  });
  const parts = [element("h2", source), element("p", `${total} ${total === 1 ? "fault" : "faults"}; nothing was used.`)];
  parts.push(table(rows));
  if (more > 0) parts.push(element("p", `… and ${more} more`));
  show("bad", ...parts);
}

// Events name themselves on their first line; everything else is read as bundles, whose faults then say what is missing.
async function looksLikeEvents(file) {
  const [first] = (await file.slice(0, 65536).text()).split("\n");
  try {
    const value = JSON.parse(first);
    return typeof value === "object" && value !== null && "event_id" in value && !("anchor" in value);
  } catch {
    return false;
  }
}

async function check(file) {
  show("reading", element("p", `Reading ${file.name}…`));
  try {
    if (file.size > MAX_BYTES) throw new Error(`${file.name} is larger than ${MAX_BYTES >> 20} MiB; use the command line`);
    if (await looksLikeEvents(file)) showEvents(file.name, await evaluator.ask("check_events", { file }));
    else showBundles(file.name, await evaluator.ask("check_bundles", { file }));
  } catch (error) {
    if (Array.isArray(error?.faults)) showRefusal(error);
    else show("bad", element("h2", file.name), element("p", String(error?.message ?? error)));
  }
}

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
}

function acceptFiles() {
  const drop = byId("drop");
  byId("file").addEventListener("change", (event) => {
    if (event.target.files.length > 0) check(event.target.files[0]);
  });
  // Over the whole page: a file that misses the field must not make the browser leave it.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length > 0) check(event.dataTransfer.files[0]);
  });
}

try {
  evaluator = await Evaluator.start(engine);
  byId("version").textContent = `Crucible ${evaluator.version}`;
  acceptFiles();
  await checkArithmetic();
} catch (error) {
  byId("self-check-text").textContent = `The page could not start: ${error?.message ?? error}`;
  byId("self-check").dataset.state = "bad";
}
