// What charts share: colours and marks, axes, a tip, labels, and a picture to download. d3 is a script of the page.

import { download, el, paper } from "./dom.js";

const SERIES = 6;
const MARKS = [d3.symbolCircle, d3.symbolSquare, d3.symbolTriangle, d3.symbolDiamond, d3.symbolCross, d3.symbolWye, d3.symbolStar];
const colour = (series) => `var(--series-${(series % SERIES) + 1})`;
const mark = (series, size) => d3.symbol(MARKS[series % MARKS.length], size)();

/** A series' mark, as it stands in charts, for lists and legends. */
function swatch(series) {
  const made = d3.create("svg:svg").attr("class", "swatch").attr("viewBox", "-8 -8 16 16").attr("aria-hidden", "true");
  made.append("path").attr("d", mark(series, 90)).attr("fill", colour(series));
  return made.node();
}

/** A chart in a figure that is drawn again when its width changes. `drawn(svg, width)` returns the height. */
function figure({ title, caption, file, drawn, minWidth = 280 }) {
  const svg = d3.create("svg:svg").attr("class", "chart").attr("role", "img").attr("aria-label", title);
  const holder = el("div", { class: "holder" }, svg.node());
  const made = el("figure", {}, el("div", { class: "tablehead" }, el("h3", {}, title), pictures(svg.node(), file, title)), holder,
    caption ? el("figcaption", { class: "quiet" }, caption) : null);
  let width = 0;
  made.redraw = (wanted = width) => {
    width = wanted;
    if (width <= 0) return;
    svg.selectAll("*").remove();
    const height = drawn(svg, width);
    svg.attr("viewBox", `0 0 ${width} ${height}`).attr("width", width).attr("height", height);
  };
  made.fit = () => { if (holder.clientWidth > 0) made.redraw(Math.max(minWidth, Math.floor(holder.clientWidth))); };
  new ResizeObserver(() => {
    if (!paper.on && Math.max(minWidth, Math.floor(holder.clientWidth)) !== width) made.fit();
  }).observe(holder);
  return made;
}

const figures = () => [...document.querySelectorAll("figure")].filter((of) => of.redraw);
/** Draws all charts as wide as paper is: a page that is printed has no time to see how wide it is. */
function drawForPaper() {
  paper.on = true;
  for (const of of figures()) of.redraw(paper.width);
}
function drawForScreen() {
  paper.on = false;
  for (const of of figures()) of.fit();
}

function pictures(svg, file, title) {
  return el("span", { class: "downloads" },
    el("button", { type: "button", class: "small", "aria-label": `Download “${title}” as SVG`, onclick: () => download(`${file}.svg`, "image/svg+xml", alone(svg)) }, "SVG"),
    el("button", { type: "button", class: "small", "aria-label": `Download “${title}” as PNG`, onclick: () => savePng(svg, file) }, "PNG"));
}

const CARRIED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-size", "font-family", "font-weight", "text-anchor", "dominant-baseline", "paint-order", "display"];

/** A chart as a file of its own: what styles gave it becomes attributes. */
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

/** Axes with a grid behind them and titles that name the unit. */
function axes(svg, { x, y, left, top, right, bottom, xTitle, yTitle, xFormat, yFormat, xTicks, yTicks }) {
  const below = d3.axisBottom(x).ticks(xTicks ?? ticks(right - left, 90)).tickSizeOuter(0);
  const beside = d3.axisLeft(y).ticks(yTicks ?? ticks(bottom - top, 50)).tickSizeOuter(0);
  if (xFormat) below.tickFormat(xFormat);
  if (yFormat) beside.tickFormat(yFormat);
  const grid = svg.append("g").attr("class", "grid").attr("aria-hidden", "true");
  const lines = (place, axis, end, length) => grid.append("g").attr("transform", place).call(axis).call((g) => g.selectAll("text").remove()).selectAll("line").attr(end, length);
  lines(`translate(0,${bottom})`, below, "y2", top - bottom);
  lines(`translate(${left},0)`, beside, "x2", right - left);
  svg.append("g").attr("class", "axis").attr("aria-hidden", "true").attr("transform", `translate(0,${bottom})`).call(below);
  svg.append("g").attr("class", "axis").attr("aria-hidden", "true").attr("transform", `translate(${left},0)`).call(beside);
  if (xTitle) axisTitle(svg, (left + right) / 2, bottom + 36, "middle", xTitle, right - left + 24);
  if (yTitle) axisTitle(svg, 4, top - 12, "start", yTitle, right - 4);
}

/** A title that is cut where it would be wider than `room`; whole in its tip. */
function axisTitle(svg, x, y, anchor, title, room) {
  const text = svg.append("text").attr("class", "axistitle").attr("x", x).attr("y", y).attr("text-anchor", anchor);
  fitted(text, title, room);
}

/** Puts text in, cut in its middle until it is no wider than `room`. */
function fitted(text, words, room) {
  const node = text.node();
  const width = (said) => { node.textContent = said; return node.getComputedTextLength() || said.length * 7; };
  if (width(words) <= room) return;
  let [low, high] = [2, words.length - 1];
  const cut = (n) => `${words.slice(0, Math.ceil(n / 2))}…${words.slice(words.length - Math.floor(n / 2))}`;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (width(cut(middle)) <= room) low = middle; else high = middle - 1;
  }
  node.textContent = cut(low);
  text.append("title").text(words);
}

/** What a mark means, beside it, for mouse and keyboard. */
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

/** Places around a point, near ones first: the four sides, then the corners between. */
const PLACES = [14, 20, 28, 38, 50, 64, 80, 98, 118, 140].flatMap((far) => [0, 8, 4, 12, 2, 14, 6, 10, 1, 15, 7, 9, 3, 13, 5, 11].map((way) => {
  const angle = (way * Math.PI) / 8;
  const across = Math.cos(angle);
  return { dx: far * across, dy: -far * Math.sin(angle), anchor: across > 0.3 ? "start" : across < -0.3 ? "end" : "middle" };
}));

const overlap = (a, b) => Math.max(0, Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0)) * Math.max(0, Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0));

/** Words that lie neither on each other nor on marks (`taken`: boxes), inside of `bounds`. A word for which there is no room is
 * left out; how many are. */
function labels(svg, points, bounds, taken) {
  const group = svg.append("g").attr("class", "labels").attr("aria-hidden", "true");
  const room = Math.min(220, (bounds.x1 - bounds.x0) * 0.45);
  let without = 0;
  for (const point of [...points].sort((a, b) => (b.strong ? 1 : 0) - (a.strong ? 1 : 0))) {
    const text = group.append("text").attr("class", "label").classed("strong", point.strong);
    fitted(text, point.text, room);
    const width = text.node().getComputedTextLength() || point.text.length * 7;
    const box = ({ dx, dy, anchor }) => {
      const x0 = point.x + dx - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
      return { x0: x0 - 2, x1: x0 + width + 2, y0: point.y + dy - 8, y1: point.y + dy + 8 };
    };
    const inside = (b) => b.x0 >= bounds.x0 && b.x1 <= bounds.x1 && b.y0 >= bounds.y0 && b.y1 <= bounds.y1;
    const place = PLACES.find((tried) => inside(box(tried)) && !taken.some((other) => overlap(box(tried), other) > 0));
    if (!place) { text.remove(); without += 1; continue; }
    const { dx, dy, anchor } = place;
    text.attr("x", point.x + dx).attr("y", point.y + dy + 4).attr("text-anchor", anchor);
    if (Math.hypot(dx, dy) > 21) group.insert("line", "text").attr("class", "leader").attr("x1", point.x).attr("y1", point.y).attr("x2", point.x + dx).attr("y2", point.y + dy);
    taken.push(box(place));
  }
  return without;
}

addEventListener("beforeprint", drawForPaper);
addEventListener("afterprint", drawForScreen);

export { axes, colour, drawForPaper, drawForScreen, figure, fitted, labels, mark, swatch, ticks, tip, withTip };
