// Numbers and terms as text, the same on every page.

const MINUS = "\u2212";

/** With a minus sign as wide as a plus. */
const signless = (text) => text.replace("-", MINUS);

/** A number with so many digits. What rounds to zero has no sign. */
function fixed(x, digits) {
  if (x === null || x === undefined || !Number.isFinite(x)) return "–";
  const text = x.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : signless(text);
}

/** The same with a plus where it is above zero. */
const signed = (x, digits) => (x > 0 && Number(x.toFixed(digits)) !== 0 ? "+" : "") + fixed(x, digits);
/** A number without the zeros at its end. */
const short = (x, digits = 4) => signless(String(+x.toFixed(digits)));
const count = (n) => n.toLocaleString("en");
const percent = (x, digits = 1) => (x === null || x === undefined ? "–" : `${fixed(100 * x, digits)} %`);
const percentTick = (x) => `${short(100 * x, 2)} %`;
/** A difference of two rates, in points. */
const points = (x) => signed(100 * x, 1);
const between = (interval, digits, scale = 1) => (interval ? `[${fixed(scale * interval.low, digits)}, ${fixed(scale * interval.high, digits)}]` : "");
const shownP = (p) => (p < 0.001 ? "< 0.001" : fixed(p, 3));
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;
const listed = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}`;

function bytes(n) {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (n >= 1024 && unit + 1 < units.length) {
    n /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? n : n.toFixed(1)} ${units[unit]}`;
}

/** Tiers and pools by their names in files. */
const TIER_WORDS = { tier1_easy: "tier 1 (easy)", tier2_robust: "tier 2 (robust)", tier3_adversarial: "tier 3 (adversarial)", none: "no tier", "no tier": "no tier" };
const POOL_NAMES = ["legacy", "organic", "expanded"];
/** A group of bundles by its name in a scoreboard. */
const groupWords = (name) => {
  if (name === "overall" || name === "all") return "all bundles";
  return TIER_WORDS[name] ?? (POOL_NAMES.includes(name) ? `pool ${name}` : name);
};
/** The same for names inside a sentence that the core wrote. */
const plainly = (text) => Object.entries(TIER_WORDS).filter(([name]) => name.startsWith("tier"))
  .reduce((said, [name, words]) => said.replaceAll(name, words), text).replace("all items", "all bundles");
const MARGIN = "similarity of anchor and positive, less that of the nearest negative, in cosine units; a bundle passes above 0";
const VERDICT_WORDS = {
  PASS: "The drop, if there is any, is smaller than the margin that was fixed.",
  FAIL: "There is a drop, and it is beyond the margin that was fixed.",
  INCONCLUSIVE: "These bundles do not decide it.",
};

export { MARGIN, MINUS, TIER_WORDS, VERDICT_WORDS, between, bytes, count, fixed, groupWords, listed, percent, percentTick, plainly, plural, points, sentence, short, shownP, signed };
