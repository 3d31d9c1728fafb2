// What a reader should know first.

function summaryView() {
  const made = [el("section", { class: "wide" }, el("h2", {}, "What this shows"), ...sentences(), ...equalWords(equalConditions(headlines()), "on the two headline rates"))];
  const wanted = headlines();
  const axesShown = wanted.length ? wanted : report.measures.map((_, m) => m).filter((m) => report.measures[m].statistic === "pass_rate" && report.measures[m].subset === "all");
  if (axesShown.length && report.landscape) made.push(el("section", { class: "wide" }, el("h2", {}, "Conditions side by side"), forest(axesShown), summaryTable(axesShown)));
  else if (report.runs.some((r) => r.boards.length)) made.push(el("section", { class: "wide" }, boardsTable()));
  made.push(guardrailSection(), aboutSection());
  return made;
}

function sentences() {
  const said = [];
  const analysis = report.analysis;
  const stops = report.findings.filter(({ finding }) => ["CRITICAL", "SEVERE", "ERROR"].includes(finding.level));
  if (report.trials && report.trials[0] < report.trials[1]) said.push(el("p", { class: "note bad" }, `${report.trials[0]} of ${report.trials[1]} trials are finished: this is a part of the sweep.`));
  if (analysis) {
    const base = analysis.baseline;
    const { choice } = analysis;
    if (choice) {
      const against = kindsOf(stops.filter(({ place }) => concerns(place, choice.condition)));
      const spoken = (link, it) => against.length ? `, ${link} guardrails would stop ${it} (${listed(against)}).` : ".";
      said.push(el("p", { class: "lead" }, choice.condition === base
        ? ["No condition is better than the baseline ", named(conditionNamed(base)), " by the rule that was fixed beforehand", spoken("and", "that one")]
        : [against.length ? "Do not take " : "Take ", named(conditionNamed(choice.condition)), against.length ? " yet" : "", ": it has the ", choice.rule, spoken("but", "it")]));
      said.push(el("p", {}, `On bundles that did not take part in the choice it keeps ${percent(choice.headline.retention)} ${between(choice.retention_ci95, 1, 100)} of the known hard cases (the baseline ${percent(choice.baseline.retention)}) and handles ${percent(choice.headline.generalisation)} ${between(choice.generalisation_ci95, 1, 100)} of the new ones (the baseline ${percent(choice.baseline.generalisation)}); intervals at ${levelOf(choice.retention_ci95)}.`));
      const chosen = analysis.conditions.find((c) => c.name === choice.condition);
      const gain = chosen?.generalisation_change;
      if (gain && gain.p_holm >= 0.05) said.push(el("p", { class: "note" }, `That may be luck: on all new cases it differs from the baseline by ${points(gain.mean)} points ${between(gain.ci95, 1, 100)}, p ${fixed(gain.p_holm, 3)} after Holm.`));
    }
    const sure = analysis.conditions.filter((c) => c.name !== base && c.retention_change.ci95.high < 0 && c.retention_change.p_holm < 0.05);
    said.push(el("p", {}, sure.length ? [`Known hard cases are lost, beyond chance, by ${listed(sure.map((c) => c.name))}.`] : [`No condition keeps fewer of the known hard cases than ${base} by more than chance would do: that is no proof that none does.`]));
    said.push(el("p", {}, `On the frontier: ${listed(analysis.frontier.map((name) => `${name} (in ${percent(analysis.conditions.find((c) => c.name === name).p_on_frontier, 0)} of resamples)`))}.${analysis.knee ? ` It bends most at ${analysis.knee}.` : ""}`));
  } else if (report.conditions.length === 1) {
    for (const board of report.runs[0]?.boards ?? []) {
      const tier3 = board.scoreboard.by_tier.tier3_adversarial;
      const of = report.evals[board.eval].truth === "frozen" && tier3 ? tier3 : board.scoreboard.overall;
      said.push(el("p", { class: "lead" }, `${sentence(evalWords(board.eval))}${of === tier3 ? `, ${TIER_WORDS.tier3_adversarial}` : ""}: ${percent(of.pass_rate)} of ${plural(of.n, "bundle")} pass${of.ci95 ? ` ${between(of.ci95, 1, 100)}, ${levelOf(of.ci95)} interval` : ""}. Guessing would pass ${percent(board.scoreboard.sanity.chance.overall.level)}.`));
    }
    if (!report.runs.some((r) => r.boards.length)) said.push(el("p", { class: "lead" }, "One run, not evaluated yet."), el("p", { class: "quiet" }, "Run ", el("code", {}, "crucible eval --checkpoint … --eval-set … --output …"), " and make the report again."));
  } else {
    said.push(el("p", { class: "lead" }, `${plural(report.conditions.length, "condition")}, ${plural(report.runs.length, "run")}.`));
    if (report.no_analysis) said.push(el("p", {}, `Both questions are not set against each other: ${report.no_analysis}.`));
  }
  const kinds = kindsOf(stops);
  said.push(el("p", {}, stops.length ? el("span", { class: "bad" }, `Guardrails that would stop a run: ${listed(kinds)}. They stand below.`) : report.findings.length ? "No guardrail would stop a run." : "Guardrails had nothing to look at."));
  const warnings = [...new Set([...report.warnings, ...(analysis?.warnings ?? []), ...(report.landscape?.warnings ?? [])])];
  if (warnings.length) said.push(el("ul", { class: "tight" }, warnings.map((w) => el("li", {}, `${sentence(w)}.`))));
  const left = report.sections.filter((s) => s.missing);
  if (left.length) said.push(el("h3", {}, "Not shown"), el("ul", { class: "tight" }, left.map((s) => el("li", {}, `${TABS[s.kind]}: ${s.missing.reason}. `, el("span", { class: "quiet" }, s.missing.advice)))));
  return said;
}

// Whether a place, a path below the results folder, is a condition, one of its runs, or a folder around one.
function concerns(place, condition) {
  if (place === condition) return true;
  const own = report.runs.filter((run) => report.conditions[run.condition].name === condition);
  return place !== "" && own.some((run) => run.place === place || run.place.startsWith(`${place}/`));
}

function kindsOf(findings) {
  return [...new Set(findings.map(({ finding }) => finding.name.replaceAll("_", " ")))];
}

// The rates that answer the two questions, as far as they are here.
const headlines = () => [headline("frozen"), headline("organic")].filter((m) => m >= 0);
// P(on frontier), with a word where equal conditions share it.
const sharedShare = (p, equal) => (equal && typeof p === "number" ? withInterval(percent(p, 0), "shared") : percent(p, 0));

// Each condition's rates with intervals, one column for each question.
function forest(wanted) {
  const rows = report.conditions.map((condition, c) => ({ c, condition })).filter(({ c }) => wanted.some((m) => conditionPoint(c, m)));
  const base = report.baseline;
  return figure({
    title: "Pass rates with 95 % intervals", file: "pass_rates",
    caption: "Mark: mean over runs; bar: 95 % interval over runs and groups of bundles; small dots: single runs. The dashed line is the baseline. The two questions are never added up.",
    drawn: (svg, width) => {
      const row = 28;
      const names = Math.min(220, width * 0.32, Math.max(90, d3.max(rows, (r) => r.condition.name.length) * 7.5 + 14));
      const stacked = width < 640;
      const gap = 28;
      const cell = stacked ? width - names - 12 : (width - names - gap * (wanted.length - 1) - 12) / wanted.length;
      const block = rows.length * row + 92;
      wanted.forEach((m, at) => {
        const left = stacked ? names : names + at * (cell + gap);
        const top = 30 + (stacked ? at * block : 0);
        const bottom = top + rows.length * row;
        const of = rows.map((r) => ({ ...r, point: conditionPoint(r.c, m), runs: runsOf(r.c).map(({ run }) => valueOf(boardOn(run, report.measures[m].eval), m)).filter(Boolean) }));
        const all = of.flatMap((r) => [r.point?.mean, r.point?.interval?.low, r.point?.interval?.high, ...r.runs.map((v) => v.value)]).filter(Number.isFinite);
        const x = d3.scaleLinear(d3.extent(all), [left + 8, left + cell - 8]).nice();
        svg.append("g").attr("class", "axis").attr("transform", `translate(0,${bottom})`).call(d3.axisBottom(x).ticks(ticks(cell, 70)).tickFormat(tickFor(m)).tickSizeOuter(0));
        svg.append("g").attr("class", "grid").attr("transform", `translate(0,${bottom})`).call(d3.axisBottom(x).ticks(ticks(cell, 70)).tickSize(top - bottom)).call((g) => g.selectAll("text").remove());
        svg.append("text").attr("class", "charttitle").attr("x", stacked ? 0 : left).attr("y", top - 12).call(fitted, `${at === 0 && wanted.length > 1 ? "kept: " : at === 1 ? "new: " : ""}${measureWords(m)}`, stacked ? width : cell);
        svg.append("text").attr("class", "axistitle").attr("x", left + cell / 2).attr("y", bottom + 34).attr("text-anchor", "middle").text(`${STATISTIC_WORDS[report.measures[m].statistic]} (${unitWords(m)})`);
        const zero = base === null ? null : conditionPoint(base, m);
        if (zero) svg.append("line").attr("class", "zero").attr("x1", x(zero.mean)).attr("x2", x(zero.mean)).attr("y1", top).attr("y2", bottom);
        of.forEach((r, i) => {
          const y = top + i * row + row / 2;
          if (at === 0 || stacked) svg.append("text").attr("class", "rowname").attr("x", names - 10).attr("y", y + 4).attr("text-anchor", "end").call(fitted, r.condition.name, names - 14);
          if (!r.point) return;
          const group = svg.append("g").datum([r.condition.name, `${axisWords(m)}: ${shown(m, r.point.mean)} ${shownInterval(m, r.point.interval)}`, `interval ${levelOf(r.point.interval)}, ${plural(r.runs.length, "run")}`]).attr("tabindex", 0).attr("role", "img").attr("aria-label", (d) => d.join(", "));
          if (r.point.interval) group.append("line").attr("class", "bar").attr("stroke", colour(r.c)).attr("x1", x(r.point.interval.low)).attr("x2", x(r.point.interval.high)).attr("y1", y).attr("y2", y);
          if (r.runs.length > 1) for (const v of r.runs) group.append("circle").attr("class", "rundot").attr("r", 2.5).attr("cx", x(v.value)).attr("cy", y + 7).attr("fill", colour(r.c));
          group.append("path").attr("d", mark(r.c, 80)).attr("class", "mark").attr("fill", colour(r.c)).attr("transform", `translate(${x(r.point.mean)},${y})`);
          group.append("rect").attr("class", "hit").attr("data-screen", "").attr("x", left).attr("width", cell).attr("y", y - row / 2).attr("height", row);
          withTip(group, (d) => d);
        });
      });
      return (stacked ? block * wanted.length : block) - 18;
    },
  });
}

function summaryTable(wanted) {
  const base = report.baseline;
  const rows = report.conditions.map((condition, c) => ({ condition, c })).filter(({ c }) => wanted.some((m) => conditionPoint(c, m)));
  const analysed = (r) => report.analysis?.conditions.find((a) => a.name === r.condition.name);
  const p = (key) => (r) => analysed(r)?.[key]?.p_holm ?? null;
  const columns = [{ name: "Condition", value: (r) => r.condition.name, show: (r) => el("button", { type: "button", class: "plain", onclick: () => go({ tab: "pareto", c: r.condition.name }) }, swatch(r.c), r.condition.name) },
    { name: "Runs", number: true, value: (r) => runsOf(r.c).length }];
  wanted.forEach((m, at) => {
    columns.push({ name: axisWords(m), number: true, value: (r) => conditionPoint(r.c, m)?.mean ?? null, show: (r) => cellOf(m, conditionPoint(r.c, m)), parts: parts(m, (r) => conditionPoint(r.c, m)?.mean ?? null, (r) => conditionPoint(r.c, m)?.interval) });
    if (base === null) return;
    columns.push({ name: "change, points", number: true, value: (r) => report.landscape.differences[r.c][m]?.mean ?? null, show: (r) => differenceCell(m, report.landscape.differences[r.c][m]), parts: [{ name: `${report.measures[m].key}.change`, value: (r) => report.landscape.differences[r.c][m]?.mean ?? null }, { name: `${report.measures[m].key}.change.low`, value: (r) => report.landscape.differences[r.c][m]?.interval?.low ?? null }, { name: `${report.measures[m].key}.change.high`, value: (r) => report.landscape.differences[r.c][m]?.interval?.high ?? null }] });
    const key = ["retention_change", "generalisation_change"][at];
    if (report.analysis && key) columns.push({ name: "p (Holm)", number: true, title: "two-sided, after Holm's correction over all conditions and both rates", value: p(key), show: (r) => (p(key)(r) === null ? "–" : shownP(p(key)(r))) });
  });
  if (report.analysis) {
    const equal = equalConditions(headlines()).flat();
    columns.push({ name: "P(on frontier)", number: true, value: (r) => analysed(r)?.p_on_frontier ?? null, show: (r) => sharedShare(analysed(r)?.p_on_frontier, equal.includes(r.c)) });
  }
  return plainTable("Conditions", columns, rows, { file: "conditions", rowClass: (r) => (r.c === base ? "baseline" : undefined),
    note: `${base === null ? "" : `Changes are against ${report.conditions[base].name}, with the same seeds and bundles on both sides. `}Brackets are 95 % intervals over runs and groups of bundles${report.conditions.some((c) => c.foreign) ? "; of the scoreboard from outside, over its bundles alone" : ""}.` });
}

function boardsTable() {
  const rows = report.runs.flatMap((run) => run.boards.map((board) => ({ run, board })));
  return plainTable("Scoreboards", [
    { name: "Condition", value: (r) => report.conditions[r.run.condition].name, show: (r) => named(r.run.condition) },
    { name: "Eval", value: (r) => report.evals[r.board.eval].name },
    { name: "Pass rate", number: true, value: (r) => r.board.scoreboard.overall.pass_rate, show: (r) => { const of = r.board.scoreboard.overall; return withInterval(percent(of.pass_rate), between(of.ci95, 1, 100)); } },
    { name: "Bundles", number: true, value: (r) => r.board.scoreboard.overall.n },
  ], rows, { note: "Wilson intervals at 95 %." });
}

const SEVERITY = ["ERROR", "SEVERE", "CRITICAL", "WARNING", "OK"];

function guardrailSection() {
  const counts = SEVERITY.map((level) => [level, report.findings.filter((f) => f.finding.level === level).length]).filter(([, n]) => n > 0);
  const section = el("section", { class: "wide", id: "guardrails" }, el("h2", {}, "Guardrails"));
  if (report.findings.length === 0) { section.append(el("p", { class: "quiet" }, report.not_run.join("; ") || "Nothing was looked at.")); return section; }
  const looked = new Set(report.findings.map(({ finding }) => finding.id)).size;
  section.append(el("p", { class: "quiet" }, `${count(looked)} of ${count(looked + report.not_run.length)} guardrails could look.`));
  const level = counts.some(([l]) => l === state.level) ? state.level : "";
  section.append(el("div", { class: "chips", role: "group", "aria-label": "Levels" }, counts.map(([l, n]) => el("button", { type: "button", class: `chip level ${l.toLowerCase()}`, title: LEVEL_WORDS[l], "aria-pressed": String(level === l), onclick: () => go({ level: level === l ? "" : l }) }, `${l} ${count(n)}`))));
  // What every run says alike is said once.
  const groups = d3.groups(report.findings.filter((f) => (level ? f.finding.level === level : f.finding.level !== "OK")), (f) => `${f.finding.id} ${f.finding.level}`);
  groups.sort((a, b) => SEVERITY.indexOf(a[1][0].finding.level) - SEVERITY.indexOf(b[1][0].finding.level));
  if (groups.length === 0) section.append(el("p", { class: "note good" }, `${plural(new Set(report.findings.map((f) => f.finding.id)).size, "guardrail")} could look and found nothing wrong. ${plural(report.not_run.length, "guardrail")} could not: see below.`));
  section.append(el("ul", { class: "findings" }, groups.map(([, all]) => {
    const { finding, place } = all[0];
    const line = (f) => el("li", {}, f.place ? el("strong", {}, `${f.place}: `) : null, plainly(f.finding.message));
    return el("li", { class: `level ${finding.level.toLowerCase()}` },
      el("p", {}, el("strong", {}, `${finding.id} ${finding.name.replaceAll("_", " ")}`), ` · ${finding.level}${all.length > 1 ? ` · ${count(all.length)} times` : ""}`),
      all.length === 1 ? el("p", {}, place ? el("strong", {}, `${place}: `) : null, plainly(finding.message))
        : el("details", {}, el("summary", {}, place ? `${place}: ${plainly(finding.message)}` : plainly(finding.message), ` (and ${count(all.length - 1)} more)`), el("ul", { class: "tight" }, all.map(line))),
      finding.advice ? el("p", { class: "quiet" }, `What to do: ${finding.advice}`) : null);
  })));
  if (report.not_run.length) section.append(el("details", {}, el("summary", {}, `${plural(report.not_run.length, "guardrail")} could not look`), el("ul", { class: "tight" }, report.not_run.map((line) => el("li", {}, line)))));
  section.append(plainTable("All findings", [
    { name: "Guardrail", value: (r) => `${r.finding.id} ${r.finding.name}` }, { name: "Level", value: (r) => r.finding.level }, { name: "Where", class: "code", value: (r) => r.place || "–" }, { name: "Finding", value: (r) => plainly(r.finding.message) }, { name: "Advice", value: (r) => r.finding.advice || null },
  ], report.findings, { file: "guardrails" }));
  const table = section.lastChild;
  const fold = el("details", { class: "screen" }, el("summary", {}, "All findings as a table, with downloads"));
  table.replaceWith(fold);
  fold.append(table);
  return section;
}

function aboutSection() {
  return el("section", { class: "wide" }, el("h2", {}, "What this is made of"),
    report.evals.length ? plainTable("Evals", [
      { name: "Eval", value: (r) => r.name, show: (r) => TRUTH_WORDS[r.truth] ?? r.name }, { name: "File", value: (r) => r.path }, { name: "Bundles", number: true, value: (r) => r.count, show: (r) => count(r.count) },
      { name: "Guessing passes", number: true, value: (r) => chanceOf(r), show: (r) => percent(chanceOf(r)) }, { name: "Fingerprint", value: (r) => r.fingerprint, class: "code" },
      { name: "Texts here", value: (r) => r.texts?.items ?? 0, show: (r) => (r.texts ? `of ${plural(r.texts.items, "bundle")}` : `no: ${r.no_texts ?? "single bundles are not in this report"}`) },
    ], report.evals, { file: "evals" }) : null,
    el("ul", { class: "tight" }, report.roundings.map((line) => el("li", {}, line)), el("li", {}, "Rates, quantiles, intervals, frontier and verdicts were computed by ", el("code", {}, "crucible report"), "; this page sorts, filters and draws. It loads nothing and sends nothing."),
      el("li", {}, "Frozen eval (retention) and organic holdout (generalisation) are separate questions; no number here mixes them.")),
    el("p", {}, el("button", { type: "button", onclick: () => download(`${report.title}.json`, "application/json", JSON.stringify(report)) }, "Download all data (JSON)")));
}

const chanceOf = (of) => {
  const e = report.evals.indexOf(of);
  return report.runs.flatMap((r) => r.boards).find((b) => b.eval === e)?.scoreboard.sanity.chance.overall.level ?? null;
};
