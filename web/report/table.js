// Tables: plain ones that sort, and one that holds a hundred thousand rows and draws those that are seen.

// columns: [{name, title?, number?, value(row), show?(row) -> text or element}]
function plainTable(caption, columns, rows, options = {}) {
  let order = null;
  const body = el("tbody");
  const sorted = () => {
    if (!order) return rows;
    const { column: of, up } = order;
    const key = (row) => of.value(row);
    const compare = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
    };
    return [...rows].sort(compare);
  };
  const fill = () => body.replaceChildren(...sorted().map((row) => {
    const cells = columns.map((of, i) => {
      const content = of.show ? of.show(row) : of.value(row);
      const cell = el(i === 0 ? "th" : "td", { class: of.number ? "number" : of.class, scope: i === 0 ? "row" : undefined });
      cell.append(...(Array.isArray(content) ? content : [content ?? "–"]));
      return cell;
    });
    const made = el("tr", { class: options.rowClass?.(row) }, cells);
    return made;
  }));
  const heads = columns.map((of) => {
    const button = el("button", { type: "button", class: "sort" }, of.name);
    const head = el("th", { scope: "col", class: of.number ? "number" : undefined, title: of.title }, button);
    button.addEventListener("click", () => {
      order = { column: of, up: order?.column === of ? !order.up : !of.number };
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order.up ? "ascending" : "descending");
      fill();
    });
    return head;
  });
  fill();
  const name = options.file ?? caption.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");
  const names = () => columns.flatMap((of) => of.parts?.map((p) => p.name) ?? [of.file ?? of.name]);
  const values = () => sorted().map((row) => columns.flatMap((of) => of.parts?.map((p) => p.value(row)) ?? [of.value(row)]));
  return el(
    "div",
    { class: "table" },
    el("div", { class: "tablehead" }, el("h3", {}, caption), downloads(name, names, values)),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
      el("table", {}, el("thead", {}, el("tr", {}, heads)), body)),
    options.note ? el("p", { class: "quiet" }, options.note) : null,
  );
}

const ROW = 52;
const SPARE = 8;

// A list whose rows have one height. `cells(row)` makes the row's children when it comes into view.
function longTable({ label, columns, rows, cells, onopen, opened, sortBy, sort }) {
  const space = el("div", { class: "space", role: "rowgroup" });
  const port = el("div", { class: columns.length < 5 ? "port four" : "port", tabindex: 0, role: "table", "aria-label": label, "aria-rowcount": rows.length + 1, "aria-colcount": columns.length });
  const heads = columns.map((of) => {
    const direction = sort?.key === of.key ? (sort.up ? "ascending" : "descending") : undefined;
    return el("span", { role: "columnheader", class: of.class, title: of.title, "aria-sort": direction },
      of.key ? el("button", { type: "button", class: "sort", onclick: () => sortBy(of.key) }, of.name) : of.name);
  });
  const head = el("div", { class: "longhead", role: "row", "aria-rowindex": 1 }, heads);
  space.style.height = `${rows.length * ROW}px`;
  const made = new Map();
  let active = rows.findIndex((row) => row === opened);
  const show = () => {
    const top = Math.max(0, port.scrollTop - head.offsetHeight);
    const first = Math.max(0, Math.floor(top / ROW) - SPARE);
    const last = Math.min(rows.length, Math.ceil((top + (port.clientHeight || 600)) / ROW) + SPARE);
    for (const [i, row] of made) if (i < first || i >= last) { row.remove(); made.delete(i); }
    for (let i = first; i < last; i++) {
      if (made.has(i)) continue;
      const row = el("div", { class: "longrow", role: "row", "aria-rowindex": i + 2, onclick: () => open(i) }, cells(rows[i]));
      row.style.top = `${i * ROW}px`;
      if (i === active) row.classList.add("active");
      made.set(i, row);
      space.append(row);
    }
  };
  const move = (to) => {
    active = Math.max(0, Math.min(rows.length - 1, to));
    const top = active * ROW;
    if (top < port.scrollTop) port.scrollTop = top;
    if (top + ROW > port.scrollTop + port.clientHeight - head.offsetHeight) port.scrollTop = top + ROW - port.clientHeight + head.offsetHeight;
    show();
    for (const [i, row] of made) row.classList.toggle("active", i === active);
  };
  const open = (i) => { move(i); onopen(rows[i]); };
  port.addEventListener("scroll", show, { passive: true });
  port.addEventListener("keydown", (event) => {
    if (event.target !== port) return;
    const page = Math.max(1, Math.floor(port.clientHeight / ROW) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length - 1 }[event.key];
    if (to !== undefined) { event.preventDefault(); move(to); open(active); }
    if (event.key === "Enter" && active >= 0) { event.preventDefault(); open(active); }
  });
  port.append(head, space);
  requestAnimationFrame(() => { show(); if (active > 0) port.scrollTop = Math.max(0, active * ROW - port.clientHeight / 2); });
  new ResizeObserver(show).observe(port);
  return port;
}
