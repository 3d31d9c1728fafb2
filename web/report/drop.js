// A checkpoint of the reader's own, evaluated in this page on the report's bundles: its point on the chart.

const dropped = [];
const drop = { evaluator: null, gpu: false, arithmetic: "", busy: false, status: "", failure: null, files: [] };
const engineThere = () => byId("engine") !== null && typeof Evaluator !== "undefined" && withItems().length > 0;

// The bundles of an eval as a file, from the texts in the report; null where not all of them are here, whole.
function evalFile(e) {
  const of = report.evals[e];
  const { texts } = of;
  if (!texts || texts.cut > 0 || texts.items < of.ids.length) return null;
  const groups = column(of.group);
  const [tiers, pools] = [column(of.tier), column(of.pool)];
  // A group is known of anchors; an event says the same wherever it stands.
  const groupOf = new Map();
  const anchors = column(texts.anchor);
  for (let i = 0; i < of.ids.length; i++) groupOf.set(anchors[i], of.groups[groups[i]]);
  const field = of.group_kind === "doc" ? "doc" : "lemma";
  const [starts, ends] = [column(texts.span_start), column(texts.span_end)];
  const event = (n) => ({
    event_id: texts.ids[n], sense: texts.senses[n], text: texts.texts[n],
    ...(starts[n] ? { span: [starts[n] - 1, ends[n]] } : {}), ...(groupOf.has(n) ? { [field]: groupOf.get(n) } : {}),
  });
  const source = { organic: { source: "tier3_organic_miner" }, expanded: { expansion: "tier3x" } };
  const lines = of.ids.map((id, i) => JSON.stringify({
    bundle_id: id, anchor: event(anchors[i]), positive: event(column(texts.positive)[i]),
    negatives: negativesOf(texts, i).map((n) => ({ ...event(n), source: "cross_lemma" })),
    metadata: { ...(tiers[i] ? { tier: TIERS[tiers[i]] } : {}), ...source[POOLS[pools[i]]] },
  }));
  return new File([`${lines.join("\n")}\n`], `${of.name}.jsonl`);
}

const saidBy = (failure) => failure?.what ?? failure?.message ?? String(failure);

async function started() {
  if (drop.evaluator && !drop.evaluator.broken) return drop.evaluator;
  say("Starting the evaluator…");
  drop.evaluator = await Evaluator.start(JSON.parse(byId("engine").textContent));
  const { state: kind } = await drop.evaluator.ask("adapter");
  // A GPU in software is slower than the CPU: it is not even compared.
  if (kind === "software") {
    drop.gpu = false;
    drop.arithmetic = "on the CPU: this browser's GPU is a software one";
    return drop.evaluator;
  }
  say("Comparing the GPU's arithmetic with the CPU's…");
  const check = await drop.evaluator.ask("self_check");
  drop.gpu = check.state === "agrees";
  drop.arithmetic = { agrees: "on the GPU, which agrees with the CPU", differs: "on the CPU: the GPU computes wrongly here", no_gpu: "on the CPU: this browser offers no GPU", failed: "on the CPU: the GPU failed" }[check.state];
  return drop.evaluator;
}

function say(text, failure = null) {
  drop.status = text;
  drop.failure = failure;
  const line = byId("drop-status");
  if (!line) return;
  line.replaceChildren(failure ? el("strong", {}, `${failure.title ?? "That did not work"}: `) : "", text, failure?.advice ? el("span", { class: "quiet" }, ` ${failure.advice}`) : "");
  line.classList.toggle("bad", failure !== null);
}

// In any phase: a worker that is in the middle of something does not hear, and is ended; the next file starts another.
async function stopDrop() {
  const { evaluator } = drop;
  say("Stopping…");
  drop.stopped = true;
  const patience = (await evaluator?.cancel()) ? 2000 : 0;
  setTimeout(() => { if (drop.busy && drop.evaluator === evaluator) evaluator?.stop(); }, patience);
}

async function evaluateFiles(files) {
  if (drop.busy) { say("One evaluation at a time: wait for this one, or stop it."); return; }
  Object.assign(drop, { busy: true, stopped: false, status: "" });
  draw();
  byId("drop-stop")?.focus({ preventScroll: true });
  try {
    const evaluator = await started();
    let model = null;
    for (const file of files) {
      if (drop.stopped) throw { code: "stopped" };
      say(`Reading ${file.name}…`);
      const loaded = await evaluator.ask("load", { file, slot: "any" });
      if (loaded === null) throw { code: "stopped" };
      if (loaded.kind === "checkpoint") model = file.name;
      else if (loaded.kind === "eval_set") drop.files.push(file);
      else throw { title: file.name, what: "neither a checkpoint nor an eval set.", advice: "Drop checkpoint_final.safetensors." };
      if (loaded.kind === "eval_set") await evaluator.ask("forget", { item: loaded.id });
    }
    if (model === null) say(`${plural(drop.files.length, "eval set")} kept. Now drop a checkpoint.`);
    else await evaluateModel(evaluator, model);
  } catch (failure) {
    if (failure?.code === "stopped") say("Stopped; nothing was kept of it."); else say(saidBy(failure), failure);
  }
  const held = document.activeElement?.id === "drop-stop";
  drop.busy = false;
  draw();
  if (held) byId("drop-file")?.focus({ preventScroll: true });
}

async function evaluateModel(evaluator, model) {
  const made = { name: model, boards: new Map(), notes: [] };
  for (const e of withItems()) {
    const of = report.evals[e];
    const candidates = [...drop.files, evalFile(e)].filter(Boolean);
    for (const file of candidates) {
      const loaded = await evaluator.ask("load", { file, slot: "eval_set" });
      if (loaded === null) throw { code: "stopped" };
      // A file of the reader's has to be this eval; the report's own texts are.
      const own = !drop.files.includes(file);
      if (!own && loaded.fingerprint.split("|")[2] !== of.fingerprint.split("|")[2]) { await evaluator.ask("forget", { item: loaded.id }); continue; }
      const done = await evaluator.ask("evaluate", { set: loaded.id, gpu: drop.gpu, allow_mismatch: false }, ({ done: n }) => { if (!drop.stopped) say(`${of.name}: ${count(n)} of ${plural(of.ids.length, "bundle")}, ${drop.arithmetic}`); });
      await evaluator.ask("forget", { item: loaded.id });
      if (!done || drop.stopped) throw { code: "stopped" };
      if (!own && done.board.eval_header.protocol_hash !== of.protocol_hash) continue;
      made.boards.set(e, done.board);
      if (own) made.notes.push(`${of.name}: on the texts in this report`);
      break;
    }
    if (!made.boards.has(e)) made.notes.push(`${of.name}: not evaluated, since its texts are not all here; drop the eval set's file, too`);
  }
  let { name } = made;
  for (let i = 2; dropped.some((d) => d.name === name); i++) name = `${made.name} (${i})`;
  dropped.push({ ...made, name });
  say(`${name} is on the chart. ${made.notes.join("; ")}.`);
  announce(`${name} is on the chart`);
}

// A dropped model on one axis, from its scoreboard.
function droppedValue(model, m) {
  const { eval: e, subset, statistic } = report.measures[m];
  const board = model.boards.get(e);
  if (!board) return null;
  const summary = subset === "all" ? board.overall : subset.tier ? board.by_tier[subset.tier] : board.by_pool[subset.pool];
  if (!summary || summary[statistic] === null || summary[statistic] === undefined) return null;
  return { value: summary[statistic], interval: statistic === "pass_rate" ? summary.ci95 : summary.by_group?.[statistic] ?? null };
}

function removeDropped(d) {
  dropped.splice(dropped.indexOf(d), 1);
  say(`${d.name} is removed.`);
  draw();
  byId("drop-file")?.focus({ preventScroll: true });
}

function dropTable(mx, my) {
  const rows = dropped.map((d) => ({ d, x: droppedValue(d, mx), y: droppedValue(d, my) }));
  const axis = (m, which) => ({ name: axisWords(m), number: true, value: (r) => r[which]?.value ?? null, show: (r) => cellOf(m, r[which], "value"), parts: parts(m, (r) => r[which]?.value ?? null, (r) => r[which]?.interval) });
  const board = (d) => ([e, of]) => el("button", { type: "button", class: "small", "aria-label": `Download the scoreboard of ${d.name} on ${report.evals[e].name}`, onclick: () => download(`${d.name}_${report.evals[e].name}.json`, "application/json", `${JSON.stringify(of, null, 2)}\n`) }, report.evals[e].name);
  return plainTable("Checkpoints evaluated here", [
    { name: "Checkpoint", value: (r) => r.d.name }, axis(mx, "x"), axis(my, "y"),
    { name: "Scoreboards", value: (r) => r.d.boards.size, show: (r) => el("span", { class: "downloads" }, [...r.d.boards].map(board(r.d))) },
    { name: "", value: () => null, show: (r) => el("button", { type: "button", class: "small", "aria-label": `Remove ${r.d.name}`, onclick: () => removeDropped(r.d) }, "Remove") },
  ], rows, { file: "own_checkpoints", note: "One run each: brackets are 95 % intervals over its bundles (Wilson) or groups of them, not over seeds." });
}

function dropSection(mx, my) {
  if (!engineThere() || (paper.on && dropped.length === 0)) return null;
  const field = el("input", { type: "file", id: "drop-file", multiple: true, accept: ".safetensors,.jsonl,.gz,.zst", onchange: () => { if (field.files.length) evaluateFiles([...field.files]); } });
  const zone = el("label", { class: "dropzone", for: "drop-file" }, el("span", {}, "Drop a checkpoint anywhere on this page, or choose one"), el("span", { class: "quiet" }, "It is evaluated in this page on the report's bundles and sent nowhere."), field);
  const section = el("section", { class: "wide", id: "own" }, el("h2", {}, "Your own checkpoint"), zone, el("p", { id: "drop-status", role: "status" }),
    drop.busy ? el("button", { type: "button", id: "drop-stop", onclick: stopDrop }, "Stop") : null,
    dropped.length ? dropTable(mx, my) : null);
  queueMicrotask(() => { if (drop.status) say(drop.status, drop.failure); });
  return section;
}

acceptDrops(({ files, folders, error }) => {
  const all = [...files, ...folders.flatMap((folder) => folder.files.filter(({ name }) => /\.safetensors$/i.test(name)))];
  if (!report || !engineThere()) { announce("This report holds no evaluator: it takes no files."); return; }
  if (state.tab !== "pareto") go({ tab: "pareto" });
  if (error) say(saidBy(error), { title: "That can't be read", what: saidBy(error) });
  else if (all.length === 0) say("There is no checkpoint in it.", { title: folders.map(({ name }) => name).join(", ") || "Nothing was dropped", advice: "Drop a folder of `crucible train`, or its checkpoint_final.safetensors." });
  else evaluateFiles(all);
}, (target) => document.body.classList.toggle("over", target !== null && engineThere()));
