// The worker: holds the module, answers requests in the order in which they come. `messages.d.ts` has their types.
//
// build.rs puts the module's own script in front of this one; both are started as one text, so that a page that is one
// file can start it too. The module comes as bytes in the first message: nothing here fetches anything.

const ready = {};

const answers = {
  async start({ wasm }) {
    await wasm_bindgen({ module_or_path: wasm });
    ready.yes = true;
    return { version: wasm_bindgen.version() };
  },
  self_check: () => wasm_bindgen.self_check(),
  async check_bundles({ file }) {
    return wasm_bindgen.check_bundles(new Uint8Array(await file.arrayBuffer()), file.name);
  },
  async check_events({ file }) {
    return wasm_bindgen.check_events(new Uint8Array(await file.arrayBuffer()), file.name);
  },
};

addEventListener("message", async ({ data: { id, request, ...fields } }) => {
  try {
    postMessage({ id, answer: await answers[request](fields) });
  } catch (error) {
    // What the module throws is an object; a trap in it is an Error, and leaves nothing behind that can be used.
    const broken = error instanceof WebAssembly.RuntimeError;
    postMessage({ id, failure: error instanceof Error ? { message: String(error.message), broken } : error });
  }
});
