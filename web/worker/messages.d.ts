// What a page and its worker say to each other. A page sends `Request`s; each gets one `Reply` with its `id`, and an
// evaluation says `Progress` before. Names are those of the Rust types in web/src.

/** Where a file was dropped: a hint, its content says what it is. */
export type Slot = "any" | "checkpoint" | "eval_set" | "baseline";

export type Request = { id: number } & (
    | { request: "start"; wasm: ArrayBuffer }
    | { request: "adapter" }
    | { request: "self_check" }
    | { request: "load"; file: File; slot: Slot }
    | { request: "forget"; item: number }
    | { request: "evaluate"; set: number; gpu: boolean; allow_mismatch: boolean }
    | { request: "cancel" }
    | { request: "columns"; set: number }
    | { request: "texts"; set: number; index: number }
    | { request: "scoreboard" | "items"; set: number });

/** `broken`: the worker can't be used any more. */
export type Reply =
    | { id: number; answer: Started | Adapter | SelfCheck | Loaded | Evaluated | Columns | Texts | Uint8Array | null }
    | { id: number; failure: Failure; broken: boolean };

export interface Progress { id: number; progress: { done: number } }

export interface Started { version: string }

/** One thing that did not work. */
export interface Failure { code: string; title: string; what: string; where: Place[]; more: number; advice: string }
export interface Place { line: number | null; field: string | null; message: string }

/** Known before anything is computed on it. */
export interface Adapter { state: "hardware" | "software" | "none"; name: string }

export type SelfCheck =
    | { state: "agrees"; device: string; largest: number }
    | { state: "differs"; device: string; largest: number | null }
    | { state: "no_gpu" | "failed"; message: string };

export interface Count { name: string; count: number }
/** `null` in place of it: the reading was cancelled. */
export type Loaded =
    | { kind: "checkpoint"; id: number; name: string; hash: string; bytes: number; dim: number; vocabulary?: number; step: number; seed: string }
    | { kind: "eval_set"; id: number; name: string; fingerprint: string; bundles: number; events: number; tiers: Count[]; pools: Count[] }
    | { kind: "baseline"; id: number; name: string; checkpoint: string; eval_path: string; fingerprint: string; pass_rate: number | null }
    | { kind: "baseline_items"; id: number; name: string; items: number };

/** `null` in place of it: the evaluation was cancelled. `seconds`: how long it took. */
export interface Evaluated {
    set: number;
    /** docs/schemas/scoreboard.schema.json */
    board: any;
    histogram: { low: number; width: number; tiers: { tier: string; counts: number[] }[] };
    killers: Killer[];
    judged: Judged | null;
    mismatch: Failure | null;
    seconds: number;
}
export interface Killer {
    index: number; bundle_id: string; tier: string; margin: number; rank: number; zero_vector: boolean;
    anchor: Text; positive: Text; negative: Text | null;
}
/** `parts`: before the target word (or all of it), the target word, after it. */
export interface Text { event_id: string; sense: string; parts: [string, string, string]; source: string | null; winning: boolean }
export interface Texts { bundle_id: string; anchor: Text; positive: Text; negatives: Text[] }
/** `change`: as in docs/schemas/comparison.schema.json. */
export interface Judged {
    verdict: "PASS" | "FAIL" | "INCONCLUSIVE"; on: string; delta: number; rows: { name: string; change: any }[];
    warnings: string[]; unpaired: number;
}
/** All items by column. Tier and pool are numbers in the order of the names, one more for none; `was` is 0 where the
 * baseline says nothing, 1 where it failed, 2 where it passed. */
export interface Columns {
    bundle_id: string[]; group: string[]; winning_negative: string[];
    tier: Uint8Array; pool: Uint8Array; was: Uint8Array; rank: Uint32Array;
    margin: Float64Array; pos_sim: Float64Array; max_neg_sim: Float64Array;
}
