// The report's document: unpacked once, its columns when they are first looked at.

let report = null;

async function readReport() {
  const packed = byId("report-data").textContent;
  const raw = atob(packed.trim());
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  if (typeof DecompressionStream === "undefined") throw new Error("this browser can't unpack gzip; one from 2023 or later can");
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  report = JSON.parse(await new Response(stream).text());
  if (report.report_version !== 1) throw new Error(`this page shows version 1 of the data and holds version ${report.report_version}`);
  byId("report-data").remove();
}

const KINDS = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, i16: Int16Array };
const decoded = new WeakMap();

// A column as a typed array of counts; multiply by its step.
function column(of) {
  if (!of) return null;
  if (!decoded.has(of)) {
    const raw = atob(of.data);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    decoded.set(of, new KINDS[of.kind](bytes.buffer));
  }
  return decoded.get(of);
}

const margins = (board) => column(board?.margin);
const stepOf = (board) => board.margin.step;

const runsOf = (condition) => report.runs.map((run, number) => ({ run, number })).filter(({ run }) => run.condition === condition);
const boardOn = (run, evalNumber) => run.boards.find((board) => board.eval === evalNumber);
const evalNamed = (truth) => report.evals.findIndex((e) => e.truth === truth);
const conditionNamed = (name) => report.conditions.findIndex((c) => c.name === name);
const runName = (run) => (run.seed === null ? run.place : `seed ${run.seed}`);
const measureAt = (key) => report.measures.findIndex((m) => m.key === key);

// Measures of one eval in their order: a board's values are in it.
const valueOf = (board, measure) => {
  if (!board || board.values.length === 0) return null;
  const first = report.measures.findIndex((m) => m.eval === board.eval);
  return board.values[measure - first] ?? null;
};

// What counts of the frozen truth is its hardest tier, where it has one.
function headline(truth) {
  const e = evalNamed(truth);
  if (e < 0) return -1;
  const name = report.evals[e].name;
  const tier3 = measureAt(`${name}.tier3_adversarial.pass_rate`);
  return truth === "frozen" && tier3 >= 0 ? tier3 : measureAt(`${name}.all.pass_rate`);
}

const TIERS = ["none", "tier1_easy", "tier2_robust", "tier3_adversarial"];
const POOLS = ["", "legacy", "organic", "expanded"];

// Where an item's negatives begin in the list of all.
const offsets = new WeakMap();
function negativesOf(texts, item) {
  if (!offsets.has(texts)) {
    const counts = column(texts.negatives);
    const starts = new Uint32Array(counts.length + 1);
    for (let i = 0; i < counts.length; i++) starts[i + 1] = starts[i] + counts[i];
    offsets.set(texts, starts);
  }
  const starts = offsets.get(texts);
  return Array.from(column(texts.negative).subarray(starts[item], starts[item + 1]));
}

// What is said in an item: null where its texts are not in the report.
function textsOf(evalNumber, item) {
  const texts = report.evals[evalNumber].texts;
  if (!texts || column(texts.negatives)[item] === 0) return null;
  const event = (number) => ({
    id: texts.ids[number], sense: texts.senses[number], text: texts.texts[number],
    span: column(texts.span_start)[number] ? [column(texts.span_start)[number] - 1, column(texts.span_end)[number]] : null,
  });
  return { anchor: event(column(texts.anchor)[item]), positive: event(column(texts.positive)[item]), negatives: negativesOf(texts, item).map(event) };
}

// The event that won against the positive, by its id; "" where that is not known.
function winnerOf(board, item) {
  const number = column(board.winner)?.[item] ?? 0;
  if (number === 0) return "";
  const of = report.evals[board.eval];
  if (!of.texts) return of.winners[number - 1] ?? "";
  return of.texts.ids[negativesOf(of.texts, item)[number - 1]] ?? "";
}
