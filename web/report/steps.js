// The course of training: rates at several steps with the cliff marked, and what the loss said meanwhile.

function stepsView() {
  const missing = report.sections.find((s) => s.kind === "step-trajectory")?.missing;
  if (missing) return [empty(missing.reason, missing.advice)];
  const made = [];
  const steps = report.conditions.map((c, i) => ({ step: c.step, c: i })).filter((s) => s.step !== null).sort((a, b) => a.step - b.step);
  if (steps.length > 1 && report.landscape) {
    const usual = [headline("frozen"), headline("organic")].filter((m) => m >= 0);
    const options = measureOptions();
    const [first, second] = [measureAt(state.x) >= 0 ? measureAt(state.x) : usual[0] ?? 0, measureAt(state.y) >= 0 ? measureAt(state.y) : usual[1] ?? usual[0] ?? 0];
    made.push(el("section", { class: "wide" },
      el("h2", {}, "Rates in the course of training"),
      el("p", { class: "quiet" }, "A cliff is a step where known cases (frozen) still rise while new ones (organic) fall by more than chance: guardrail G8. Training on looks like progress there if only the first is watched."),
      el("div", { class: "controls" }, select("Above", options, report.measures[first].key, (x) => go({ x }), { id: "above" }), select("Below", options, report.measures[second].key, (y) => go({ y }), { id: "below" })),
      cliffWords(), trajectory(first, steps), first === second ? null : trajectory(second, steps), stepsTable([...new Set([first, second])], steps)));
  }
  if (report.runs.some((r) => r.training.length > 1)) made.push(el("section", { class: "wide" },
    el("h2", {}, "What the loss said"),
    el("p", { class: "quiet" }, "The training loss measures the training bundles, easy ones most of all. It may fall while hard cases are lost: set it beside the rates, not in their place."),
    lossConditions().length > 1 ? legend(lossConditions()) : null, lossChart("loss", "training loss"), lossChart("gradient_norm", "norm of the gradient")));
  if (steps.length < 2) made.unshift(el("section", {}, el("p", {}, "These runs were evaluated at their end only."), el("p", { class: "quiet" }, "For rates in the course of training run ", el("code", {}, "crucible sweep steps --steps 2500,5000,10000 --seeds 1,2,3"), ".")));
  return made;
}

function cliffsByStep() {
  const by = new Map();
  for (const cliff of report.cliffs) {
    if (!by.has(cliff.to)) by.set(cliff.to, []);
    by.get(cliff.to).push(cliff);
  }
  return by;
}

function cliffWords() {
  const by = [...cliffsByStep()].sort((a, b) => report.conditions[a[0]].step - report.conditions[b[0]].step);
  if (by.length === 0) return el("p", { class: "note good" }, "No cliff: at no step did known cases rise by more than 1 point while new ones fell by more than 2, as means over seeds.");
  return el("ul", { class: "findings" }, by.map(([to, cliffs]) => el("li", { class: `level ${cliffs[0].finding.level.toLowerCase()}` },
    el("strong", {}, `Cliff at step ${count(report.conditions[to].step)}. `),
    `Against step ${count(report.conditions[cliffs[0].from].step)}: ${cliffs[0].finding.message}. ${cliffs[0].finding.advice}.`)));
}

function trajectory(m, steps) {
  const points = steps.map((s) => ({ ...s, of: report.landscape.points[s.c][m] })).filter((p) => p.of);
  const seeds = new Map();
  for (const { step, c } of steps) for (const { run } of runsOf(c)) {
    const value = valueOf(boardOn(run, report.measures[m].eval), m);
    if (!value) continue;
    if (!seeds.has(run.seed)) seeds.set(run.seed, []);
    seeds.get(run.seed).push({ step, value, run });
  }
  const cliffs = cliffsByStep();
  const truth = report.evals[report.measures[m].eval].truth;
  const series = truth === "organic" ? 1 : 0;
  return figure({
    title: shortAxis(m), file: `steps_${report.measures[m].key}`,
    caption: `Thick: mean over ${plural(seeds.size, "seed")} with its 95 % interval. Thin: single seeds. Dashed: steps of a cliff.`,
    drawn: (svg, width) => {
      const height = 260;
      const [left, right, top, bottom] = [62, width - 20, 28, height - 46];
      const values = [...points.flatMap((p) => [p.of.mean, p.of.interval?.low, p.of.interval?.high]), ...[...seeds.values()].flat().map((p) => p.value.value)].filter(Number.isFinite);
      const x = d3.scaleLinear(d3.extent(steps, (s) => s.step), [left + 12, right - 12]);
      const y = d3.scaleLinear(d3.extent(values), [bottom, top]).nice();
      axes(svg, { x, y, left, right, top, bottom, xTitle: "training step", yTitle: `↑ ${STATISTIC_WORDS[report.measures[m].statistic]} (${unitWords(m)})`, xFormat: count, yFormat: tickFor(m), yTicks: 5 });
      for (const [to] of cliffs) {
        const at = x(report.conditions[to].step);
        svg.append("line").attr("class", "cliff").attr("x1", at).attr("x2", at).attr("y1", top).attr("y2", bottom);
        svg.append("text").attr("class", "clifflabel").attr("x", at + (at > right - 90 ? -4 : 4)).attr("text-anchor", at > right - 90 ? "end" : "start").attr("y", top + 10).text("cliff");
      }
      const band = points.filter((p) => p.of.interval);
      svg.append("path").attr("class", "band").attr("fill", colour(series)).attr("d", d3.area((p) => x(p.step), (p) => y(p.of.interval.low), (p) => y(p.of.interval.high))(band));
      for (const of of seeds.values()) svg.append("path").attr("class", "thin").attr("stroke", colour(series)).attr("d", d3.line((p) => x(p.step), (p) => y(p.value.value))(of));
      svg.append("path").attr("class", "thick").attr("stroke", colour(series)).attr("d", d3.line((p) => x(p.step), (p) => y(p.of.mean))(points));
      withTip(svg.append("g").selectAll("path").data(points).join("path").attr("tabindex", 0).attr("role", "img").attr("aria-label", (p) => `step ${p.step}: ${shown(m, p.of.mean)} ${shownInterval(m, p.of.interval)}`)
        .attr("class", "dot").attr("d", mark(series, 80)).attr("fill", colour(series)).attr("transform", (p) => `translate(${x(p.step)},${y(p.of.mean)})`),
      (p) => [`step ${count(p.step)}`, `${shown(m, p.of.mean)} ${shownInterval(m, p.of.interval)}`, `mean over ${plural(seeds.size, "seed")}, interval ${levelOf(p.of.interval)}`]);
      return height;
    },
  });
}

function stepsTable(wanted, steps) {
  return plainTable("By step", [
    { name: "Step", number: true, value: (r) => r.step, show: (r) => count(r.step) },
    ...wanted.map((m) => ({ name: axisWords(m), number: true, value: (r) => report.landscape.points[r.c][m]?.mean ?? null, show: (r) => cellOf(m, report.landscape.points[r.c][m]), parts: parts(m, (r) => report.landscape.points[r.c][m]?.mean ?? null, (r) => report.landscape.points[r.c][m]?.interval) })),
    { name: "Cliff", value: (r) => (cliffsByStep().has(r.c) ? "yes" : "no") },
  ], steps, { file: "steps", note: "Means over seeds, intervals at 95 % over seeds and groups of bundles." });
}

const lossConditions = () => report.conditions.map((_, c) => c).filter((c) => runsOf(c).some(({ run }) => run.training.length > 1));

function lossChart(key, title) {
  const lines = report.runs.filter((r) => r.training.length > 1).map((run) => ({ run, points: run.training.filter((p) => Number.isFinite(p[key])) })).filter((l) => l.points.length > 1);
  if (lines.length === 0) return null;
  // The mean over a condition's runs, where they logged the same steps.
  const means = lossConditions().map((c) => {
    const of = lines.filter((l) => l.run.condition === c);
    const at = d3.rollup(of.flatMap((l) => l.points), (v) => (v.length === of.length ? d3.mean(v, (p) => p[key]) : NaN), (p) => p.step);
    return { c, points: [...at].map(([step, value]) => ({ step, value })).filter((p) => Number.isFinite(p.value)).sort((a, b) => a.step - b.step) };
  });
  return figure({
    title: `${sentence(title)} by step`, file: key, caption: "Thick: mean over a condition's runs. Thin: single runs. As training logged it, thinned to 300 points; without intervals.",
    drawn: (svg, width) => {
      const height = 250;
      const [left, right, top, bottom] = [62, width - 20, 30, height - 46];
      const all = lines.flatMap((l) => l.points);
      const x = d3.scaleLinear([0, d3.max(all, (p) => p.step)], [left, right]);
      const y = d3.scaleLinear(d3.extent(all, (p) => p[key]), [bottom, top]).nice();
      axes(svg, { x, y, left, right, top, bottom, xTitle: "training step", yTitle: `↑ ${title}`, xFormat: count, yTicks: 5, yFormat: (v) => short(v) });
      for (const l of lines) svg.append("path").attr("class", "thin").attr("stroke", colour(l.run.condition)).attr("d", d3.line((p) => x(p.step), (p) => y(p[key]))(l.points));
      for (const { c, points } of means) withTip(svg.append("path").datum(c).attr("class", "thick").attr("stroke", colour(c)).attr("d", d3.line((p) => x(p.step), (p) => y(p.value))(points)), (d) => [report.conditions[d].name, title]);
      return height;
    },
  });
}
