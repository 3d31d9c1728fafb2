// What a page uses to evaluate: starts the worker, hands it requests, gives back promises. Without imports, and with its
// exports in the last line, so that a page that is one file can hold it too.

/** Unpacks base64 of gzip. */
async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** A worker with the module in it. */
class Evaluator {
  #worker;
  #waiting = new Map();
  #next = 0;

  /** `engine` is the document that `engine.js` exports. */
  static async start(engine) {
    const evaluator = new Evaluator();
    // From its text: the same in a page with one file, and nothing is fetched.
    const address = URL.createObjectURL(new Blob([engine.worker], { type: "text/javascript" }));
    evaluator.#worker = new Worker(address);
    URL.revokeObjectURL(address);
    evaluator.#worker.addEventListener("message", ({ data }) => evaluator.#heard(data));
    evaluator.#worker.addEventListener("error", (event) => evaluator.#ended(event.message));
    const wasm = await unpacked(engine.wasm);
    const { version } = await evaluator.ask("start", { wasm }, [wasm]);
    evaluator.version = version;
    return evaluator;
  }

  /** Sends a request; its answer, or what it failed with. */
  ask(request, fields = {}, transfer = []) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, request, ...fields }, transfer);
    });
  }

  #heard({ id, answer, failure }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(failure);
    else waiting?.resolve(answer);
  }

  #ended(message) {
    for (const { reject } of this.#waiting.values()) reject({ message });
    this.#waiting.clear();
  }
}

export { Evaluator };
