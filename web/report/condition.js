// One condition from near: margins, bundles, flips, settings.

const PANELS = { margins: "Margins", worst: "Worst bundles", bundles: "All bundles", flips: "Flips", runs: "Runs", settings: "Settings" };

function conditionPanel(c) {
  const condition = report.conditions[c];
  const panel = PANELS[state.panel] ? state.panel : "margins";
  if (paper.on) return el("section", { class: "wide", id: "condition" }, el("h2", {}, named(c)), el("div", { class: "stack" }, panelsOnPaper(c)));
  const tabs = el("div", { role: "tablist", class: "subtabs", "aria-label": `Details of ${condition.name}` },
    Object.entries(PANELS).map(([key, label]) => el("button", { type: "button", role: "tab", id: `sub-${key}`, "aria-selected": String(key === panel), "aria-controls": "panel", tabindex: key === panel ? 0 : -1, onclick: () => go({ panel: key, item: "", status: "" }) }, label)));
  arrows(tabs);
  const made = {
    margins: () => (withItems().length ? marginCharts(c, report.baseline) : [noItems()]),
    worst: () => worst(c),
    bundles: () => itemsView(c),
    flips: () => flipsPanel(c),
    runs: () => [runsTable(c)],
    settings: () => [settingsTable(c)],
  }[panel]();
  return el("section", { class: "wide", id: "condition" },
    el("h2", {}, named(c), c === report.baseline ? el("span", { class: "quiet" }, " (the baseline)") : null),
    tabs, el("div", { id: "panel", role: "tabpanel", "aria-labelledby": `sub-${panel}`, class: "stack" }, made));
}

// On paper there are no tabs: all panels stand below each other; all bundles are a part of their own.
const panelsOnPaper = (c) => [...(withItems().length ? marginCharts(c, report.baseline) : []), ...worst(c), ...flipsPanel(c), runsTable(c), settingsTable(c)];

// Left and right walk through tabs.
function arrows(tabs) {
  tabs.addEventListener("keydown", (event) => {
    const all = [...tabs.children];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    const next = all[(to + all.length) % all.length];
    next.click();
    (byId(next.id) ?? next).focus();
  });
}

const noItems = () => el("p", { class: "empty" }, "Single bundles are not in this report: write one without --type, of scoreboards with their items beside them.");

const WORST = 10;

function worst(c) {
  const made = withItems().filter((e) => perItem(e, c, "").runs > 0).map((e) => {
    const of = report.evals[e];
    const result = perItem(e, c, "");
    const tiers = column(of.tier);
    const hardest = of.truth === "frozen" && tiers.includes(3);
    const order = Array.from(of.ids.keys()).filter((i) => !hardest || tiers[i] === 3).sort((a, b) => result.mean[a] - result.mean[b]).slice(0, WORST);
    return el("div", {}, el("h3", {}, `${sentence(evalWords(e))}: the ${order.length} worst${hardest ? ` of ${TIER_WORDS.tier3_adversarial}` : ""}`),
      el("ol", { class: "worst" }, order.map((i) => {
        const said = textsOf(e, i);
        const winner = said?.negatives.find((n) => n.id === winnerOf(result.boards[0], i));
        return el("li", {},
          el("p", {}, el("strong", { class: "down" }, fixed4(result.mean[i])), ` mean margin, passes in ${result.passed[i]} of ${result.runs} `,
            el("button", { type: "button", class: "plain", onclick: () => go({ panel: "bundles", eval: of.name, item: of.ids[i] }) }, of.ids[i])),
          said ? el("dl", { class: "texts" }, el("dt", {}, "anchor ", el("span", { class: "quiet" }, said.anchor.sense)), el("dd", { dir: "auto" }, marked(said.anchor)),
            el("dt", {}, "positive ", el("span", { class: "quiet" }, said.positive.sense)), el("dd", { dir: "auto" }, marked(said.positive)),
            winner ? [el("dt", {}, "nearest negative ", el("span", { class: "quiet" }, winner.sense)), el("dd", { dir: "auto" }, marked(winner))] : null) : null);
      })));
  });
  return made.length ? made : [noItems()];
}

function flipsPanel(c) {
  if (c === report.baseline || report.baseline === null) return [el("p", { class: "empty" }, report.baseline === null ? "There is nothing to compare with: give --baseline a condition or a scoreboard." : "This is the baseline; flips are counted against it. Choose another condition.")];
  const base = report.conditions[report.baseline].name;
  const made = [];
  const analysed = report.analysis?.conditions.find((a) => a.name === report.conditions[c].name);
  if (analysed) {
    const rows = Object.entries(analysed.flips).map(([truth, flips]) => ({ truth, flips }));
    made.push(plainTable(`Flips against ${base}`, [
      { name: "Eval", value: (r) => r.truth, show: (r) => (r.truth === "frozen" ? plainly(report.analysis.retention_of) : plainly(report.analysis.generalisation_of)) },
      { name: "Lost", number: true, title: "share of bundles that pass under the baseline and fail here, mean over seeds", value: (r) => r.flips.rates.negative, show: (r) => percent(r.flips.rates.negative) },
      { name: "Gained", number: true, value: (r) => r.flips.rates.positive, show: (r) => percent(r.flips.rates.positive) },
      { name: "Noise of seeds", number: true, title: MEANINGS.floor, value: (r) => r.flips.floor, show: (r) => percent(r.flips.floor) },
      { name: "Lost beyond noise", number: true, value: (r) => r.flips.excess, show: (r) => (r.flips.excess === null ? "–" : `${points(r.flips.excess)} points`) },
      { name: "Persistent", number: true, title: MEANINGS.persistent, value: (r) => r.flips.persistent },
    ], rows, { file: `flips_${report.conditions[c].name}`, note: `Lost and gained are shares of all bundles, seed by seed against ${base}. Below 0 beyond noise: no more is lost than another seed would lose.` }));
    for (const { truth, flips } of rows) if (flips.persistent_ids.length) made.push(persistentList(c, truth, flips));
  }
  made.push(changesTable(c));
  return made;
}

function persistentList(c, truth, flips) {
  const e = evalNamed(truth);
  const place = new Map(report.evals[e]?.ids.map((id, i) => [id, i]) ?? []);
  return el("div", {}, el("h3", {}, `Lost for good on the ${truth === "frozen" ? "frozen eval" : "organic holdout"}: ${plural(flips.persistent, "bundle")}${flips.persistent > flips.persistent_ids.length ? `, the first ${flips.persistent_ids.length}` : ""}`),
    el("ul", { class: "worst" }, flips.persistent_ids.map((id) => {
      const said = place.has(id) ? textsOf(e, place.get(id)) : null;
      return el("li", {}, el("button", { type: "button", class: "plain", onclick: () => go({ panel: "bundles", eval: report.evals[e].name, item: id, status: "persistent", c: report.conditions[c].name }) }, id),
        said ? el("span", { dir: "auto" }, " ", snippet(said.anchor.text, 200)) : null);
    })));
}

function changesTable(c) {
  const rows = runsOf(c).flatMap(({ run }) => run.boards.flatMap((board) => board.changes.map((of) => ({ run, board, of }))));
  if (rows.length === 0) return el("p", { class: "empty" }, "No run of this condition was scored on the same bundles as the baseline.");
  return plainTable("Run by run against the baseline's", [
    { name: "Run", value: (r) => runName(r.run) },
    { name: "Eval", value: (r) => report.evals[r.board.eval].name },
    { name: "Bundles", value: (r) => subsetKey(r.of.subset), show: (r) => subsetWords(r.of.subset) },
    { name: "Change, points", number: true, value: (r) => r.of.change.change, show: (r) => withInterval(points(r.of.change.change), between(r.of.change.bounds, 1, 100)),
      parts: [{ name: "change", value: (r) => r.of.change.change }, { name: "low", value: (r) => r.of.change.bounds.low }, { name: "high", value: (r) => r.of.change.bounds.high }] },
    { name: "Lost", number: true, value: (r) => r.of.change.lost }, { name: "Gained", number: true, value: (r) => r.of.change.gained },
    { name: "p (McNemar)", number: true, value: (r) => r.of.change.p_mcnemar, show: (r) => shownP(r.of.change.p_mcnemar) },
    { name: "Verdict", value: (r) => r.of.change.verdict, show: (r) => el("span", { class: `verdict ${r.of.change.verdict.toLowerCase()}` }, r.of.change.verdict) },
  ], rows, { file: `changes_${report.conditions[c].name}`, note: "Brackets are one-sided 95 % bounds. PASS: what was lost is less than 2 points, beyond chance. INCONCLUSIVE: these bundles do not decide it." });
}

function runsTable(c) {
  const wanted = [headline("frozen"), headline("organic")].filter((m) => m >= 0);
  return plainTable("Runs", [
    { name: "Run", value: (r) => runName(r.run) },
    ...wanted.map((m) => ({ name: axisWords(m), number: true, value: (r) => valueOf(boardOn(r.run, report.measures[m].eval), m)?.value ?? null, show: (r) => cellOf(m, valueOf(boardOn(r.run, report.measures[m].eval), m), "value") })),
    { name: "Checkpoint", value: (r) => r.run.boards[0]?.scoreboard.checkpoint.hash.slice(0, 12) ?? null, class: "code" },
    { name: "Device", value: (r) => r.run.boards[0]?.scoreboard.device ?? null },
    { name: "Suspicions", value: (r) => r.run.boards.flatMap((b) => b.scoreboard.sanity.warnings.map((w) => plainly(w.message))).join("; ") || null, show: (r) => { const all = r.run.boards.flatMap((b) => b.scoreboard.sanity.warnings.map((w) => `${report.evals[b.eval].name}: ${plainly(w.message)}`)); return all.length ? el("ul", { class: "tight" }, all.map((w) => el("li", {}, w))) : "none"; } },
  ], runsOf(c), { file: `runs_${report.conditions[c].name}`, note: "Intervals at 95 % (Wilson): they take bundles for independent; those of the condition do not." });
}

function settingsTable(c) {
  const { settings } = report.conditions[c];
  if (settings.length === 0) return el("p", { class: "empty" }, "No configuration lay beside this run.");
  const show = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const rows = [...settings].sort((a, b) => a.shared - b.shared);
  return plainTable("Settings", [
    { name: "Key", value: (r) => r.key, class: "code" },
    { name: "Value", value: (r) => show(r.value) },
    { name: "Same in all conditions", value: (r) => (r.shared ? "yes" : "no") },
  ], rows, { file: `settings_${report.conditions[c].name}`, rowClass: (r) => (r.shared ? undefined : "chosen"), note: "Those in which conditions differ stand first." });
}
