// Any two axes against each other: conditions and their runs as points, what may be chance, the frontier.

function paretoView() {
  const missing = report.landscape ? null : report.sections.find((s) => s.kind === "pareto").missing;
  if (!report.landscape) return [empty(missing?.reason ?? "No run here has items.", missing?.advice)];
  const chosen = { x: measureAt(state.x), y: measureAt(state.y) };
  if (chosen.x < 0) chosen.x = headline("frozen") >= 0 ? headline("frozen") : 0;
  if (chosen.y < 0) chosen.y = headline("organic") >= 0 ? headline("organic") : Math.min(1, report.measures.length - 1);
  if (chosen.x === chosen.y) chosen.y = report.measures.findIndex((_, m) => m !== chosen.x);
  if (chosen.y < 0) return [empty("There is one axis only.", null)];
  const options = measureOptions();
  const axisChange = (axis) => (value) => {
    const other = axis === "x" ? "y" : "x";
    const turned = value === report.measures[chosen[other]].key;
    go({ [axis]: value, ...(turned ? { [other]: report.measures[chosen[axis]].key } : {}), zoom: "", brush: "" });
  };
  const on = layers();
  const toggle = (layer) => (checked) => {
    if (checked) on.add(layer); else on.delete(layer);
    go({ layers: [...on].join(","), ...(layer === "changes" ? { zoom: "", brush: "" } : {}) });
  };
  const off = hidden();
  const chips = report.conditions.map((condition, c) => el("button", {
    type: "button", class: "chip", "aria-pressed": String(!off.has(condition.name)),
    onclick: () => { if (off.has(condition.name)) off.delete(condition.name); else off.add(condition.name); go({ hide: [...off].join(",") }); },
  }, swatch(c), condition.name));
  const plot = paretoPlot(chosen);
  const controls = el("div", { class: "controls" },
    select("Across", options, report.measures[chosen.x].key, axisChange("x"), { id: "axis-x" }),
    select("Upwards", options, report.measures[chosen.y].key, axisChange("y"), { id: "axis-y" }),
    el("fieldset", { class: "checks" }, el("legend", {}, "Show"),
      checkbox("single runs", on.has("seeds"), toggle("seeds")),
      checkbox("ellipses (95 %)", on.has("ellipses"), toggle("ellipses")),
      checkbox("intervals (95 %)", on.has("intervals"), toggle("intervals")),
      hasChanges() ? checkbox(`as change against ${report.conditions[report.baseline].name}`, on.has("changes"), toggle("changes")) : null),
  );
  const parts = [
    el("section", { class: "wide" },
      el("h2", {}, "What is kept against what is new"),
      el("p", { class: "quiet" }, "Each mark is a condition: the mean over its runs. Pale marks are single runs. Conditions on the ",
        term("frontier", MEANINGS.frontier), " are joined by a line. ", hasChanges() ? "All conditions share the luck of the same bundles: changes against the baseline take that out. " : "", "Choose one to see its margins, bundles, flips and settings below."),
      controls,
      el("div", { class: "chips", role: "group", "aria-label": "Conditions shown" }, chips),
      plot.figure,
      plot.controls,
      ...equalWords(equalConditions([chosen.x, chosen.y]), "on both axes"),
      paretoTable(chosen, off)),
  ];
  const selected = conditionNamed(state.c);
  const own = dropSection(chosen.x, chosen.y);
  if (selected >= 0) parts.push(conditionPanel(selected));
  else if (!paper.on) parts.push(el("section", { class: "hint" }, el("p", {}, "Choose a condition in the chart or in the table: its margins, worst bundles, flips and settings appear here.")));
  if (own) parts.push(own);
  return parts;
}

// The plane of two measures is kept once, with the smaller number across.
function planeOf(x, y) {
  const [a, b] = x < y ? [x, y] : [y, x];
  const plane = report.landscape.planes.find((p) => p.x === a && p.y === b);
  return { plane, turned: x > y };
}

const ellipseAngle = (ellipse, turned) => (turned ? Math.PI / 2 - ellipse.angle : ellipse.angle);

function conditionPoint(c, m) {
  const of = report.landscape.points[c]?.[m];
  if (of) return of;
  // One from outside the folder is not compared by resampling: its own run's value and interval.
  const run = report.conditions[c].foreign ? report.runs.find((r) => r.condition === c) : null;
  const value = run ? valueOf(boardOn(run, report.measures[m].eval), m) : null;
  return value ? { mean: value.value, std: null, interval: value.interval } : null;
}

const hasChanges = () => report.baseline !== null && report.landscape.differences.some((of) => of.some(Boolean));

function paretoPlot({ x: mx, y: my }) {
  const { plane, turned } = planeOf(mx, my);
  const on = layers();
  const changes = on.has("changes") && hasChanges();
  const base = report.baseline;
  // A condition on one axis: itself, or less the baseline.
  const placed = (c, m) => {
    if (!changes) return conditionPoint(c, m);
    if (c === base) return { mean: 0, std: null, interval: null };
    return report.landscape.differences[c][m];
  };
  const pairOf = (run) => runsOf(base).find((b) => b.run.seed === run.seed)?.run ?? runsOf(base)[0]?.run;
  const runPoint = (run, m) => {
    const value = valueOf(boardOn(run, report.measures[m].eval), m);
    if (!changes || !value) return value;
    const other = valueOf(boardOn(pairOf(run) ?? {boards: []}, report.measures[m].eval), m);
    return other ? { value: value.value - other.value, interval: null } : null;
  };
  const says = (m, of) => (changes ? (of.interval ? `${shownDifference(m, of)}${report.measures[m].statistic === "pass_rate" ? " points" : ""}` : shownDifference(m, of)) : `${shown(m, of.mean)} ${shownInterval(m, of.interval)}`);
  const tableCell = (m, of) => (changes ? differenceCell(m, of) : cellOf(m, of));
  const tickOf = (m) => (changes && report.measures[m].statistic === "pass_rate" ? (x) => `${x > 0 ? "+" : ""}${short(100 * x, 3)}` : tickFor(m));
  const titleOf = (m) => (changes ? `change in ${shortAxis(m)} (${isRate(m) ? "points" : unitWords(m)})` : axisWords(m));
  const off = hidden();
  const points = report.conditions.map((condition, c) => ({ c, condition, x: placed(c, mx), y: placed(c, my), of: plane.points.find((p) => p.condition === c) }))
    .filter((p) => p.x && p.y && !off.has(p.condition.name));
  const seeds = points.flatMap((p) => runsOf(p.c).map(({ run, number }) => {
    return { c: p.c, run, number, x: runPoint(run, mx), y: runPoint(run, my) };
  })).filter((s) => s.x && s.y && !(changes && s.c === base));
  // A model that the reader dropped is paired with no run: its change is against the baseline's mean, without an interval.
  const ownValue = (d, m) => {
    const value = droppedValue(d, m);
    const zero = changes && value ? conditionPoint(base, m) : null;
    return zero ? { value: value.value - zero.mean, interval: null } : value;
  };
  const own = dropped.map((d) => ({ d, x: ownValue(d, mx), y: ownValue(d, my) })).filter((d) => d.x && d.y);
  const single = points.every((p) => runsOf(p.c).length === 1);
  const showSeeds = on.has("seeds") && !single;
  const spread = (axis) => {
    const all = points.flatMap((p) => [p[axis].mean, ...(on.has("intervals") && p[axis].interval ? [p[axis].interval.low, p[axis].interval.high] : [])]);
    if (showSeeds) all.push(...seeds.map((s) => s[axis].value));
    all.push(...own.map((d) => d[axis].value));
    if (on.has("ellipses")) for (const p of points) {
      const half = ellipseReach(ellipseOf(p), axis);
      all.push(p[axis].mean - half, p[axis].mean + half);
    }
    const [low, high] = d3.extent(all);
    const room = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - room, high + room];
  };
  const ellipseOf = (p) => (changes ? p.of?.change : p.of?.ellipse) ?? null;
  const ellipseReach = (ellipse, axis) => {
    if (!ellipse) return 0;
    const [[a, b], turn] = [ellipse.half_axes, ellipseAngle(ellipse, turned)];
    return axis === "x" ? Math.hypot(a * Math.cos(turn), b * Math.sin(turn)) : Math.hypot(a * Math.sin(turn), b * Math.cos(turn));
  };
  const whole = points.length ? { x: spread("x"), y: spread("y") } : { x: [0, 1], y: [0, 1] };
  const zoomed = state.zoom.split("_").map(Number);
  let domain = zoomed.length === 4 && zoomed.every(Number.isFinite) && zoomed[0] < zoomed[1] && zoomed[2] < zoomed[3] ? { x: zoomed.slice(0, 2), y: zoomed.slice(2) } : whole;
  // Under a finger the page scrolls until one asks for something else.
  let mode = matchMedia("(pointer: coarse)").matches ? "" : "mark";
  const made = figure({
    title: changes ? `Changes against ${report.conditions[base].name}` : `${sentence(shortAxis(mx))}; upwards ${shortAxis(my)}`,
    caption: null, file: "pareto", drawn: (svg, width) => drawPlot(svg, width),
  });
  const brushedList = el("div", { class: "brushed", "aria-live": "polite" });
  const round = (v) => Number(v.toPrecision(6));
  const remember = () => {
    const same = domain.x[0] === whole.x[0] && domain.x[1] === whole.x[1] && domain.y[0] === whole.y[0] && domain.y[1] === whole.y[1];
    go({ zoom: same ? "" : [...domain.x, ...domain.y].map(round).join("_") }, { push: false, redraw: false });
  };
  const zoomBy = (factor, at) => {
    for (const axis of ["x", "y"]) {
      const [low, high] = domain[axis];
      const centre = at ? at[axis] : (low + high) / 2;
      domain = { ...domain, [axis]: [centre - (centre - low) * factor, centre + (high - centre) * factor] };
    }
    made.redraw();
    remember();
  };

  function drawPlot(svg, width) {
    const height = Math.round(Math.max(340, Math.min(640, width * 0.62)));
    const [left, right, top, bottom] = [62, width - 16, 34, height - 48];
    const x = d3.scaleLinear(domain.x, [left, right]);
    const y = d3.scaleLinear(domain.y, [bottom, top]);
    svg.attr("role", "group");
    axes(svg, { x, y, left, right, top, bottom, xTitle: `${titleOf(mx)} →`, yTitle: `↑ ${titleOf(my)}`, xFormat: tickOf(mx), yFormat: tickOf(my) });
    svg.append("clipPath").attr("id", "plot-area").append("rect").attr("x", left).attr("y", top).attr("width", right - left).attr("height", bottom - top);
    const ground = svg.append("rect").attr("class", "ground").attr("data-screen", "").attr("x", left).attr("y", top).attr("width", right - left).attr("height", bottom - top);
    const brushLayer = svg.append("g").attr("class", "brush").attr("data-screen", "");
    const area = svg.append("g").attr("clip-path", "url(#plot-area)").append("g");
    const scale = { x: Math.abs(x(1) - x(0)), y: Math.abs(y(1) - y(0)) };
    if (changes) for (const way of [["x1", "x2", "y1", "y2", x, top, bottom], ["y1", "y2", "x1", "x2", y, left, right]]) area.append("line").attr("class", "zero").attr(way[0], way[4](0)).attr(way[1], way[4](0)).attr(way[2], way[5]).attr(way[3], way[6]);
    if (on.has("ellipses")) {
      const angles = d3.range(0, 2 * Math.PI, Math.PI / 48);
      for (const p of points.filter(ellipseOf)) {
        const ellipse = ellipseOf(p);
        const { half_axes: [a, b] } = ellipse;
        const turn = ellipseAngle(ellipse, turned);
        const at = (t) => [x(p.x.mean) + scale.x * (a * Math.cos(t) * Math.cos(turn) - b * Math.sin(t) * Math.sin(turn)), y(p.y.mean) - scale.y * (a * Math.cos(t) * Math.sin(turn) + b * Math.sin(t) * Math.cos(turn))];
        area.append("path").attr("class", "ellipse").classed("chosen", p.condition.name === state.c).attr("d", d3.line().curve(d3.curveLinearClosed)(angles.map(at))).attr("fill", colour(p.c)).attr("stroke", colour(p.c));
      }
    }
    if (plane.frontier.length > 1) {
      const ends = plane.frontier.map((c) => points.find((p) => p.c === c)).filter(Boolean);
      const line = ends.map((p) => [x(p.x.mean), y(p.y.mean)]);
      if (line.length > 1) area.append("path").attr("class", "frontier").attr("d", d3.line()(line));
    }
    if (on.has("intervals")) {
      for (const p of points) {
        const cross = area.append("g").attr("class", "whisker").attr("stroke", colour(p.c));
        if (p.x.interval) cross.append("line").attr("x1", x(p.x.interval.low)).attr("x2", x(p.x.interval.high)).attr("y1", y(p.y.mean)).attr("y2", y(p.y.mean));
        if (p.y.interval) cross.append("line").attr("y1", y(p.y.interval.low)).attr("y2", y(p.y.interval.high)).attr("x1", x(p.x.mean)).attr("x2", x(p.x.mean));
      }
    }
    if (showSeeds) {
      withTip(area.append("g").selectAll("path").data(seeds).join("path").attr("class", "run").attr("transform", (s) => `translate(${x(s.x.value)},${y(s.y.value)})`)
        .attr("d", (s) => mark(s.c, 36)).attr("fill", (s) => colour(s.c)).on("click", (event, s) => choose(s.c)),
      (s) => [`${report.conditions[s.c].name}, ${runName(s.run)}`, `${titleOf(mx)}: ${says(mx, { mean: s.x.value, interval: s.x.interval })}`, `${titleOf(my)}: ${says(my, { mean: s.y.value, interval: s.y.interval })}`, changes ? "less the baseline's run of the same seed" : `intervals ${levelOf(s.x.interval)}: this run's bundles alone`]);
    }
    const knob = area.append("g").selectAll("g").data(points).join("g").attr("class", "condition").attr("tabindex", 0).attr("role", "button")
      .attr("data-condition", (p) => p.condition.name)
      .attr("aria-pressed", (p) => String(p.condition.name === state.c))
      .attr("aria-label", (p) => pointWords(p).join(". "))
      .attr("transform", (p) => `translate(${x(p.x.mean)},${y(p.y.mean)})`)
      .on("click", (event, p) => { event.stopPropagation(); choose(p.c); })
      .on("keydown", (event, p) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(p.c); }
        const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
        const way = ways[event.key];
        if (!way) return;
        event.preventDefault();
        const from = [x(p.x.mean), y(p.y.mean)];
        const ahead = points.filter((q) => (x(q.x.mean) - from[0]) * way[0] + (y(q.y.mean) - from[1]) * way[1] > 0.5);
        const next = d3.least(ahead, (q) => Math.hypot(x(q.x.mean) - from[0], y(q.y.mean) - from[1]));
        if (next) knob.filter((q) => q === next).node().focus();
      });
    knob.append("circle").attr("class", "halo").attr("r", 13);
    knob.append("path").attr("class", "mark").attr("d", (p) => mark(p.c, 130)).attr("fill", (p) => colour(p.c));
    knob.filter((p) => plane.knee === p.c).append("circle").attr("class", "knee").attr("r", 11);
    withTip(knob, pointWords);
    const stars = area.append("g").selectAll("g").data(own).join("g").attr("class", "own").attr("tabindex", 0).attr("role", "img")
      .attr("data-own", (d) => d.d.name).attr("aria-label", (d) => ownWords(d).join(". ")).attr("transform", (d) => `translate(${x(d.x.value)},${y(d.y.value)})`);
    for (const [axis, at, low, high] of [["x", x, "x1", "x2"], ["y", y, "y1", "y2"]]) stars.filter((d) => on.has("intervals") && d[axis].interval).append("line").attr(low, (d) => at(d[axis].interval.low) - at(d[axis].value)).attr(high, (d) => at(d[axis].interval.high) - at(d[axis].value));
    stars.append("path").attr("d", d3.symbol(d3.symbolStar, 190)());
    withTip(stars, ownWords);
    nameMarks(area, x, y, { x0: left, x1: right, y0: top, y1: bottom });

    const brush = d3.brush().extent([[left, top], [right, bottom]]).on("end", (event) => {
      if (!event.sourceEvent) return;
      const box = event.selection;
      if (!box) { go({ brush: "" }, { push: false, redraw: false }); showBrushed(); return; }
      const [[x0, y0], [x1, y1]] = box;
      go({ brush: [x.invert(x0), x.invert(x1), y.invert(y1), y.invert(y0)].map(round).join("_") }, { push: false, redraw: false });
      showBrushed();
    });
    if (mode === "mark") {
      brushLayer.call(brush);
      const kept = brushed();
      if (kept) brushLayer.call(brush.move, [[x(kept.x[0]), y(kept.y[1])], [x(kept.x[1]), y(kept.y[0])]]);
    } else if (mode === "move") {
      let from = null;
      const by = (event) => { const [px, py] = d3.pointer(event, svg.node()); return [px - from[0], py - from[1]]; };
      ground.classed("move", true)
        .on("pointerdown", (event) => { from = d3.pointer(event, svg.node()); ground.node().setPointerCapture(event.pointerId); })
        .on("pointermove", (event) => { if (from) area.attr("transform", `translate(${by(event)})`); })
        .on("pointerup pointercancel", (event) => {
          if (!from) return;
          const [dx, dy] = by(event);
          domain = { x: [x.invert(left - dx), x.invert(right - dx)], y: [y.invert(bottom - dy), y.invert(top - dy)] };
          from = null;
          made.redraw();
          remember();
        });
    }
    svg.on("wheel", (event) => {
      // The page scrolls; with a key held, or after a click on the chart, the wheel zooms.
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) return;
      event.preventDefault();
      const [px, py] = d3.pointer(event, svg.node());
      zoomBy(event.deltaY + event.deltaX < 0 ? 0.8 : 1.25, { x: x.invert(px), y: y.invert(py) });
    }, { passive: false });
    return height;
  }

  // Names beside the marks that are seen; equal conditions have one mark, and one label with all their names.
  function nameMarks(area, x, y, bounds) {
    const at = (p) => [x(p.x.mean ?? p.x.value), y(p.y.mean ?? p.y.value)];
    const seen = (p) => { const [px, py] = at(p); return px >= bounds.x0 && px <= bounds.x1 && py >= bounds.y0 && py <= bounds.y1; };
    const box = (half) => (p) => { const [px, py] = at(p); return { x0: px - half, x1: px + half, y0: py - half, y1: py + half }; };
    const taken = [...points.filter(seen).map(box(11)), ...own.filter(seen).map(box(12)), ...(showSeeds ? seeds.filter(seen).map(box(5)) : [])];
    const groups = equalConditions([mx, my]);
    const first = (p) => (groups.find((group) => group.includes(p.c)) ?? [p.c]).find((c) => points.some((q) => q.c === c)) === p.c;
    const nameOf = (p) => {
      const names = (groups.find((group) => group.includes(p.c)) ?? [p.c]).filter((c) => points.some((q) => q.c === c)).map((c) => report.conditions[c].name);
      return `${names.join(" = ")}${plane.knee === p.c ? " (knee)" : ""}`;
    };
    const label = (p, text, strong) => { const [px, py] = at(p); return { x: px, y: py, text, strong }; };
    labels(area, [...own.filter(seen).map((d) => label(d, d.d.name, true)), ...points.filter(seen).filter(first).map((p) => label(p, nameOf(p), p.condition.name === state.c))], bounds, taken);
  }

  const brushed = () => {
    const v = state.brush.split("_").map(Number);
    return v.length === 4 && v.every(Number.isFinite) ? { x: v.slice(0, 2), y: v.slice(2) } : null;
  };
  function showBrushed() {
    const box = brushed();
    if (!box) { brushedList.replaceChildren(); return; }
    const inside = (px, py) => px >= box.x[0] && px <= box.x[1] && py >= box.y[0] && py <= box.y[1];
    const means = points.filter((p) => inside(p.x.mean, p.y.mean));
    const runs = showSeeds ? seeds.filter((s) => inside(s.x.value, s.y.value)) : [];
    const rows = [...means.map((p) => ({ c: p.c, what: "mean", x: p.x.mean, xi: p.x.interval, y: p.y.mean, yi: p.y.interval })), ...runs.map((s) => ({ c: s.c, what: runName(s.run), x: s.x.value, xi: s.x.interval, y: s.y.value, yi: s.y.interval }))];
    brushedList.replaceChildren(plainTable(`In the marked area: ${plural(means.length, "condition")}, ${plural(runs.length, "run")}`, [
      { name: "Condition", value: (r) => report.conditions[r.c].name, show: (r) => named(r.c) },
      { name: "Which", value: (r) => r.what },
      { name: titleOf(mx), number: true, value: (r) => r.x, show: (r) => tableCell(mx, { mean: r.x, interval: r.xi }), parts: parts(mx, (r) => r.x, (r) => r.xi) },
      { name: titleOf(my), number: true, value: (r) => r.y, show: (r) => tableCell(my, { mean: r.y, interval: r.yi }), parts: parts(my, (r) => r.y, (r) => r.yi) },
    ], rows, { file: "marked_area", note: "Intervals at 95 %." }),
    el("button", { type: "button", onclick: () => { go({ brush: "" }, { push: false, redraw: false }); made.redraw(); showBrushed(); } }, "Unmark"));
  }
  const ownWords = (d) => [d.d.name, `${titleOf(mx)}: ${says(mx, { mean: d.x.value, interval: d.x.interval })}`, `${titleOf(my)}: ${says(my, { mean: d.y.value, interval: d.y.interval })}`, changes ? "evaluated in this page, one run, less the baseline's mean" : "evaluated in this page, one run"];
  function pointWords(p) {
    const lines = [p.condition.name, `${titleOf(mx)}: ${says(mx, p.x)}`, `${titleOf(my)}: ${says(my, p.y)}`];
    const same = equalConditions([mx, my]).find((group) => group.includes(p.c))?.filter((c) => c !== p.c) ?? [];
    if (same.length) lines.push(`equal to ${listed(same.map((c) => report.conditions[c].name))}`);
    if (p.of) lines.push(`on the frontier in ${percent(p.of.p_on_frontier, 0)} of resamples${same.length ? ", together" : ""}`);
    lines.push(`intervals ${levelOf(p.x.interval)}`);
    return lines;
  }
  const choose = (c) => { announce(`${report.conditions[c].name} is shown below`); go({ c: report.conditions[c].name, panel: state.panel, item: "" }); };
  const modes = [["mark", "Drag marks an area"], ["move", "Drag moves"]].map(([of, words]) => {
    const button = el("button", { type: "button", "aria-pressed": String(mode === of), onclick: () => {
      mode = mode === of ? "" : of;
      modes.forEach((other) => other.setAttribute("aria-pressed", String(other === button && mode !== "")));
      made.redraw();
    } }, words);
    return button;
  });
  const controls = el("div", { class: "zoom" },
    el("button", { type: "button", "aria-label": "Zoom in", onclick: () => zoomBy(0.7) }, "+"),
    el("button", { type: "button", "aria-label": "Zoom out", onclick: () => zoomBy(1 / 0.7) }, MINUS),
    el("button", { type: "button", onclick: () => { domain = whole; made.redraw(); remember(); } }, "Whole"),
    ...modes,
    conditionNamed(state.c) >= 0 ? el("button", { type: "button", class: "to-condition", onclick: () => byId("condition")?.scrollIntoView({ behavior: "smooth" }) }, `${state.c}: details below ↓`) : null,
    el("span", { class: "quiet" }, "The wheel zooms with Shift or Ctrl."));
  showBrushed();
  return { figure: made, controls: el("div", {}, controls, brushedList) };
}

const parts = (m, value, interval) => [
  { name: report.measures[m].key, value },
  { name: `${report.measures[m].key}.low`, value: (r) => interval(r)?.low ?? null },
  { name: `${report.measures[m].key}.high`, value: (r) => interval(r)?.high ?? null },
];

function paretoTable({ x: mx, y: my }, off) {
  const { plane } = planeOf(mx, my);
  const base = report.baseline;
  const equal = equalConditions([mx, my]).flat();
  const rows = report.conditions.map((condition, c) => ({ c, condition, x: conditionPoint(c, mx), y: conditionPoint(c, my), of: plane.points.find((p) => p.condition === c) })).filter((r) => (r.x || r.y) && !off.has(r.condition.name));
  const axis = (m, which) => ({
    name: axisWords(m), number: true, value: (r) => r[which]?.mean ?? null, show: (r) => cellOf(m, r[which]),
    parts: parts(m, (r) => r[which]?.mean ?? null, (r) => r[which]?.interval),
  });
  const change = (m) => ({
    name: isRate(m) ? "change, points" : "change", number: true, value: (r) => report.landscape.differences[r.c][m]?.mean ?? null,
    show: (r) => differenceCell(m, report.landscape.differences[r.c][m]),
    parts: [{ name: `${report.measures[m].key}.change`, value: (r) => report.landscape.differences[r.c][m]?.mean ?? null }],
  });
  return plainTable("Conditions on these axes", [
    { name: "Condition", value: (r) => r.condition.name, show: (r) => el("button", { type: "button", class: "plain", "aria-pressed": String(state.c === r.condition.name), onclick: () => go({ c: r.condition.name, item: "" }) }, swatch(r.c), r.condition.name) },
    axis(mx, "x"), ...(base === null ? [] : [change(mx)]), axis(my, "y"), ...(base === null ? [] : [change(my)]),
    { name: "On the frontier", title: MEANINGS.frontier, value: (r) => (r.of ? r.of.on_frontier : null), show: (r) => (!r.of ? "–" : plane.knee === r.c ? "yes, knee" : r.of.on_frontier ? "yes" : "no") },
    { name: "P(on frontier)", number: true, title: "share of resamples in which no other condition is better on both", value: (r) => r.of?.p_on_frontier ?? null, show: (r) => sharedShare(r.of?.p_on_frontier, equal.includes(r.c)) },
    ...(base === null ? [] : [{ name: "P(better on both)", number: true, title: "share of resamples in which it is above the baseline on both axes", value: (r) => r.of?.p_beats_baseline ?? null, show: (r) => percent(r.of?.p_beats_baseline, 0) }]),
  ], rows, {
    file: "pareto", rowClass: (r) => (r.condition.name === state.c ? "chosen" : undefined),
    note: `Means over ${plural(report.landscape.runs.find((r) => r.length)?.length ?? 0, "run")} a condition, with 95 % intervals over runs and groups of bundles (${plural(report.landscape.resamples, "resample")}; ${report.analysis ? `${count(report.analysis.settings.resamples)} for the two headline rates` : "both drawn again"}).${base === null ? "" : ` The baseline is ${report.conditions[base].name}; changes of rates are in points.`}`,
  });
}
