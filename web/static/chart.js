// Charts: bars of margins, and a pass rate with its interval. Colours are classes of page.css.

import { count, element, number, percent, svg } from "./dom.js";

const WIDTH = 360;
const HEIGHT = 120;
const BOTTOM = 18;

/** Margins of one tier as bars; what fails is on the left of 0. `range`: the bars that any tier fills. */
function histogramOf({ tier, counts }, { low, width }, [from, to]) {
  const most = Math.max(...counts);
  const all = counts.reduce((sum, n) => sum + n, 0);
  const step = WIDTH / (to - from);
  const zero = Math.round(-low / width);
  const failed = counts.slice(0, zero).reduce((sum, n) => sum + n, 0);
  const label = `Margins of ${count(all)} bundles of ${tier}: ${count(failed)} fail (0 or below), ${count(all - failed)} pass.`;
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + BOTTOM}`, class: "histogram", role: "img", "aria-label": label });
  for (let bar = from; bar < to; bar += 1) {
    if (counts[bar] === 0) continue;
    // At least a line, so that a single bundle is seen beside a thousand.
    const height = Math.max(1.5, ((HEIGHT - 4) * counts[bar]) / most);
    const edges = `${number(low + bar * width, 3)} to ${number(low + (bar + 1) * width, 3)}: ${count(counts[bar])}`;
    const place = { x: (bar - from) * step + 0.5, y: HEIGHT - height, width: Math.max(1, step - 1), height };
    chart.append(svg("rect", { ...place, class: bar < zero ? "fails" : "passes" }, svg("title", {}, edges)));
  }
  const at = (margin) => ((margin - low) / width - from) * step;
  chart.append(svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT, class: "axis" }));
  chart.append(svg("line", { x1: at(0), x2: at(0), y1: 0, y2: HEIGHT, class: "zero" }));
  const [first, last] = [low + from * width, low + to * width];
  const near = (x) => Math.abs(at(x) - at(0)) < 36;
  for (const [x, anchor] of [[first, "start"], [0, "middle"], [last, "end"]]) {
    if (x !== 0 && near(x)) continue;
    const edge = Math.min(WIDTH - 2, Math.max(2, at(x)));
    const side = x === 0 && edge < 8 ? "start" : x === 0 && edge > WIDTH - 8 ? "end" : anchor;
    chart.append(svg("text", { x: edge, y: HEIGHT + BOTTOM - 4, "text-anchor": side }, number(x, width < 0.01 ? 3 : 2)));
  }
  const caption = element("figcaption", {}, element("strong", {}, tier), ` ${count(failed)} of ${count(all)} fail`);
  return element("figure", {}, caption, chart);
}

/** One for each tier, on one scale. */
function histograms(histogram) {
  const filled = histogram.tiers.flatMap(({ counts }) => counts.flatMap((n, bar) => (n > 0 ? [bar] : [])));
  const zero = Math.round(-histogram.low / histogram.width);
  const range = [Math.min(zero, ...filled), Math.max(zero, ...filled) + 1];
  return element("div", { class: "histograms" }, ...histogram.tiers.map((tier) => histogramOf(tier, histogram, range)));
}

/** A pass rate from 0 to 100 %, its interval, and the chance level. */
function interval(summary, chance) {
  const at = (share) => 2 + 96 * share;
  const { low, high } = summary.ci95;
  const label = `${percent(summary.pass_rate)}, 95 % interval ${percent(low)} to ${percent(high)}`;
  const parts = [svg("line", { x1: 2, x2: 98, y1: 8, y2: 8, class: "axis" })];
  if (chance !== null && chance !== undefined) {
    parts.push(svg("line", { x1: at(chance), x2: at(chance), y1: 3, y2: 13, class: "chance" }, svg("title", {}, `chance ${percent(chance)}`)));
  }
  parts.push(svg("line", { x1: at(low), x2: at(high), y1: 8, y2: 8, class: "range" }));
  parts.push(svg("circle", { cx: at(summary.pass_rate), cy: 8, r: 3, class: "point" }));
  return svg("svg", { viewBox: "0 0 100 16", class: "interval", role: "img", "aria-label": label }, ...parts);
}

export { histograms, interval };
