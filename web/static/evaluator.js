// What a page uses to evaluate: starts the worker, hands it requests, gives back promises. Without imports, and with its
// exports in the last line, so that a page that is one file can hold it too.

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
    evaluator.#worker.addEventListener("error", (event) => evaluator.#end(event.message));
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

  #heard({ id, answer, failure, progress, broken }) {
    const waiting = this.#waiting.get(id);
    if (progress) {
      waiting?.onprogress?.(progress);
      return;
    }
    this.#waiting.delete(id);
    if (broken) this.#end(failure.what);
    if (failure) waiting?.reject(failure);
    else waiting?.resolve(answer);
  }

  /** Nothing will be answered any more. */
  #end(message) {
    this.broken = true;
    this.#worker.terminate();
    const advice = "Reload the page.";
    const failure = { code: "broken", title: "The page's worker stopped", what: message, where: [], more: 0, advice };
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}

export { Evaluator };
