// Margins per tier, a condition against the baseline.

const BINS = 48;

function marginsView() {
  const missing = report.sections.find((s) => s.kind === "margin-dist")?.missing;
  if (missing) return [empty(missing.reason, missing.advice)];
  const possible = report.conditions.map((_, c) => c).filter((c) => withItems().some((e) => perItem(e, c, "").runs > 0));
  let condition = conditionNamed(state.c);
  const base = conditionNamed(state.base) >= 0 ? conditionNamed(state.base) : report.baseline;
  if (!possible.includes(condition)) condition = possible.find((c) => c !== base) ?? possible[0];
  const options = possible.map((c) => ({ value: report.conditions[c].name, label: report.conditions[c].name }));
  return [el("section", { class: "wide" },
    el("h2", {}, "How far bundles are from failing"),
    el("p", { class: "quiet" }, "A ", term("margin", MEANINGS.margin), " above 0 passes. Watch the left end: when it moves away from 0 while the middle gets better, hard cases are being given up."),
    el("div", { class: "controls" },
      select("Condition", options, report.conditions[condition].name, (c) => go({ c })),
      base === null ? null : select("Against", options, report.conditions[base].name, (b) => go({ base: b }))),
    ...marginCharts(condition, base),
    ...withItems().map((e) => marginTable(e)))];
}

function marginCharts(condition, base) {
  const charts = [];
  for (const e of withItems()) {
    const mine = perItem(e, condition, "");
    if (mine.runs === 0) continue;
    const other = base !== null && base !== condition ? perItem(e, base, "") : null;
    const against = other?.runs ? base : null;
    const tiers = [...new Set(column(report.evals[e].tier))].sort();
    charts.push(figure({
      title: `${sentence(evalWords(e))}: margins of ${report.conditions[condition].name}${against === null ? "" : ` (filled) and ${report.conditions[against].name} (line)`}`,
      file: `margins_${report.evals[e].name}`,
      caption: "Share of bundles by margin, all runs of a condition together. Marked: 0, where passing begins; the 10 % quantile and the median of each.",
      drawn: (svg, width) => drawMargins(svg, width, e, condition, against, tiers),
    }));
  }
  return charts.length ? charts : [el("p", { class: "empty" }, `${report.conditions[condition].name} has no items in this report.`)];
}

// All margins of a condition's runs on the items of a tier.
function pooled(e, condition, tier) {
  const tiers = column(report.evals[e].tier);
  const all = [];
  for (const board of perItem(e, condition, "").boards) {
    const values = margins(board);
    for (let i = 0; i < values.length; i++) if (tiers[i] === tier) all.push(values[i] * board.margin.step);
  }
  return Float64Array.from(all).sort();
}

function drawMargins(svg, width, e, condition, base, tiers) {
  const columns = Math.min(tiers.length, width > 900 ? 3 : width > 620 ? 2 : 1);
  const [gap, cellHeight] = [20, 244];
  const cell = (width - gap * (columns - 1)) / columns;
  const data = tiers.map((tier) => ({ tier, mine: pooled(e, condition, tier), other: base === null ? null : pooled(e, base, tier) }));
  const everything = data.flatMap((d) => [d.mine[0], d.mine.at(-1), ...(d.other ? [d.other[0], d.other.at(-1)] : [])]).filter(Number.isFinite);
  const [low, high] = d3.nice(Math.min(0, d3.min(everything)), Math.max(0, d3.max(everything)), 10);
  const edges = d3.range(BINS + 1).map((i) => low + ((high - low) * i) / BINS);
  const histogram = (values) => {
    const bins = new Float64Array(BINS);
    for (const v of values) bins[Math.min(BINS - 1, Math.max(0, Math.floor(((v - low) / (high - low)) * BINS)))]++;
    return Array.from(bins, (n) => n / (values.length || 1));
  };
  data.forEach((d, at) => {
    const group = svg.append("g").attr("transform", `translate(${(at % columns) * (cell + gap)},${Math.floor(at / columns) * (cellHeight + 14)})`);
    const [left, right, top, bottom] = [46, cell - 14, 60, cellHeight - 44];
    const bins = histogram(d.mine);
    const others = d.other ? histogram(d.other) : null;
    const x = d3.scaleLinear([low, high], [left, right]);
    const y = d3.scaleLinear([0, d3.max([...bins, ...(others ?? [0])]) || 1], [bottom, top + 8]);
    axes(group, { x, y, left, right, top: top + 8, bottom, xTitle: "margin (cosine units)", xFormat: (v) => short(v, 2), yFormat: percentTick, yTicks: 3, xTicks: ticks(right - left, 70) });
    group.append("text").attr("class", "charttitle").attr("x", 0).attr("y", 14).text(`${TIER_WORDS[TIERS[d.tier]]}, ${plural(d.mine.length / perItem(e, condition, "").runs, "bundle")}`);
    group.append("text").attr("class", "axistitle").attr("x", 0).attr("y", 34).text("↑ share of bundles (%)");
    const steps = (bin) => d3.line().curve(d3.curveStepAfter)([...bin.map((v, i) => [x(edges[i]), y(v)]), [x(edges[BINS]), y(bin[BINS - 1])]]);
    group.append("path").attr("class", "histogram").attr("fill", colour(condition)).attr("d", `${steps(bins)}V${y(0)}H${x(low)}Z`);
    if (others) group.append("path").attr("class", "outline").attr("stroke", colour(base)).attr("d", steps(others));
    group.append("line").attr("class", "zero").attr("x1", x(0)).attr("x2", x(0)).attr("y1", top - 12).attr("y2", bottom);
    const marks = [[d.mine, condition, 0], ...(d.other ? [[d.other, base, 1]] : [])];
    for (const [values, c, row] of marks) {
      for (const [q, word] of [[0.1, "10 % quantile"], [0.5, "median"]]) {
        const at = d3.quantileSorted(values, q);
        if (at === undefined) continue;
        withTip(group.append("path").datum([`${report.conditions[c].name}: ${word} ${fixed(at, 3)}`]).attr("class", "pin").attr("d", q === 0.1 ? "M0,0l-4,-7h8z" : "M0,0v-8").attr("fill", colour(c)).attr("stroke", colour(c)).attr("transform", `translate(${x(at)},${top - 4 + row * 10})`), (lines) => lines);
      }
    }
  });
  return Math.ceil(data.length / columns) * (cellHeight + 14);
}

// Quantiles with their intervals, as they were computed from unrounded margins.
function marginTable(e) {
  const wanted = report.measures.map((m, i) => ({ m, i })).filter(({ m }) => m.eval === e && m.statistic !== "pass_rate" && m.statistic !== "mean_rank");
  const subsets = [...new Set(wanted.map(({ m }) => subsetKey(m.subset)))];
  const rows = report.conditions.flatMap((condition, c) => subsets.map((key) => ({ condition, c, key, of: wanted.filter(({ m }) => subsetKey(m.subset) === key) })))
    .filter((r) => r.of.some(({ i }) => conditionPoint(r.c, i)));
  const cell = (statistic) => {
    const at = (r) => r.of.find(({ m }) => m.statistic === statistic)?.i;
    const point = (r) => (at(r) === undefined ? null : conditionPoint(r.c, at(r)));
    return {
      name: STATISTIC_WORDS[statistic].replace(" of the margin", ""), number: true, value: (r) => point(r)?.mean ?? null,
      show: (r) => cellOf(at(r), point(r)),
      parts: [{ name: statistic, value: (r) => point(r)?.mean ?? null }, { name: `${statistic}.low`, value: (r) => point(r)?.interval?.low ?? null }, { name: `${statistic}.high`, value: (r) => point(r)?.interval?.high ?? null }],
    };
  };
  return plainTable(`${sentence(evalWords(e))}: margins of all conditions`, [
    { name: "Condition", value: (r) => r.condition.name, show: (r) => named(r.c) },
    { name: "Bundles", value: (r) => r.key, show: (r) => groupWords(r.key) },
    ...["q10_margin", "median_margin", "q90_margin", "mean_margin"].map(cell),
  ], rows, { file: `margins_${report.evals[e].name}`, note: "In cosine units; means over runs, intervals at 95 % over runs and groups of bundles." });
}
