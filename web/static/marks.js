// Charts of a result: bars of margins, and a pass rate with its interval.

import { axes, figure } from "./chart.js";
import { between, count, groupWords, percent, plural, sentence, short } from "./text.js";

/** Margins of one tier as bars; what fails is on the left of 0. `from` and `to`: the bars that any tier fills. */
function histogramOf({ tier, counts }, { low, width: step }, [from, to], file) {
  const all = counts.reduce((sum, n) => sum + n, 0);
  const zero = Math.round(-low / step);
  const failed = counts.slice(0, zero).reduce((sum, n) => sum + n, 0);
  const title = `${sentence(groupWords(tier))}: ${count(failed)} of ${plural(all, "bundle")} fail`;
  return figure({
    title, file: `${file}_margins_${tier.replace(" ", "_")}`,
    drawn: (svg, width) => {
      const [left, right, top, bottom, height] = [44, width - 12, 34, 160, 204];
      const x = d3.scaleLinear([low + from * step, low + to * step], [left, right]);
      const y = d3.scaleLinear([0, Math.max(...counts)], [bottom, top]);
      axes(svg, { x, y, left, right, top, bottom, xTitle: "margin (cosine units)", yTitle: "↑ bundles", xFormat: (v) => short(v, 3), yFormat: (v) => (Number.isInteger(v) ? count(v) : ""), yTicks: 3, xTicks: Math.max(2, Math.floor(width / 80)) });
      for (let bar = from; bar < to; bar += 1) {
        if (counts[bar] === 0) continue;
        const [at, end] = [low + bar * step, low + (bar + 1) * step];
        // At least a line, so that a single bundle is seen beside a thousand.
        const tall = Math.max(1.5, bottom - y(counts[bar]));
        svg.append("rect").attr("class", bar < zero ? "fails" : "passes").attr("x", x(at) + 0.5).attr("width", Math.max(1, x(end) - x(at) - 1)).attr("y", bottom - tall).attr("height", tall)
          .append("title").text(`${short(at)} to ${short(end)}: ${plural(counts[bar], "bundle")}`);
      }
      svg.append("line").attr("class", "zero").attr("x1", x(0)).attr("x2", x(0)).attr("y1", top).attr("y2", bottom);
      return height;
    },
  });
}

/** One for each tier, on one scale. */
function histograms(histogram, file) {
  const filled = histogram.tiers.flatMap(({ counts }) => counts.flatMap((n, bar) => (n > 0 ? [bar] : [])));
  const zero = Math.round(-histogram.low / histogram.width);
  const range = [Math.min(zero, ...filled), Math.max(zero, ...filled) + 1];
  return histogram.tiers.map((tier) => histogramOf(tier, histogram, range, file));
}

/** A pass rate from 0 to 100 %, its interval, and the chance level. */
function interval(summary, chance) {
  const at = (share) => 2 + 96 * share;
  const made = d3.create("svg:svg").attr("viewBox", "0 0 100 16").attr("class", "interval").attr("role", "img")
    .attr("aria-label", `${percent(summary.pass_rate)} ${between(summary.ci95, 1, 100)}`);
  const line = (name, x1, x2, y1 = 8, y2 = 8) => made.append("line").attr("class", name).attr("x1", x1).attr("x2", x2).attr("y1", y1).attr("y2", y2);
  line("track", 2, 98);
  if (chance !== null && chance !== undefined) line("chance", at(chance), at(chance), 3, 13).append("title").text(`chance ${percent(chance)}`);
  line("range", at(summary.ci95.low), at(summary.ci95.high));
  made.append("circle").attr("class", "point").attr("cx", at(summary.pass_rate)).attr("cy", 8).attr("r", 3);
  return made.node();
}

export { histograms, interval };
