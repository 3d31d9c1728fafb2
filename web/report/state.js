// What is looked at, in the address: a link shows what the sender saw, and back and forward work.

const DEFAULTS = { tab: "", x: "", y: "", c: "", hide: "", layers: "changes,seeds,ellipses,intervals", zoom: "", brush: "", eval: "", seed: "", tier: "", pool: "", status: "", q: "", sort: "", item: "", base: "", panel: "", level: "" };
let state = { ...DEFAULTS };
let draw = () => {};

function readState() {
  const given = new URLSearchParams(location.hash.slice(1));
  state = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) if (given.has(key)) state[key] = given.get(key).slice(0, 2000);
}

function address() {
  const kept = Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key]);
  return `#${new URLSearchParams(kept)}`;
}

// `changes` to the view. A step that one would go back to makes an entry of history; a slide of the hand does not.
function go(changes, { push = true, redraw = true } = {}) {
  state = { ...state, ...changes };
  const target = address();
  if (target !== location.hash && !(target === "#" && location.hash === "")) {
    try {
      history[push ? "pushState" : "replaceState"](null, "", target);
    } catch {
      // A page may not be allowed more than so many entries a minute.
      location.replace(target);
    }
  }
  if (redraw) draw();
}

addEventListener("popstate", () => { readState(); draw(); });
addEventListener("hashchange", () => { if (address() !== location.hash) { readState(); draw(); } });

const announce = (text) => { byId("announce").textContent = text; };
const layers = () => new Set(state.layers.split(",").filter(Boolean));
const hidden = () => new Set(state.hide.split(",").filter(Boolean));
