// What charts share: colours and marks, axes, a tip, and a picture to download.

const SERIES = 6;
const MARKS = [d3.symbolCircle, d3.symbolSquare, d3.symbolTriangle, d3.symbolDiamond, d3.symbolCross, d3.symbolWye, d3.symbolStar];
const colour = (condition) => `var(--series-${(condition % SERIES) + 1})`;
const mark = (condition, size) => d3.symbol(MARKS[condition % MARKS.length], size)();

// A condition's mark, as it stands in charts, for lists and legends.
function swatch(condition) {
  const made = d3.create("svg:svg").attr("class", "swatch").attr("viewBox", "-8 -8 16 16").attr("aria-hidden", "true");
  made.append("path").attr("d", mark(condition, 90)).attr("fill", colour(condition));
  return made.node();
}
const named = (condition) => el("span", { class: "named" }, swatch(condition), report.conditions[condition].name);

// A chart in a figure that is drawn again when its width changes. `draw(svg, width)` returns the height.
function figure({ title, caption, file, drawn, minWidth = 280 }) {
  const svg = d3.create("svg:svg").attr("class", "chart").attr("role", "img").attr("aria-label", title);
  const holder = el("div", { class: "holder" }, svg.node());
  const figure = el("figure", {}, el("div", { class: "tablehead" }, el("h3", {}, title), pictures(svg.node(), file, title)), holder,
    caption ? el("figcaption", { class: "quiet" }, caption) : null);
  let width = 0;
  const redraw = () => {
    svg.selectAll("*").remove();
    const height = drawn(svg, width);
    svg.attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
  };
  new ResizeObserver(() => {
    const now = Math.max(minWidth, Math.floor(holder.clientWidth));
    if (now !== width && holder.clientWidth > 0) { width = now; redraw(); }
  }).observe(holder);
  figure.redraw = () => { if (width > 0) redraw(); };
  return figure;
}

function pictures(svg, file, title) {
  return el("span", { class: "downloads" },
    el("button", { type: "button", class: "small", "aria-label": `Download “${title}” as SVG`, onclick: () => download(`${file}.svg`, "image/svg+xml", alone(svg)) }, "SVG"),
    el("button", { type: "button", class: "small", "aria-label": `Download “${title}” as PNG`, onclick: () => savePng(svg, file) }, "PNG"));
}

const CARRIED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-size", "font-family", "font-weight", "text-anchor", "dominant-baseline", "paint-order", "display"];

// A chart as a file of its own: what styles gave it becomes attributes.
function alone(svg) {
  const copy = svg.cloneNode(true);
  const from = [svg, ...svg.querySelectorAll("*")];
  const to = [copy, ...copy.querySelectorAll("*")];
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of CARRIED) to[i].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role"]) to[i].removeAttribute(name);
  });
  for (const gone of copy.querySelectorAll("[data-screen]")) gone.remove();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const ground = d3.create("svg:rect").attr("width", "100%").attr("height", "100%").attr("fill", getComputedStyle(svg.closest("section") ?? document.body).backgroundColor);
  copy.prepend(ground.node());
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}\n`;
}

function savePng(svg, file) {
  const scale = 2;
  const image = new Image();
  image.onload = () => {
    const canvas = el("canvas");
    canvas.width = svg.width.baseVal.value * scale;
    canvas.height = svg.height.baseVal.value * scale;
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.drawImage(image, 0, 0);
    canvas.toBlob((blob) => download(`${file}.png`, "image/png", blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(alone(svg))}`;
}

const ticks = (length, each) => Math.max(2, Math.floor(length / each));

// Axes with a grid behind them and titles. Numbers of rates are percent.
function axes(svg, { x, y, left, top, right, bottom, xTitle, yTitle, xFormat, yFormat, xTicks, yTicks }) {
  const below = d3.axisBottom(x).ticks(xTicks ?? ticks(right - left, 90)).tickSizeOuter(0);
  const beside = d3.axisLeft(y).ticks(yTicks ?? ticks(bottom - top, 50)).tickSizeOuter(0);
  if (xFormat) below.tickFormat(xFormat);
  if (yFormat) beside.tickFormat(yFormat);
  const grid = svg.append("g").attr("class", "grid").attr("aria-hidden", "true");
  grid.append("g").attr("transform", `translate(0,${bottom})`).call(below).call((g) => g.selectAll("text").remove()).selectAll("line").attr("y2", top - bottom);
  grid.append("g").attr("transform", `translate(${left},0)`).call(beside).call((g) => g.selectAll("text").remove()).selectAll("line").attr("x2", right - left);
  const across = svg.append("g").attr("class", "axis").attr("aria-hidden", "true").attr("transform", `translate(0,${bottom})`).call(below);
  const up = svg.append("g").attr("class", "axis").attr("aria-hidden", "true").attr("transform", `translate(${left},0)`).call(beside);
  if (xTitle) svg.append("text").attr("class", "axistitle").attr("x", (left + right) / 2).attr("y", bottom + 36).attr("text-anchor", "middle").text(xTitle);
  if (yTitle) svg.append("text").attr("class", "axistitle").attr("x", left - 4).attr("y", top - 12).attr("text-anchor", "start").text(yTitle).attr("dx", -left + 8);
  return { across, up, below, beside };
}

const percentTick = (x) => `${+(100 * x).toFixed(2)} %`;
const tickFor = (m) => (report.measures[m].statistic === "pass_rate" ? percentTick : (x) => signless(String(+x.toFixed(4))));

// What a mark means, beside it, for mouse and keyboard.
const tip = { node: null, show(event, lines) {
  if (!tip.node) { tip.node = el("div", { class: "tip", "aria-hidden": "true" }); document.body.append(tip.node); }
  tip.node.replaceChildren(...lines.map((line, i) => el(i === 0 ? "strong" : "span", {}, line)));
  tip.node.hidden = false;
  const box = event.target.getBoundingClientRect();
  const [px, py] = event.clientX || event.clientY ? [event.clientX, event.clientY] : [box.right, box.top];
  const { offsetWidth: w, offsetHeight: h } = tip.node;
  tip.node.style.left = `${Math.max(4, Math.min(innerWidth - w - 8, px + 14))}px`;
  tip.node.style.top = `${Math.max(4, py - h - 12 < 4 ? py + 18 : py - h - 12)}px`;
}, hide() { if (tip.node) tip.node.hidden = true; } };
addEventListener("scroll", () => tip.hide(), { passive: true, capture: true });

const withTip = (selection, lines) => selection
  .on("pointerenter.tip pointermove.tip focus.tip", function (event, d) { tip.show(event, lines(d)); })
  .on("pointerleave.tip blur.tip", () => tip.hide());

// Words that don't lie on each other: each is tried at places around its point, the first free one is taken.
function labels(svg, points, bounds) {
  const taken = points.map((p) => ({ x0: p.x - 7, x1: p.x + 7, y0: p.y - 7, y1: p.y + 7 }));
  const group = svg.append("g").attr("class", "labels").attr("aria-hidden", "true");
  for (const point of points) {
    const text = group.append("text").attr("class", "label").classed("strong", point.strong).text(point.text);
    const width = text.node().getComputedTextLength() || point.text.length * 7;
    const places = [[10, 4, "start"], [-10, 4, "end"], [0, -12, "middle"], [0, 20, "middle"], [10, -10, "start"], [-10, -10, "end"], [10, 18, "start"], [-10, 18, "end"], [14, -26, "start"], [14, 34, "start"], [-14, -26, "end"], [-14, 34, "end"], [18, -42, "start"], [18, 50, "start"]];
    const box = ([dx, dy, anchor]) => {
      const x0 = point.x + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
      return { x0, x1: x0 + width, y0: point.y + dy - 12, y1: point.y + dy + 3 };
    };
    const out = (b) => Math.max(0, bounds.x0 - b.x0) + Math.max(0, b.x1 - bounds.x1) + Math.max(0, bounds.y0 - b.y0) + Math.max(0, b.y1 - bounds.y1);
    const over = (b) => taken.reduce((sum, t) => sum + Math.max(0, Math.min(b.x1, t.x1) - Math.max(b.x0, t.x0)) * Math.max(0, Math.min(b.y1, t.y1) - Math.max(b.y0, t.y0)), 0);
    const best = d3.least(places, (place) => over(box(place)) + 100 * out(box(place)));
    const [dx, dy, anchor] = best;
    text.attr("x", point.x + dx).attr("y", point.y + dy).attr("text-anchor", anchor);
    if (Math.abs(dy) > 22) group.append("line").attr("class", "leader").attr("x1", point.x).attr("y1", point.y).attr("x2", point.x + dx).attr("y2", point.y + dy - (dy > 0 ? 10 : -2));
    taken.push(box(best));
  }
}

const legend = (conditions) => el("ul", { class: "legend" }, conditions.map((c) => el("li", {}, named(c))));
