// The worker: holds the module and answers requests. `messages.d.ts` has their types.
//
// build.rs puts the module's own script in front of this one; both are started as one text, so that a page that is one
// file can start it too. The module comes as bytes in the first message: nothing here fetches anything.

let session;
let cancelled = false;

/** Lets other messages in. */
const breath = () => new Promise((resolve) => setTimeout(resolve));

/** What kind of GPU this page would get. One in software (SwiftShader, lavapipe) is slower than the CPU's own way. */
async function adapter() {
  const found = await navigator.gpu?.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (!found) return { state: "none", name: "" };
  const { vendor, architecture, device, description, isFallbackAdapter } = found.info ?? {};
  const name = [description || device, vendor, architecture].filter(Boolean).join(" ");
  const software = found.isFallbackAdapter || isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i.test(name);
  return { state: software ? "software" : "hardware", name };
}

const answers = {
  async start({ wasm }) {
    await wasm_bindgen({ module_or_path: wasm });
    session = new wasm_bindgen.Session();
    return { version: wasm_bindgen.version() };
  },
  adapter,
  self_check: () => session.self_check(),
  async load({ file, slot }) {
    // Before it is read: a file too large would end the page.
    session.check_size(file.name, file.size);
    cancelled = false;
    const bytes = new Uint8Array(await file.arrayBuffer());
    await breath();
    return cancelled ? null : session.load(file.name, bytes, slot);
  },
  forget({ item }) {
    session.forget(item);
    return null;
  },
  async evaluate({ id, set, gpu, allow_mismatch }) {
    cancelled = false;
    const start = performance.now();
    const timestamp = `${new Date().toISOString().slice(0, 19)}Z`;
    const goOn = async (done) => {
      postMessage({ id, progress: { done } });
      await breath();
      return !cancelled;
    };
    const evaluated = await session.evaluate(set, gpu, allow_mismatch, timestamp, goOn);
    await breath();
    if (cancelled) return null;
    return evaluated && { ...evaluated, seconds: (performance.now() - start) / 1000 };
  },
  cancel() {
    cancelled = true;
    return null;
  },
  columns: ({ set }) => session.columns(set),
  texts: ({ set, index }) => session.texts(set, index),
  scoreboard: ({ set }) => session.scoreboard(set),
  items: ({ set }) => session.items(set),
};

/** What the module throws is a failure already; what the browser throws becomes one. */
function failureOf(error) {
  if (!(error instanceof Error)) return error;
  const failure = { code: "browser", title: "The browser refused", what: error.message, where: [], more: 0 };
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
    const what = `The page's memory is full, or it has a fault (${error.message}).`;
    const advice = "Drop the files again, smaller ones if they were large; `crucible eval` has no such limit.";
    return { ...failure, code: "broken", title: "The page's worker stopped", what, advice };
  }
  return { ...failure, advice: "Was the file moved or changed? Drop it again, or reload the page." };
}

addEventListener("message", async ({ data }) => {
  const { id } = data;
  try {
    postMessage({ id, answer: await answers[data.request](data) });
  } catch (error) {
    const failure = failureOf(error);
    postMessage({ id, failure, broken: failure.code === "broken" });
  }
});
