// Elements and numbers. Text goes in as text, never as markup: it may come from a stranger's file.

const byId = (id) => document.getElementById(id);

/** An element with attributes (`class`, `aria-label`, …) and children: elements or texts; what is absent is left out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  set(made, attributes);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** The same in SVG. */
function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value);
  }
}

const whole = new Intl.NumberFormat("en");
const count = (n) => whole.format(n);
/** With a minus sign that is as wide as a plus. */
const signed = (text) => text.replace("-", "\u2212");
const number = (x, digits) => (x === null || x === undefined ? "–" : signed(x.toFixed(digits)));
const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : `${signed((100 * share).toFixed(digits))} %`);
const points = (share) => `${share < 0 ? "" : "+"}${signed((100 * share).toFixed(1))}`;

function bytes(n) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (n >= 1024 && unit + 1 < units.length) {
    n /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? n : n.toFixed(1)} ${units[unit]}`;
}

export { byId, bytes, count, element, number, percent, points, svg };
