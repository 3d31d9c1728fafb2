//! BEIR folders: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`.

mod bundles;
mod pool;
mod read;
mod write;

pub use bundles::{BeirBundles, BeirReport, Negatives, beir_bundles};
pub use pool::Pool;
pub use read::{BeirText, Judgement, read_judgements, stream_texts};
pub use write::BeirFolder;
