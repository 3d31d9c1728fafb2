//! How long an exact search takes: `tests/benchmarks/neighbours.py` runs this beside faiss. Without its variables,
//! on random vectors: `cargo test --release -p crucible-core --test metrics -- --ignored --nocapture neighbours::speed`.

use crucible_core::embeddings::Embeddings;
use crucible_core::neighbours::Dense;
use crucible_core::rng::Stream;
use std::time::Instant;

#[test]
#[ignore = "measures time"]
fn speed() {
    let number =
        |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (dim, k) = (number("CRUCIBLE_BENCH_DIM", 384), number("CRUCIBLE_BENCH_K", 100));
    let values: Vec<f32> = match std::env::var_os("CRUCIBLE_BENCH_VECTORS") {
        Some(path) => {
            let bytes = std::fs::read(path).expect("vectors can be read");
            bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        }
        None => {
            let mut stream = Stream::new(1, "speed", 0);
            (0..number("CRUCIBLE_BENCH_ROWS", 10_000) * dim).map(|_| stream.symmetric(1.0)).collect()
        }
    };
    let rows = Embeddings::normalised(dim, values);
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let started = Instant::now();
    let found = Dense::new(&rows).nearest(&all, &all, k, None, &|_, _| true);
    let seconds = started.elapsed().as_secs_f64();
    let work = 2.0 * (rows.len() * rows.len() * dim) as f64 / 1e9;
    #[expect(clippy::print_stderr, reason = "the test exists to be read")]
    {
        eprintln!("{} rows of {dim}, the nearest {k}: {:.0} GFLOP/s, seconds: {seconds}", rows.len(), work / seconds);
    }
    if let Some(path) = std::env::var_os("CRUCIBLE_BENCH_OUT") {
        let bytes: Vec<u8> = found.iter().flatten().flat_map(|n| n.similarity.to_le_bytes()).collect();
        std::fs::write(path, bytes).expect("can be written");
    }
}
