// How long the page's module takes on the CPU, beside the command on one thread: docs/BENCHMARKS.md.
//
//     crucible serve --export site
//     node tests/benchmarks/page.mjs site CHECKPOINT EVAL_SET [CRUCIBLE]
//
// Runs the module that stands in site/engine.js, as the page's worker does, and `crucible eval --threads 1` on the same
// files, five times each in turn; prints the medians and their ratio. The module's time is what the page shows as the
// evaluation's: texts to scores and scoreboard, without reading the files. The command's is the same parts of `--timings`.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { gunzipSync } from "node:zlib";

const [site, checkpoint, evalSet, crucible = "target/release/crucible"] = process.argv.slice(2);
if (evalSet === undefined) {
  console.error("usage: node tests/benchmarks/page.mjs SITE CHECKPOINT EVAL_SET [CRUCIBLE]");
  process.exit(2);
}
const ROUNDS = 5;
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];

/** To tokenise, to embed and to score. */
function commandSeconds(output) {
  const files = ["--checkpoint", checkpoint, "--eval-set", evalSet, "--output", output];
  const { status, stderr } = spawnSync(resolve(crucible), ["eval", ...files, "--threads", "1", "--device", "cpu", "--timings", "--no-ledger"], { encoding: "utf8" });
  const said = stderr.match(/([\d.]+) to tokenise, ([\d.]+) to embed, ([\d.]+) to score/);
  if (status !== 0 || !said) throw new Error(`crucible eval: ${stderr}`);
  return said.slice(1).reduce((sum, seconds) => sum + Number(seconds), 0);
}

const copy = mkdtempSync(join(tmpdir(), "crucible-page-"));
try {
  const text = readFileSync(join(site, "engine.js"), "utf8");
  const engine = JSON.parse(text.slice("export default ".length, text.lastIndexOf(";")));
  // The module's own script ends where the worker's begins to listen: the rest needs a worker.
  globalThis.addEventListener = () => {};
  globalThis.postMessage = () => {};
  const bindings = new Function(`${engine.worker}\nreturn wasm_bindgen;`)();
  await bindings({ module_or_path: gunzipSync(Buffer.from(engine.wasm, "base64")) });

  const session = new bindings.Session();
  const load = (file) => session.load(basename(file), readFileSync(file), "any");
  let start = performance.now();
  load(checkpoint);
  const set = load(evalSet);
  const reading = (performance.now() - start) / 1000;
  const page = [];
  const native = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    start = performance.now();
    await session.evaluate(set.id, false, false, "2000-01-01T00:00:00Z", () => true);
    page.push((performance.now() - start) / 1000);
    native.push(commandSeconds(join(copy, "board.json")));
  }
  const [ours, theirs] = [median(page), median(native)];
  const all = (times) => times.map((time) => time.toFixed(3)).join(", ");
  console.log(`reading and checking both files in the module: ${reading.toFixed(3)} s`);
  console.log(`${set.bundles} bundles, ${set.events} events`);
  console.log(`the module:              ${ours.toFixed(3)} s (${all(page)})`);
  console.log(`the command, one thread: ${theirs.toFixed(3)} s (${all(native)})`);
  console.log(`ratio: ${(ours / theirs).toFixed(2)}`);
} finally {
  rmSync(copy, { recursive: true, force: true });
}
