// How often bundles were to be seen, and how often they were.

// Where looks at a legacy bundle begin to be called so.
const LEVELS = [[0, "severe"], [10, "critical"], [30, "low"], [50, "healthy"]];
const LEVELS_SAID = "under 10 severe, under 30 critical, under 50 low, from 50 on healthy";

function dilutionView() {
  const missing = report.sections.find((s) => s.kind === "dilution")?.missing;
  if (missing) return [empty(missing.reason, missing.advice)];
  const rows = report.conditions.flatMap((condition, c) => {
    const runs = runsOf(c).map(({ run }) => run).filter((run) => run.exposures);
    if (runs.length === 0) return [];
    const { expected } = runs[0].exposures;
    return expected.pools.filter((p) => p.size > 0).map((pool) => {
      const real = runs.map((run) => run.exposures.real.find((cell) => cell.cell === pool.pool)).filter((cell) => cell?.mean !== null && cell !== undefined);
      return { c, condition, pool: pool.pool, size: pool.size, share: pool.share, expected: pool.expected, status: pool.status, mean: real.length ? d3.mean(real, (cell) => cell.mean) : null,
        low: d3.min(real, (cell) => cell.min), high: d3.max(real, (cell) => cell.max), runs: real.length, steps: expected.steps, batch: expected.batch_size, p: expected.p_tier3 };
    });
  });
  if (rows.length === 0) return [empty("No run here has a hard bundle that is counted.", "train on bundles of tier 3")];
  const vacant = emptyPools();
  const thin = rows.filter((r) => r.pool === "legacy" && r.expected < 50);
  // Empty pools are named above.
  const warnings = [...new Set(report.runs.flatMap((r) => r.exposures?.expected.warnings ?? []))].filter((w) => !w.includes("pool is empty"));
  return [el("section", { class: "wide" },
    el("h2", {}, "Looks at each hard bundle"),
    el("p", { class: "quiet" }, `Each hard bundle added to a pool takes looks from the others: that is dilution. Expected: steps × batch × tier 3's probability × the pool's share ÷ bundles in the pool. Looks at a legacy bundle are called: ${LEVELS_SAID}.`),
    vacant.length ? el("p", { class: "note" }, `Empty: ${vacant.join("; ")}. No bundle of them is looked at; their share of tier 3 goes to the other pools.`) : null,
    thin.length ? el("p", { class: "note bad" }, `${listed([...new Set(thin.map((r) => r.condition.name))])}: legacy bundles are seen fewer than 50 times.`) : el("p", { class: "note good" }, "Legacy bundles are seen often enough in every condition."),
    warnings.length ? el("ul", { class: "tight" }, warnings.map((w) => el("li", {}, `${sentence(w)}.`))) : null,
    dilutionChart(rows),
    plainTable("Looks per bundle", [
      { name: "Condition", value: (r) => r.condition.name, show: (r) => named(r.c) }, { name: "Pool", value: (r) => r.pool, show: (r) => groupWords(r.pool) },
      { name: "Bundles", number: true, value: (r) => r.size, show: (r) => count(r.size) }, { name: "Share of tier 3", number: true, value: (r) => r.share, show: (r) => percent(r.share) },
      { name: "Expected looks", number: true, value: (r) => r.expected, show: (r) => looks(r.expected) },
      { name: "Real looks", number: true, value: (r) => r.mean, show: (r) => (r.mean === null ? "–" : withInterval(looks(r.mean), `${count(r.low)} to ${count(r.high)}`)), parts: [{ name: "real_mean", value: (r) => r.mean }, { name: "real_min", value: (r) => r.low }, { name: "real_max", value: (r) => r.high }] },
      { name: "Steps", number: true, value: (r) => r.steps, show: (r) => count(r.steps) }, { name: "Batch", number: true, value: (r) => r.batch },
      { name: "Status", value: (r) => r.status, show: (r) => (r.status ? el("span", { class: `status ${r.status}` }, STATUS_WORDS[r.status]) : "–") },
    ], rows, { file: "exposures", note: "Real looks: mean over bundles and runs, and the bundles seen least and most. They are counted, so they have no interval." }))];
}

// Pools without a bundle, with the conditions in which they have none.
function emptyPools() {
  const runs = report.conditions.map((_, c) => runsOf(c).find(({ run }) => run.exposures)?.run ?? null).filter(Boolean);
  const names = [...new Set(runs.flatMap((run) => run.exposures.expected.pools.filter((p) => p.size === 0).map((p) => p.pool)))];
  return names.map((name) => {
    const of = runs.filter((run) => run.exposures.expected.pools.some((p) => p.pool === name && p.size === 0));
    return `pool ${name} (${of.length === runs.length ? (runs.length > 1 ? "in every condition" : "in this run") : `in ${listed(of.map((run) => report.conditions[run.condition].name))}`})`;
  });
}

const looks = (x) => (x === null ? "–" : fixed(x, x < 10 ? 2 : 1));

function dilutionChart(rows) {
  const pools = [...new Set(rows.map((r) => r.pool))];
  return figure({
    title: "Expected and real looks per bundle, by pool", file: "dilution", caption: `Ring: expected. Filled mark: real mean. Bar: from the bundle seen least to the one seen most, over all runs. Dashed, for pool legacy: ${LEVELS_SAID}.`,
    drawn: (svg, width) => {
      const conditions = [...new Set(rows.map((r) => r.c))];
      const row = 24;
      const names = Math.min(200, width * 0.4, Math.max(90, d3.max(conditions, (c) => report.conditions[c].name.length) * 7.5 + 10));
      const x = d3.scaleSymlog([0, Math.max(60, d3.max(rows, (r) => Math.max(r.expected ?? 0, r.high ?? 0)))], [names + 10, width - 40]).constant(1);
      let at = 26;
      for (const pool of pools) {
        svg.append("text").attr("class", "axistitle").attr("x", 0).attr("y", at - 8).text(`pool ${pool}`);
        const of = rows.filter((r) => r.pool === pool);
        const bottom = at + of.length * row;
        if (pool === "legacy") LEVELS.forEach(([level, word], i) => {
          const to = i + 1 < LEVELS.length ? x(LEVELS[i + 1][0]) : width - 20;
          if (level > 0) svg.append("line").attr("class", "limit").attr("x1", x(level)).attr("x2", x(level)).attr("y1", at - 18).attr("y2", bottom);
          // The word stands where it holds: between its line and the next.
          if (to - x(level) > word.length * 6.5 + 8) svg.append("text").attr("class", "limitlabel").attr("x", (x(level) + to) / 2).attr("text-anchor", "middle").attr("y", at - 8).text(word);
        });
        of.forEach((r, i) => {
          const y = at + i * row + row / 2;
          svg.append("line").attr("class", "rowline").attr("x1", names).attr("x2", width - 20).attr("y1", y).attr("y2", y);
          svg.append("text").attr("class", "rowname").attr("x", names - 8).attr("y", y + 4).attr("text-anchor", "end").call(fitted, r.condition.name, names - 12);
          const group = svg.append("g").datum([r.condition.name, `pool ${r.pool}: ${plural(r.size, "bundle")}`, `expected ${looks(r.expected)} looks`, r.mean === null ? "real looks are not known" : `real ${looks(r.mean)}, from ${r.low} to ${r.high}, ${plural(r.runs, "run")}`]).attr("tabindex", 0).attr("role", "img").attr("aria-label", (d) => d.join(", "));
          if (r.mean !== null) group.append("line").attr("class", "spread").attr("stroke", colour(r.c)).attr("x1", x(r.low)).attr("x2", x(r.high)).attr("y1", y).attr("y2", y);
          if (r.mean !== null) group.append("path").attr("d", mark(r.c, 60)).attr("fill", colour(r.c)).attr("transform", `translate(${x(r.mean)},${y})`);
          if (r.expected !== null) group.append("circle").attr("class", "ring").attr("cx", x(r.expected)).attr("cy", y).attr("r", 8).attr("stroke", colour(r.c));
          withTip(group, (d) => d);
        });
        at = bottom + 40;
      }
      const bottom = at - 30;
      const wanted = [0, 1, 3, 10, 30, ...(width > 500 ? [50] : []), 100, 300, 1000, 3000, 10000, 100000].filter((v) => v <= x.domain()[1]);
      svg.append("g").attr("class", "axis").attr("transform", `translate(0,${bottom})`).call(d3.axisBottom(x).tickValues(wanted).tickFormat(count).tickSizeOuter(0));
      svg.append("text").attr("class", "axistitle").attr("x", (names + width) / 2).attr("y", bottom + 34).attr("text-anchor", "middle").call(fitted, width > 500 ? "looks per bundle (logarithmic from 1 up)" : "looks per bundle", width - names);
      return bottom + 44;
    },
  });
}
