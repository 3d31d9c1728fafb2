// Elements, and files to download. Text goes in as text, never as markup: it may come from a stranger's file.

const byId = (id) => document.getElementById(id);

/** el("p", {class: "quiet", onclick: f}, "text", otherElement): what is absent is left out. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Cells that a spreadsheet would take for a formula are made text. */
const csvCell = (value) => {
  let text = value === null || value === undefined ? "" : String(value);
  if (typeof value === "string" && /^[=+@\t\r]|^-(?![\d.])/.test(text)) text = `'${text}`;
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const csv = (columns, rows) =>
  [columns.map(csvCell), ...rows.map((row) => row.map(csvCell))].map((cells) => cells.join(",")).join("\r\n") + "\r\n";

/** Buttons for a table as CSV and JSON. */
function downloads(name, columns, rows) {
  const asJson = () => {
    const names = columns();
    const objects = rows().map((row) => Object.fromEntries(row.map((value, i) => [names[i], value])));
    download(`${name}.json`, "application/json", JSON.stringify(objects, null, 1));
  };
  const button = (title, give) => el("button", { type: "button", class: "small", onclick: give, "aria-label": `Download ${name} as ${title}` }, title);
  return el("span", { class: "downloads" }, button("CSV", () => download(`${name}.csv`, "text/csv", csv(columns(), rows()))), button("JSON", asJson));
}

function select(label, options, value, onchange, attributes = {}) {
  const groups = new Map();
  for (const option of options) {
    const group = option.group ?? "";
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(el("option", { value: option.value, selected: option.value === value }, option.label));
  }
  const children = [...groups].flatMap(([group, of]) => (group ? [el("optgroup", { label: group }, of)] : of));
  const box = el("select", { onchange: () => onchange(box.value), ...attributes }, children);
  return el("label", { class: "field" }, el("span", {}, label), box);
}

const checkbox = (label, checked, onchange) => {
  const box = el("input", { type: "checkbox", checked, onchange: () => onchange(box.checked) });
  return el("label", { class: "check" }, box, el("span", {}, label));
};

/** What a page looks like on paper: charts have this width in pixels (A4 within its margins), lists are cut to so many rows. */
const paper = { on: false, width: 690, rows: 40 };

export { byId, checkbox, csv, download, downloads, el, paper, select };
