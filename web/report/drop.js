// A checkpoint of the reader's own, evaluated in this page on the report's bundles: its point on the chart.

const dropped = [];
const drop = { evaluator: null, gpu: false, arithmetic: "", busy: false, status: "", failure: null, files: [], cancel: false };
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

const words = (failure) => failure?.what ?? failure?.message ?? String(failure);

async function started() {
  if (drop.evaluator && !drop.evaluator.broken) return drop.evaluator;
  say("Starting the evaluator…");
  drop.evaluator = await Evaluator.start(JSON.parse(byId("engine").textContent));
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

async function evaluateFiles(files) {
  if (drop.busy) { say("One evaluation at a time: wait for this one, or stop it."); return; }
  drop.busy = true;
  drop.cancel = false;
  drop.status = "";
  draw();
  try {
    const evaluator = await started();
    let model = null;
    for (const file of files) {
      say(`Reading ${file.name}…`);
      const loaded = await evaluator.ask("load", { file, slot: "any" });
      if (loaded.kind === "checkpoint") model = file.name;
      else if (loaded.kind === "eval_set") drop.files.push(file);
      else throw { title: file.name, what: "neither a checkpoint nor an eval set.", advice: "Drop checkpoint_final.safetensors." };
      if (loaded.kind === "eval_set") await evaluator.ask("forget", { item: loaded.id });
    }
    if (model === null) say(`${plural(drop.files.length, "eval set")} kept. Now drop a checkpoint.`);
    else await evaluateModel(evaluator, model);
  } catch (failure) {
    say(words(failure), failure);
  }
  drop.busy = false;
  draw();
}

async function evaluateModel(evaluator, model) {
  const made = { name: model, boards: new Map(), notes: [] };
  for (const e of withItems()) {
    const of = report.evals[e];
    const candidates = [...drop.files, evalFile(e)].filter(Boolean);
    for (const file of candidates) {
      const loaded = await evaluator.ask("load", { file, slot: "eval_set" });
      // A file of the reader's has to be this eval; the report's own texts are.
      const own = !drop.files.includes(file);
      if (!own && loaded.fingerprint.split("|")[2] !== of.fingerprint.split("|")[2]) { await evaluator.ask("forget", { item: loaded.id }); continue; }
      const done = await evaluator.ask("evaluate", { set: loaded.id, gpu: drop.gpu, allow_mismatch: false }, ({ done: n }) => say(`${of.name}: ${count(n)} of ${plural(of.ids.length, "bundle")}, ${drop.arithmetic}`));
      await evaluator.ask("forget", { item: loaded.id });
      if (!done) { say("Stopped."); return; }
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

function dropSection(mx, my) {
  if (!engineThere()) return null;
  const field = el("input", { type: "file", id: "drop-file", multiple: true, accept: ".safetensors,.jsonl,.gz,.zst", onchange: () => { if (field.files.length) evaluateFiles([...field.files]); } });
  const zone = el("label", { class: "dropzone", for: "drop-file" }, el("span", {}, "Drop a checkpoint here, or choose one"), el("span", { class: "quiet" }, "It is evaluated in this page on the report's bundles and sent nowhere."), field);
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => { event.preventDefault(); zone.classList.remove("over"); evaluateFiles([...event.dataTransfer.files]); });
  const status = el("p", { id: "drop-status", role: "status" });
  const rows = dropped.map((d) => ({ d, x: droppedValue(d, mx), y: droppedValue(d, my) }));
  const axis = (m, which) => ({ name: axisWords(m), number: true, value: (r) => r[which]?.value ?? null, show: (r) => (r[which] ? `${shown(m, r[which].value)} ${shownInterval(m, r[which].interval)}` : "–"), parts: parts(m, (r) => r[which]?.value ?? null, (r) => r[which]?.interval) });
  const section = el("section", { class: "wide", id: "own" }, el("h2", {}, "Your own checkpoint"), zone, status,
    drop.busy ? el("button", { type: "button", onclick: () => drop.evaluator?.ask("cancel") }, "Stop") : null,
    rows.length ? plainTable("Checkpoints evaluated here", [
      { name: "Checkpoint", value: (r) => r.d.name }, axis(mx, "x"), axis(my, "y"),
      { name: "Scoreboards", value: (r) => r.d.boards.size, show: (r) => el("span", { class: "downloads" }, [...r.d.boards].map(([e, board]) => el("button", { type: "button", class: "small", onclick: () => download(`${r.d.name}_${report.evals[e].name}.json`, "application/json", `${JSON.stringify(board, null, 2)}\n`) }, report.evals[e].name))) },
      { name: "", value: () => null, show: (r) => el("button", { type: "button", class: "small", onclick: () => { dropped.splice(dropped.indexOf(r.d), 1); draw(); } }, "Remove") },
    ], rows, { file: "own_checkpoints", note: "One run each: intervals at 95 % over its bundles (Wilson) or groups of them, not over seeds." }) : null);
  queueMicrotask(() => { if (drop.status) say(drop.status, drop.failure); });
  return section;
}
// A file that misses the field must not make the browser leave the report.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
