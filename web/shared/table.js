// Tables: plain ones that sort, and one that holds a hundred thousand rows and draws those that are seen.

import { downloads, el, paper } from "./dom.js";

/** A value with its interval below it: so a table with many of them stays narrow. */
const withInterval = (value, interval) => el("span", {}, value, interval ? el("span", { class: "ci" }, " ", interval) : null);

function order(rows, { column: of, up }) {
  const compare = (a, b) => {
    const [x, y] = [of.value(a), of.value(b)];
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
  };
  return [...rows].sort(compare);
}

/** columns: [{name, title?, number?, class?, value(row), show?(row) -> text or element, parts?: what it is in files}] */
function plainTable(caption, columns, rows, options = {}) {
  let by = null;
  const body = el("tbody");
  const sorted = () => (by ? order(rows, by) : rows);
  const cell = (row) => (of, i) => {
    const content = of.show ? of.show(row) : of.value(row);
    const made = el(i === 0 ? "th" : "td", { class: of.number ? "number" : of.class, scope: i === 0 ? "row" : undefined });
    made.append(...(Array.isArray(content) ? content : [content ?? "–"]));
    return made;
  };
  const fill = () => body.replaceChildren(...sorted().map((row) => el("tr", { class: options.rowClass?.(row) }, columns.map(cell(row)))));
  const heads = columns.map((of) => {
    // A column of buttons has no name and nothing to sort by.
    const button = of.name === "" ? el("span", { class: "unseen" }, "Actions") : el("button", { type: "button", class: "sort" }, of.name);
    const head = el("th", { scope: "col", class: of.number ? "number" : undefined, title: of.title }, button);
    button.addEventListener("click", () => {
      if (of.name === "") return;
      by = { column: of, up: by?.column === of ? !by.up : !of.number };
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", by.up ? "ascending" : "descending");
      fill();
    });
    return head;
  });
  fill();
  const file = options.file ?? caption.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");
  const kept = columns.filter((of) => of.name !== "");
  const names = () => kept.flatMap((of) => of.parts?.map((p) => p.name) ?? [of.file ?? of.name]);
  const values = () => sorted().map((row) => kept.flatMap((of) => of.parts?.map((p) => p.value(row)) ?? [of.value(row)]));
  return el(
    "div",
    { class: "table" },
    el("div", { class: "tablehead" }, el("h3", {}, caption), downloads(file, names, values)),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", {}, el("thead", {}, el("tr", {}, heads)), body)),
    options.note ? el("p", { class: "quiet" }, options.note) : null,
  );
}

/** Rows above and below those that are seen. */
const SPARE = 8;

/** A list whose rows have one height (`row` pixels). `cells(row)` makes the row's children when it comes into view; `grid`
 * holds the widths of the columns. `fill(rows)` shows others. */
function longTable({ label, columns, rows, cells, grid, row: height = 52, onopen, opened, opensOnMove = true, sortBy, sort }) {
  const space = el("div", { class: "space", role: "rowgroup" });
  const port = el("div", { class: "port", tabindex: 0, role: "table", "aria-label": label, "aria-colcount": columns.length });
  port.style.setProperty("--columns", grid);
  const heads = columns.map((of) => el("span", { role: "columnheader", class: of.class, title: of.title, "data-column": of.key },
    of.key ? el("button", { type: "button", class: "sort", onclick: () => sortBy(of.key) }, of.name) : of.name));
  const head = el("div", { class: "longhead", role: "row", "aria-rowindex": 1 }, heads);
  const made = new Map();
  let active = -1;
  const row = (i) => {
    const line = el("div", { class: "longrow", role: "row", "aria-rowindex": i + 2, "data-index": rows[i], onclick: () => open(i) }, cells(rows[i]));
    line.style.height = `${height}px`;
    line.classList.toggle("active", i === active);
    return line;
  };
  const show = () => {
    if (paper.on) return;
    const top = Math.max(0, port.scrollTop - head.offsetHeight);
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(rows.length, Math.ceil((top + (port.clientHeight || 600)) / height) + SPARE);
    for (const [i, line] of made) if (i < first || i >= last) { line.remove(); made.delete(i); }
    for (let i = first; i < last; i += 1) {
      if (made.has(i)) continue;
      const line = row(i);
      line.style.top = `${i * height}px`;
      made.set(i, line);
      space.append(line);
    }
  };
  const move = (to) => {
    active = Math.max(0, Math.min(rows.length - 1, to));
    const top = active * height;
    if (top < port.scrollTop) port.scrollTop = top;
    if (top + height > port.scrollTop + port.clientHeight - head.offsetHeight) port.scrollTop = top + height - port.clientHeight + head.offsetHeight;
    show();
    for (const [i, line] of made) line.classList.toggle("active", i === active);
  };
  const open = (i) => { move(i); onopen(rows[i]); };
  const fill = (given, by) => {
    const chosen = active >= 0 ? rows[active] : opened;
    rows = given;
    active = rows.indexOf(chosen);
    for (const line of made.values()) line.remove();
    made.clear();
    port.setAttribute("aria-rowcount", rows.length + 1);
    heads.forEach((of, i) => {
      if (by && by.key === columns[i].key) of.setAttribute("aria-sort", by.up ? "ascending" : "descending");
      else of.removeAttribute("aria-sort");
    });
    if (paper.on) { space.replaceChildren(...rows.slice(0, paper.rows).map((_, i) => row(i))); return; }
    space.style.height = `${rows.length * height}px`;
    port.scrollTop = active > 0 ? Math.max(0, active * height - port.clientHeight / 2) : 0;
    show();
  };
  port.addEventListener("scroll", show, { passive: true });
  port.addEventListener("keydown", (event) => {
    if (event.target !== port || rows.length === 0) return;
    const page = Math.max(1, Math.floor(port.clientHeight / height) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) { event.preventDefault(); if (opensOnMove) open(Math.max(0, Math.min(rows.length - 1, to))); else move(to); }
    if (event.key === "Enter" && active >= 0) { event.preventDefault(); open(active); }
  });
  port.append(head, space);
  fill(rows, sort);
  // Its height is known only when it is in the page.
  requestAnimationFrame(() => { if (active > 0) port.scrollTop = Math.max(0, active * height - port.clientHeight / 2); show(); });
  new ResizeObserver(show).observe(port);
  port.fill = fill;
  return port;
}

export { longTable, plainTable, withInterval };
