// Tabs, and what is drawn in them.

const TABS = { summary: "Summary", pareto: "Pareto explorer", "margin-dist": "Margins", "step-trajectory": "Training", dilution: "Dilution", bundles: "Bundles" };
const VIEWS = { summary: summaryView, pareto: paretoView, "margin-dist": marginsView, "step-trajectory": stepsView, dilution: dilutionView, bundles: () => [el("section", { class: "wide" }, el("h2", {}, "Bundles"), ...itemsView())] };

function tabsShown() {
  const kinds = report.sections.map((s) => s.kind);
  if (withItems().length) kinds.push("bundles");
  return kinds;
}

function drawTabs(kinds, tab) {
  const tabs = byId("tabs");
  tabs.hidden = kinds.length < 2;
  tabs.replaceChildren(...kinds.map((kind) => el("button", {
    type: "button", role: "tab", id: `tab-${kind}`, "aria-selected": String(kind === tab), "aria-controls": "view", tabindex: kind === tab ? 0 : -1,
    class: report.sections.find((s) => s.kind === kind)?.missing ? "lacks" : undefined, onclick: () => { go({ tab: kind, item: "" }); scrollTo({ top: 0 }); },
  }, TABS[kind])));
}

let last = null;

function drawPage() {
  const kinds = tabsShown();
  const tab = kinds.includes(state.tab) ? state.tab : kinds[0];
  tip.hide();
  // What has the keyboard keeps it when the page is drawn again.
  const focus = document.activeElement;
  const again = focus?.id ? `#${CSS.escape(focus.id)}` : focus?.dataset?.condition ? `[data-condition="${CSS.escape(focus.dataset.condition)}"]` : focus?.getAttribute?.("aria-label") ? `[aria-label="${CSS.escape(focus.getAttribute("aria-label"))}"]` : null;
  const at = scrollY;
  drawTabs(kinds, tab);
  const main = byId("view");
  main.setAttribute("aria-labelledby", `tab-${tab}`);
  main.replaceChildren(...VIEWS[tab]().filter(Boolean));
  if (last === tab) {
    // Charts get their height when they know their width: one frame later.
    requestAnimationFrame(() => requestAnimationFrame(() => { scrollTo({ top: at, behavior: "instant" }); if (again) main.querySelector(again)?.focus({ preventScroll: true }); }));
  }
  last = tab;
  document.body.dataset.tab = tab;
}

// On paper all parts stand below each other, with what is folded on the screen.
addEventListener("beforeprint", () => {
  if (!report) return;
  paper.on = true;
  const kinds = tabsShown();
  byId("view").replaceChildren(...kinds.flatMap((kind) => [kinds.length > 1 ? el("p", { class: "partname" }, TABS[kind]) : null, ...VIEWS[kind]()]).filter(Boolean));
  for (const folded of document.querySelectorAll("details:not(.screen)")) folded.open = true;
  drawForPaper();
});
addEventListener("afterprint", () => {
  paper.on = false;
  if (report) drawPage();
});

function start() {
  const sweep = { ratio: "sweep over shares of tier 3's pools", steps: "sweep over training steps", ablation: "sweep over training bundles" }[report.sweep];
  const what = sweep ?? { runs: "runs", scoreboards: "scoreboards", sweep: "sweep" }[report.view];
  byId("subtitle").textContent = `${sentence(what)}: ${plural(report.conditions.length, "condition")}, ${plural(report.runs.length, "run")}${report.evals.length ? `, scored on ${listed(report.evals.map((e) => `${e.name} (${plural(e.count, "bundle")})`))}` : ""}`;
  byId("footer").textContent = `Crucible ${report.crucible_version}. This file is whole: it loads nothing from anywhere and sends nothing. Charts by d3 (ISC licence, in the source of this page).`;
  arrows(byId("tabs"));
  draw = drawPage;
  readState();
  drawPage();
  document.body.dataset.state = "ready";
  document.body.dataset.ready = String(Math.round(performance.now()));
}

readReport().then(start).catch((error) => {
  document.body.dataset.state = "failed";
  byId("subtitle").textContent = `This report can't be shown: ${error.message}.`;
});
