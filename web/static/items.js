// All bundles of a result, one row each: sorted, filtered, with the texts of the chosen one.

import { count, fixed, groupWords } from "./text.js";
import { el } from "./dom.js";
import { longTable } from "./table.js";

const TIERS = ["tier1_easy", "tier2_robust", "tier3_adversarial", "no tier"];
const POOLS = ["legacy", "organic", "expanded", ""];
const WAS = ["", "failed", "passed"];

const OUTCOMES = {
  all: ["any outcome", () => true],
  failed: ["fails", (c, i) => !(c.margin[i] > 0)],
  passed: ["passes", (c, i) => c.margin[i] > 0],
  lost: ["lost: passed before, fails now", (c, i) => c.was[i] === 2 && !(c.margin[i] > 0)],
  gained: ["gained: failed before, passes now", (c, i) => c.was[i] === 1 && c.margin[i] > 0],
};

/** Columns: key, title, text of a cell, width. */
function columnsOf(columns) {
  const all = [
    ["bundle_id", "Bundle", (i) => columns.bundle_id[i], "minmax(9rem, 2fr)"],
    ["group", "Group", (i) => columns.group[i], "minmax(6rem, 1fr)"],
    ["tier", "Tier", (i) => (columns.tier[i] < 3 ? `tier ${columns.tier[i] + 1}` : "–"), "3.5rem"],
    ["pool", "Pool", (i) => POOLS[columns.pool[i]], "4.5rem"],
    ["margin", "Margin", (i) => fixed(columns.margin[i], 4), "5.5rem"],
    ["rank", "Rank", (i) => count(columns.rank[i]), "4rem"],
    ["pos_sim", "Positive", (i) => fixed(columns.pos_sim[i], 4), "5.5rem"],
    ["max_neg_sim", "Negative", (i) => fixed(columns.max_neg_sim[i], 4), "5.5rem"],
    ["was", "Before", (i) => WAS[columns.was[i]], "4.5rem"],
  ];
  const has = (name) => (name === "was" ? columns.was.some((was) => was > 0) : name !== "pool" || columns.pool.some((pool) => POOLS[pool] !== ""));
  return all.filter(([name]) => has(name));
}

const isNumber = (name) => ["margin", "rank", "pos_sim", "max_neg_sim"].includes(name);

/** Numbers of all bundles in order of a column; equal ones keep the order of the file. */
function sorted(values, up) {
  const order = Uint32Array.from(values, (_, i) => i);
  let keys = values;
  if (typeof values[0] === "string") {
    // Once for each distinct text: a collator is slow.
    const { compare } = new Intl.Collator("en", { numeric: true });
    const places = new Map([...new Set(values)].sort(compare).map((value, place) => [value, place]));
    keys = values.map((value) => places.get(value));
  }
  const sign = up ? 1 : -1;
  return order.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
}

/** The whole of it: filters, table, and the texts of the chosen row. `textsOf(index)` gives an element. */
function itemTable(columns, textsOf) {
  const shown = columnsOf(columns);
  const total = columns.bundle_id.length;
  let sort = { key: "margin", up: true };
  let order = sorted(columns.margin, true);
  let chosen = -1;

  const words = el("input", { type: "search", placeholder: "bundle, group or negative" });
  const tier = el("select", {}, ["any", ...TIERS.map(groupWords)].map((name, i) => el("option", { value: i - 1 }, name)));
  const known = Object.entries(OUTCOMES).filter(([name]) => !["lost", "gained"].includes(name) || columns.was.some((was) => was > 0));
  const outcome = el("select", {}, known.map(([name, [title]]) => el("option", { value: name }, title)));
  const said = el("p", { class: "quiet", role: "status" });
  const texts = el("div", { class: "texts", "aria-live": "polite" });

  const wanted = () => {
    const sought = words.value.trim().toLowerCase();
    const [, passes] = OUTCOMES[outcome.value];
    const has = (text) => text.toLowerCase().includes(sought);
    const rows = Array.from(order.filter((i) => (tier.value === "-1" || columns.tier[i] === Number(tier.value))
      && passes(columns, i)
      && (sought === "" || has(columns.bundle_id[i]) || has(columns.group[i]) || has(columns.winning_negative[i]))));
    said.textContent = rows.length === total ? `${count(total)} bundles` : `${count(rows.length)} of ${count(total)} bundles`;
    return rows;
  };
  const cells = (i) => shown.map(([name, , text]) => el("span", { role: "cell", class: isNumber(name) ? "c-number" : "line" }, text(i)));
  const table = longTable({
    label: "All bundles; arrow keys choose one, Enter shows its texts",
    columns: shown.map(([key, name]) => ({ key, name, class: isNumber(key) ? "c-number" : undefined })),
    grid: shown.map(([, , , width]) => width).join(" "),
    row: 32, rows: wanted(), cells, opensOnMove: false, sort,
    sortBy: (key) => {
      sort = { key, up: sort.key === key ? !sort.up : true };
      order = sorted(columns[key], sort.up);
      table.fill(wanted(), sort);
    },
    onopen: async (index) => {
      chosen = index;
      const made = await textsOf(index);
      if (made && chosen === index) texts.replaceChildren(made);
    },
  });
  table.classList.add("items");
  for (const control of [words, tier, outcome]) control.addEventListener("input", () => table.fill(wanted(), sort));
  const controls = el("div", { class: "filters" }, el("label", {}, "Search ", words), el("label", {}, "Tier ", tier), el("label", {}, "Which ", outcome), said);
  return el("div", {}, controls, table, texts);
}

export { itemTable };
