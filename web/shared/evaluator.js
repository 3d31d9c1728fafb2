// What a page uses to evaluate: starts the worker, hands it requests, gives back promises.

/** Unpacks base64 of gzip. */
async function unpacked(text) {
  const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** A page may ask that no script starts but through a policy of this name (`trusted-types`). */
let policy;
function trusted(address) {
  policy ??= globalThis.trustedTypes?.createPolicy("crucible", { createScriptURL: (url) => url });
  return policy ? policy.createScriptURL(address) : address;
}

/** A worker with the module in it. Requests and answers are those of `messages.d.ts`; a failure is thrown. */
class Evaluator {
  #worker;
  #waiting = new Map();
  #next = 0;
  /** Why it can't be used any more; set before its last requests fail. */
  broken = false;

  /** `engine` is the document that `engine.js` exports. */
  static async start(engine) {
    const evaluator = new Evaluator();
    // From its text: the same in a page that is one file, and nothing is fetched.
    const address = URL.createObjectURL(new Blob([engine.worker], { type: "text/javascript" }));
    evaluator.#worker = new Worker(trusted(address));
    evaluator.#worker.addEventListener("message", ({ data }) => evaluator.#heard(data));
    evaluator.#worker.addEventListener("error", (event) => evaluator.#end("The page's worker stopped", event.message));
    const wasm = await unpacked(engine.wasm);
    const { version } = await evaluator.ask("start", { wasm });
    URL.revokeObjectURL(address);
    evaluator.version = version;
    return evaluator;
  }

  /** Sends a request; its answer. `onprogress` hears of an evaluation's progress. */
  ask(request, fields = {}, onprogress = undefined) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, onprogress });
      this.#worker.postMessage({ id, request, ...fields });
    });
  }

  /** Asks for an end to what is done now. True if the worker answers within `patience` milliseconds; one that is in the middle
   * of something does not hear, and `stop` is what is left. */
  async cancel(patience = 300) {
    const late = new Promise((resolve) => { setTimeout(() => resolve(false), patience); });
    return Promise.race([this.ask("cancel").then(() => true, () => true), late]);
  }

  /** Ends the worker, whatever it does; its requests fail with the code `stopped`. */
  stop() {
    this.#end("Stopped", "The work was stopped.", "stopped");
  }

  #heard({ id, answer, failure, progress, broken }) {
    const waiting = this.#waiting.get(id);
    if (progress) {
      waiting?.onprogress?.(progress);
      return;
    }
    this.#waiting.delete(id);
    if (broken) this.#end("The page's worker stopped", failure.what);
    if (failure) waiting?.reject(failure);
    else waiting?.resolve(answer);
  }

  /** Nothing will be answered any more. */
  #end(title, what, code = "broken") {
    this.broken = true;
    this.#worker.terminate();
    const failure = { code, title, what, where: [], more: 0, advice: "Reload the page." };
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}

export { Evaluator };
