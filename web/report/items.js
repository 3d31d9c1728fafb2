// Bundles one by one: what each run made of them, and what they say.

// What the runs of a condition made of every item of an eval; kept, since it is asked for again and again.
const summed = new Map();
function perItem(evalNumber, condition, seed) {
  const key = `${evalNumber} ${condition} ${seed}`;
  if (summed.has(key)) return summed.get(key);
  const boards = runsOf(condition).filter(({ run }) => seed === "" || String(run.seed) === seed)
    .map(({ run }) => boardOn(run, evalNumber)).filter((board) => board?.margin);
  const n = report.evals[evalNumber].ids.length;
  const mean = new Float32Array(n);
  const passed = new Uint16Array(n);
  for (const board of boards) {
    const values = margins(board);
    const step = stepOf(board);
    for (let i = 0; i < n; i++) { mean[i] += values[i] * step; if (values[i] > 0) passed[i]++; }
  }
  for (let i = 0; i < n; i++) mean[i] /= boards.length || 1;
  const made = { boards, mean, passed, runs: boards.length };
  summed.set(key, made);
  return made;
}

// Bundles whose verdict changed against the baseline's run of the same seed: in how many runs lost, in how many gained.
const flipped = new Map();
function flipsOf(evalNumber, condition) {
  const key = `${evalNumber} ${condition}`;
  if (flipped.has(key)) return flipped.get(key);
  const n = report.evals[evalNumber].ids.length;
  const made = { lost: new Uint16Array(n), gained: new Uint16Array(n), runs: 0 };
  const base = report.baseline;
  if (base !== null && base !== condition) {
    const before = runsOf(base).map(({ run }) => ({ seed: run.seed, board: boardOn(run, evalNumber) })).filter((r) => r.board?.margin);
    for (const { run } of runsOf(condition)) {
      const board = boardOn(run, evalNumber);
      const other = before.find((b) => b.seed !== null && b.seed === run.seed) ?? before[0];
      if (!board?.margin || !other) continue;
      const [a, b] = [margins(other.board), margins(board)];
      made.runs++;
      for (let i = 0; i < n; i++) { if (a[i] > 0 && b[i] <= 0) made.lost[i]++; else if (a[i] <= 0 && b[i] > 0) made.gained[i]++; }
    }
  }
  flipped.set(key, made);
  return made;
}

const withItems = () => report.evals.map((e, i) => i).filter((i) => report.evals[i].ids.length > 0);
const snippet = (text, length) => (text.length > length ? `${text.slice(0, length)}…` : text);

function statuses(condition, evalNumber) {
  const of = [{ value: "", label: "any" }, { value: "fail", label: "fails in most runs" }, { value: "never", label: "fails in every run" }, { value: "pass", label: "passes in most runs" }];
  if (report.baseline !== null && report.baseline !== condition && flipsOf(evalNumber, condition).runs > 0) {
    of.push({ value: "lost", label: "lost against the baseline" }, { value: "persistent", label: "lost in most runs (persistent)" }, { value: "gained", label: "gained against the baseline" });
  }
  return of;
}

function itemsView(fixed = null) {
  const evals = withItems();
  if (evals.length === 0) return [empty("Single bundles are not in this report.", "write a report without --type, of scoreboards with their items beside them")];
  let condition = fixed ?? conditionNamed(state.c);
  if (condition < 0) condition = report.baseline ?? 0;
  const possible = evals.filter((e) => perItem(e, condition, "").runs > 0);
  if (possible.length === 0) return [empty(`${report.conditions[condition].name} has no items in this report.`, "evaluate it again with `crucible eval --output FILE`")];
  const evalNumber = possible.find((e) => report.evals[e].name === state.eval) ?? possible[0];
  const of = report.evals[evalNumber];
  const seeds = runsOf(condition).map(({ run }) => run.seed).filter((s) => s !== null);
  const seed = seeds.map(String).includes(state.seed) ? state.seed : "";
  const result = perItem(evalNumber, condition, seed);
  const flips = flipsOf(evalNumber, condition);
  const tiers = column(of.tier);
  const pools = column(of.pool);
  const query = state.q.trim().toLowerCase();
  const texts = of.texts;
  // A text is looked through once for each event, not for each bundle that holds it.
  const found = query && texts ? new Set(texts.texts.map((t, i) => (t.toLowerCase().includes(query) || texts.senses[i].toLowerCase().includes(query) ? i : -1)).filter((i) => i >= 0)) : null;
  const matches = (i) => !query || of.ids[i].toLowerCase().includes(query) || of.groups[column(of.group)[i]].toLowerCase().includes(query)
    || (found && column(texts.negatives)[i] > 0 && (found.has(column(texts.anchor)[i]) || found.has(column(texts.positive)[i]) || negativesOf(texts, i).some((e) => found.has(e))));
  const isStatus = {
    "": () => true, fail: (i) => 2 * result.passed[i] < result.runs, never: (i) => result.passed[i] === 0, pass: (i) => 2 * result.passed[i] > result.runs,
    lost: (i) => flips.lost[i] > 0, persistent: (i) => 2 * flips.lost[i] > flips.runs, gained: (i) => flips.gained[i] > 0,
  }[state.status] ?? (() => true);
  const tier = TIERS.indexOf(state.tier);
  const pool = POOLS.indexOf(state.pool);
  const rows = [];
  for (let i = 0; i < of.ids.length; i++) {
    if (tier > 0 && tiers[i] !== tier) continue;
    if (pool > 0 && pools[i] !== pool) continue;
    if (isStatus(i) && matches(i)) rows.push(i);
  }
  const keys = { margin: (i) => result.mean[i], passed: (i) => result.passed[i], id: (i) => of.ids[i], lost: (i) => flips.lost[i] - flips.gained[i], tier: (i) => tiers[i] };
  const [sortKey, direction] = (state.sort || "margin-up").split("-");
  const key = keys[sortKey] ?? keys.margin;
  const up = direction !== "down";
  rows.sort((a, b) => { const [x, y] = [key(a), key(b)]; return (x < y ? -1 : x > y ? 1 : a - b) * (up ? 1 : -1); });
  const hasFlips = flips.runs > 0;
  const columns = [
    { name: "Bundle", key: "id", class: "c-text" }, { name: "Tier", key: "tier", class: "c-tier" },
    { name: result.runs > 1 ? "Mean margin" : "Margin", key: "margin", class: "c-number", title: MEANINGS.margin },
    { name: "Passes", key: "passed", class: "c-number", title: "in how many of the condition's runs" },
    ...(hasFlips ? [{ name: "Lost / gained", key: "lost", class: "c-number", title: "in how many runs it passed under the baseline and fails here, and the other way round" }] : []),
  ];
  const cells = (i) => {
    const said = textsOf(evalNumber, i);
    const text = el("span", { role: "cell", class: "c-text" },
      el("span", { class: "line" }, said ? snippet(said.anchor.text, 240) : of.ids[i]),
      el("span", { class: "line quiet" }, said ? `${said.anchor.sense} · ${of.groups[column(of.group)[i]]} · ${of.ids[i]}` : of.groups[column(of.group)[i]]));
    return [text,
      el("span", { role: "cell", class: "c-tier" }, tiers[i] ? `tier ${tiers[i]}` : "–", pools[i] && tiers[i] === 3 ? el("span", { class: "line quiet" }, POOLS[pools[i]]) : null),
      el("span", { role: "cell", class: `c-number ${result.mean[i] > 0 ? "up" : "down"}` }, fixed4(result.mean[i])),
      el("span", { role: "cell", class: "c-number" }, `${result.passed[i]} of ${result.runs}`),
      ...(hasFlips ? [el("span", { role: "cell", class: "c-number" }, flips.lost[i] || flips.gained[i] ? `${flips.lost[i]} / ${flips.gained[i]}` : "–")] : [])];
  };
  const detail = el("div", { class: "detail", id: "bundle" });
  const showDetail = (i) => detail.replaceChildren(...bundleDetail(evalNumber, i, condition));
  const opened = state.item ? of.ids.indexOf(state.item) : -1;
  const list = longTable({
    label: `Bundles of ${of.name} under ${report.conditions[condition].name}`, columns, rows, cells, opened,
    onopen: (i) => { showDetail(i); go({ item: of.ids[i] }, { push: false, redraw: false }); },
    grid: `minmax(12rem, 1fr) 4.5rem 5.5rem 4.8rem${hasFlips ? " 5rem" : ""}`, sort: { key: sortKey, up }, sortBy: (k) => go({ sort: `${k}-${k === sortKey && up ? "down" : "up"}` }),
  });
  if (opened >= 0) showDetail(opened);
  else detail.append(el("p", { class: "quiet" }, "Choose a bundle to read it."));
  const wait = { timer: 0 };
  const search = el("input", { type: "search", value: state.q, id: "search", oninput: () => {
    clearTimeout(wait.timer);
    wait.timer = setTimeout(() => { go({ q: search.value }, { push: false }); const again = byId("search"); again?.focus(); again?.setSelectionRange(again.value.length, again.value.length); }, 250);
  } });
  const present = (column, names) => [...new Set(column)].filter((v) => v > 0).sort().map((v) => names[v]);
  const poolNames = present(pools, POOLS);
  const exported = () => rows.map((i) => [of.ids[i], of.groups[column(of.group)[i]], TIERS[tiers[i]], POOLS[pools[i]] || null, Number(result.mean[i].toFixed(5)), result.passed[i], result.runs, flips.lost[i], flips.gained[i], textsOf(evalNumber, i)?.anchor.text ?? null]);
  return [
    el("div", { class: "controls" },
      fixed === null ? select("Condition", report.conditions.map((c) => ({ value: c.name, label: c.name })), report.conditions[condition].name, (c) => go({ c, item: "", status: "" })) : null,
      select("Eval", possible.map((e) => ({ value: report.evals[e].name, label: evalWords(e) })), of.name, (name) => go({ eval: name, item: "" })),
      seeds.length > 1 ? select("Run", [{ value: "", label: `all ${seeds.length} seeds` }, ...seeds.map((s) => ({ value: String(s), label: `seed ${s}` }))], seed, (s) => go({ seed: s })) : null,
      select("Tier", [{ value: "", label: "any" }, ...present(tiers, TIERS).map((t) => ({ value: t, label: TIER_WORDS[t] }))], state.tier, (t) => go({ tier: t })),
      poolNames.length > 1 ? select("Pool", [{ value: "", label: "any" }, ...poolNames.map((p) => ({ value: p, label: p }))], state.pool, (p) => go({ pool: p })) : null,
      select("Which", statuses(condition, evalNumber), state.status, (s) => go({ status: s })),
      el("label", { class: "field" }, el("span", {}, "Search"), search)),
    el("div", { class: "tablehead" }, el("h3", {}, el("span", { role: "status" }, `${plural(rows.length, "bundle")} of ${count(of.ids.length)}`)),
      downloads(`${of.name}_${report.conditions[condition].name}`, () => ["bundle_id", "group", "tier", "pool", "mean_margin", "passed", "runs", "lost", "gained", "anchor"], exported)),
    of.no_texts ? el("p", { class: "quiet" }, `${texts ? "" : "Texts are not in this report: "}${of.no_texts}.`) : null,
    paper.on && rows.length > paper.rows ? el("p", { class: "quiet" }, `The first ${paper.rows} are printed; the page shows all, and gives them as CSV.`) : null,
    rows.length ? el("div", { class: "split" }, list, paper.on && opened < 0 ? null : detail) : el("p", { class: "empty" }, "No bundle is like that. Loosen a filter above."),
  ];
}

const fixed4 = (x) => fixed(x, 4);

// A text with its target word marked.
function marked(event) {
  const points = Array.from(event.text);
  if (!event.span) return [event.text];
  const [start, end] = event.span;
  return [points.slice(0, start).join(""), el("mark", {}, points.slice(start, end).join("")), points.slice(end).join("")];
}

function bundleDetail(evalNumber, item, condition) {
  const of = report.evals[evalNumber];
  const said = textsOf(evalNumber, item);
  const boards = runsOf(condition).map(({ run }) => ({ run, board: boardOn(run, evalNumber) })).filter((r) => r.board?.margin);
  const winners = new Map();
  for (const { board } of boards) { const w = winnerOf(board, item); winners.set(w, (winners.get(w) ?? 0) + 1); }
  const line = (event, role, note) => el("div", { class: `event ${role}` },
    el("p", { class: "role" }, role, " ", el("span", { class: "quiet" }, event.sense), note ? el("strong", {}, ` ${note}`) : null), el("p", { dir: "auto" }, marked(event)));
  const parts = [el("h3", {}, of.ids[item]), el("p", { class: "quiet" }, [TIER_WORDS[TIERS[column(of.tier)[item]]], groupWords(POOLS[column(of.pool)[item]]), `${of.group_kind === "doc" ? "document" : "lemma"} ${of.groups[column(of.group)[item]]}`].filter(Boolean).join(" · "))];
  if (said) {
    parts.push(line(said.anchor, "anchor"), line(said.positive, "positive"));
    const order = said.negatives.map((event) => ({ event, won: winners.get(event.id) ?? 0 })).sort((a, b) => b.won - a.won);
    parts.push(...order.map(({ event, won }) => line(event, "negative", won ? (boards.length > 1 ? `nearest in ${won} of ${boards.length} runs` : "nearest") : null)));
  } else {
    parts.push(el("p", {}, `Nearest negative: ${[...winners.keys()].filter(Boolean).join(", ") || "not known"}.`));
  }
  // One row for each condition: how it fares everywhere.
  const rows = report.conditions.map((c, number) => ({ c, number, result: perItem(evalNumber, number, "") })).filter((r) => r.result.runs > 0);
  parts.push(plainTable("Under every condition", [
    { name: "Condition", value: (r) => r.c.name, show: (r) => named(r.number) },
    { name: "Passes", number: true, value: (r) => r.result.passed[item], show: (r) => `${r.result.passed[item]} of ${r.result.runs}` },
    { name: "Mean margin", number: true, value: (r) => r.result.mean[item], show: (r) => fixed4(r.result.mean[item]) },
    { name: "Least", number: true, value: (r) => Math.min(...r.result.boards.map((b) => margins(b)[item] * stepOf(b))), show: (r) => fixed4(Math.min(...r.result.boards.map((b) => margins(b)[item] * stepOf(b)))) },
    { name: "Worst rank", number: true, value: (r) => Math.max(...r.result.boards.map((b) => column(b.rank)[item])) },
  ], rows, { file: `bundle_${of.ids[item]}`, rowClass: (r) => (r.number === condition ? "chosen" : undefined) }));
  return parts;
}
