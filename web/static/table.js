// The items, one row each: sorted, filtered, and only those in sight are elements, so that 100,000 scroll smoothly.

import { count, element, number } from "./dom.js";

const ROW = 32;
/** Rows above and below what is in sight. */
const SPARE = 12;
const TIERS = ["tier1_easy", "tier2_robust", "tier3_adversarial", "no tier"];
const POOLS = ["legacy", "organic", "expanded", ""];
const WAS = ["", "failed", "passed"];

const OUTCOMES = {
  all: ["all bundles", () => true],
  failed: ["failed", (c, i) => !(c.margin[i] > 0)],
  passed: ["passed", (c, i) => c.margin[i] > 0],
  lost: ["lost: passed before, fail now", (c, i) => c.was[i] === 2 && !(c.margin[i] > 0)],
  gained: ["gained: failed before, pass now", (c, i) => c.was[i] === 1 && c.margin[i] > 0],
};

/** Columns: name, title, text of a cell, whether it is a number. */
function columnsOf(columns) {
  const all = [
    ["bundle_id", "bundle", (i) => columns.bundle_id[i], false],
    ["group", "group", (i) => columns.group[i], false],
    ["tier", "tier", (i) => TIERS[columns.tier[i]], false],
    ["pool", "pool", (i) => POOLS[columns.pool[i]], false],
    ["margin", "margin", (i) => number(columns.margin[i], 4), true],
    ["rank", "rank", (i) => count(columns.rank[i]), true],
    ["pos_sim", "positive", (i) => number(columns.pos_sim[i], 4), true],
    ["max_neg_sim", "negative", (i) => number(columns.max_neg_sim[i], 4), true],
    ["was", "before", (i) => WAS[columns.was[i]], false],
  ];
  const baseline = columns.was.some((was) => was > 0);
  const pools = columns.pool.some((pool) => POOLS[pool] !== "");
  return all.filter(([name]) => (name !== "was" || baseline) && (name !== "pool" || pools));
}

/** Numbers of all items in order of a column; equal ones keep the order of the file. */
function sorted(values, down) {
  const order = Uint32Array.from(values, (_, i) => i);
  const compare = typeof values[0] === "string" ? new Intl.Collator("en", { numeric: true }).compare : (a, b) => a - b;
  // Once for each distinct text: a collator is slow.
  let keys = values;
  if (typeof values[0] === "string") {
    const places = new Map([...new Set(values)].sort(compare).map((value, place) => [value, place]));
    keys = values.map((value) => places.get(value));
  }
  const sign = down ? -1 : 1;
  return order.sort((a, b) => sign * (keys[a] - keys[b]) || a - b);
}

/** The whole of it: filters, table, and the texts of the chosen row. `textsOf(index)` gives an element. */
function itemTable(columns, textsOf) {
  const shown = columnsOf(columns);
  const total = columns.bundle_id.length;
  let sort = { name: "margin", down: false };
  let order = sorted(columns.margin, false);
  let rows = order;
  let chosen = -1;

  const words = element("input", { type: "search", placeholder: "bundle, group or negative" });
  const tier = element("select", {}, ...["all tiers", ...TIERS].map((name, i) => element("option", { value: i - 1 }, name)));
  const known = Object.entries(OUTCOMES).filter(([name]) => !["lost", "gained"].includes(name) || columns.was.some((was) => was > 0));
  const outcome = element("select", {}, ...known.map(([name, [title]]) => element("option", { value: name }, title)));
  const said = element("p", { class: "quiet", role: "status" });
  const body = element("tbody");
  const heads = shown.map(([name, title, , isNumber]) => {
    const button = element("button", { type: "button", onclick: () => sortBy(name) }, title);
    return element("th", { scope: "col", class: isNumber ? "number" : undefined, "data-column": name }, button);
  });
  const table = element("table", { "aria-rowcount": total + 1 }, element("thead", {}, element("tr", { "aria-rowindex": 1 }, ...heads)), body);
  const port = element("div", { class: "items", tabindex: 0, role: "region", "aria-label": "Items; arrow keys choose one, Enter shows its texts" }, table);
  const texts = element("div", { class: "texts", "aria-live": "polite" });

  const space = (height) => element("tr", { class: "space", "aria-hidden": "true" }, element("td", { colspan: shown.length, height }));
  function draw() {
    const first = Math.max(0, Math.floor(port.scrollTop / ROW) - SPARE);
    const end = Math.min(rows.length, Math.ceil((port.scrollTop + port.clientHeight) / ROW) + SPARE);
    const made = [];
    for (let at = first; at < end; at += 1) {
      const i = rows[at];
      const cells = shown.map(([, , cell, isNumber]) => element("td", { class: isNumber ? "number" : undefined }, cell(i)));
      const fails = !(columns.margin[i] > 0);
      const row = element("tr", { class: fails ? "fails" : "passes", "aria-rowindex": at + 2, "aria-current": i === chosen ? "true" : undefined, "data-index": i }, ...cells);
      made.push(row);
    }
    body.replaceChildren(space(first * ROW), ...made, space((rows.length - end) * ROW));
  }

  function filter() {
    const wanted = words.value.trim().toLowerCase();
    const [, passes] = OUTCOMES[outcome.value];
    const has = (text) => text.toLowerCase().includes(wanted);
    rows = order.filter((i) => (tier.value === "-1" || columns.tier[i] === Number(tier.value))
      && passes(columns, i)
      && (wanted === "" || has(columns.bundle_id[i]) || has(columns.group[i]) || has(columns.winning_negative[i])));
    said.textContent = rows.length === total ? `${count(total)} bundles` : `${count(rows.length)} of ${count(total)} bundles`;
    port.scrollTop = 0;
    draw();
  }

  function sortBy(name) {
    sort = { name, down: sort.name === name ? !sort.down : false };
    order = sorted(columns[name], sort.down);
    for (const head of heads) {
      const own = head.dataset.column === name;
      if (own) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    filter();
  }

  async function choose(index, open) {
    chosen = index;
    const at = rows.indexOf(index);
    const top = at * ROW;
    if (top < port.scrollTop) port.scrollTop = top;
    else if (top + 2 * ROW > port.scrollTop + port.clientHeight) port.scrollTop = top + 2 * ROW - port.clientHeight;
    draw();
    if (!open) return;
    const made = await textsOf(index);
    if (made && chosen === index) texts.replaceChildren(made);
  }

  port.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(port.clientHeight / ROW) - 1);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -total, End: total };
    if (event.target !== port || rows.length === 0) return;
    if (event.key in moves) {
      event.preventDefault();
      const at = rows.indexOf(chosen);
      const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + moves[event.key]));
      choose(rows[next], false);
    } else if (event.key === "Enter" && chosen >= 0) {
      choose(chosen, true);
    }
  });
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr[data-index]");
    if (row) choose(Number(row.dataset.index), true);
  });
  let asked = false;
  port.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  });
  for (const control of [words, tier, outcome]) control.addEventListener("input", filter);

  heads.find((head) => head.dataset.column === "margin").setAttribute("aria-sort", "ascending");
  const controls = element("div", { class: "filters" }, element("label", {}, "Find ", words), element("label", {}, "Tier ", tier), element("label", {}, "Outcome ", outcome), said);
  // Its height is known only when it is in the page.
  new ResizeObserver(draw).observe(port);
  filter();
  return element("div", {}, controls, port, texts);
}

export { itemTable };
