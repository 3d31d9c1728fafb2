//! How long an evaluation takes after embedding: `cargo test --release -p crucible-core --test metrics -- --ignored
//! --nocapture speed`. Not run by default, since a busy machine would fail it.

use crucible_core::data::read_bundles;
use crucible_core::embeddings::Embeddings;
use crucible_core::eval::{Resampling, Summaries, groups, items, sanity, score, summaries, write_items};
use crucible_core::rng::Stream;
use std::fmt::Write;
use std::time::{Duration, Instant};

const BUNDLES: usize = 10_000;
const DIM: usize = 256;

#[test]
#[ignore = "measures time"]
fn speed() {
    let mut text = String::new();
    for i in 0..BUNDLES {
        let event = |k: usize, s: u8| format!(r#"{{"event_id":"e{}","sense":"l{i}#{s}","text":"t"}}"#, i * 7 + k);
        let negatives: Vec<String> = (2..7).map(|k| event(k, 2)).collect();
        let (a, p, n, tier) =
            (event(0, 1), event(1, 1), negatives.join(","), ["tier1_easy", "tier3_adversarial"][i % 2]);
        let _ =
            writeln!(text, r#"{{"bundle_id":"b{i}","anchor":{a},"positive":{p},"negatives":[{n}],"tier":"{tier}"}}"#);
    }
    let set = read_bundles(&mut text.as_bytes(), "test").expect("the test's own bundles are sound");
    let mut stream = Stream::new(1, "speed", 0);
    let vectors = (0..set.events.len() * DIM).map(|_| stream.symmetric(1.0)).collect();
    let embeddings = Embeddings::normalised(DIM, vectors);
    let scores = score(&set, &embeddings);
    let Summaries { overall, by_tier, .. } = summaries(&set, &scores, None);
    let measure = |name: &str, limit_ms: u64, f: &dyn Fn()| {
        // The best of several: the machine may be shared.
        let times = (0..15).map(|_| {
            let start = Instant::now();
            f();
            start.elapsed()
        });
        let best = times.min().unwrap_or_default();
        assert!(best < Duration::from_millis(limit_ms), "{name} took {best:?}, at most {limit_ms} ms are allowed");
        #[expect(clippy::print_stderr, reason = "the test exists to be read")]
        {
            eprintln!("{name}: {best:?}");
        }
    };
    measure("score", 25, &|| drop(score(&set, &embeddings)));
    measure("summaries", 10, &|| drop(summaries(&set, &scores, None)));
    let resampling = Resampling { groups: groups(&set), seed: 42 };
    measure("summaries with intervals", 200, &|| drop(summaries(&set, &scores, Some(&resampling))));
    measure("sanity", 15, &|| drop(sanity(&set, &embeddings, &scores, &overall, &by_tier, 42)));
    measure("items", 10, &|| {
        let mut out = Vec::new();
        write_items(&items(&set, &scores), &mut out).expect("a Vec takes everything");
    });
}
