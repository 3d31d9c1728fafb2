"""Exact nearest neighbours beside faiss IndexFlatIP, in turn, on the same vectors.

    pip install faiss-cpu numpy
    cargo test --release -p crucible-core --test metrics --no-run
    python tests/benchmarks/neighbours.py target/release/deps/metrics-… --rows 47000 --dim 384 --k 100 --threads 2

Run once as it is and once with OPENBLAS_CORETYPE=SkylakeX in the environment: faiss' OpenBLAS chooses its kernels by the
processor's name, not by what the processor can do. Prints seconds and GFLOP/s of each round, and the ratio of the
medians; checks that both find the same similarities.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time

import faiss
import numpy as np


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", help="the test binary `metrics` of crucible-core, built with --release")
    parser.add_argument("--rows", type=int, default=47_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()

    rows = np.random.default_rng(1).standard_normal((args.rows, args.dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    work = 2 * args.rows**2 * args.dim / 1e9
    faiss.omp_set_num_threads(args.threads)

    with tempfile.TemporaryDirectory() as folder:
        vectors, found = os.path.join(folder, "rows.f32"), os.path.join(folder, "found.f64")
        rows.tofile(vectors)
        environment = os.environ | {
            "CRUCIBLE_BENCH_VECTORS": vectors,
            "CRUCIBLE_BENCH_DIM": str(args.dim),
            "CRUCIBLE_BENCH_K": str(args.k),
            "CRUCIBLE_BENCH_OUT": found,
            "RAYON_NUM_THREADS": str(args.threads),
        }
        ours, theirs = [], []
        for round_ in range(args.rounds):
            test = [args.binary, "--ignored", "--nocapture", "--exact", "neighbours::speed"]
            output = subprocess.run(test, env=environment, check=True, capture_output=True, text=True)
            line = next(x for x in (output.stdout + output.stderr).splitlines() if "seconds: " in x)
            ours.append(float(line.split("seconds: ")[1]))

            started = time.perf_counter()
            index = faiss.IndexFlatIP(args.dim)
            index.add(rows)
            best, _ = index.search(rows, args.k)
            theirs.append(time.perf_counter() - started)
            print(
                f"round {round_ + 1}: crucible {ours[-1]:.2f} s, {work / ours[-1]:.0f} GFLOP/s; "
                f"faiss {theirs[-1]:.2f} s, {work / theirs[-1]:.0f} GFLOP/s"
            )
        similarities = np.fromfile(found, dtype=np.float64).reshape(args.rows, args.k)
        print(f"greatest difference of a similarity: {np.abs(similarities - best).max():.2g}")
    print(f"ratio of the medians (faiss / crucible): {statistics.median(theirs) / statistics.median(ours):.2f}")


if __name__ == "__main__":
    main()
