"""The work of `crucible bench kernels` and `crucible bench training` in PyTorch, for a comparison on the same card.

    python tests/benchmarks/gpu.py [--json] [--repeats 7] [--small]

Measured with CUDA events, after a warm-up; the median of the repeats, and the least and most:

- the similarity product of 16,384 x 16,384 rows of 1,024 numbers, in f32 without TF32, in f16 and in bf16;
- the best 100 of 1,000,000 rows of 384 numbers for each of 100,000 queries, in blocks (matmul, then topk);
- training steps per second of a static encoder (30,000 rows of 256 numbers, a head of two layers of 256, InfoNCE over
  the batch's positives and five negatives each, 29 tokens a text) at batches of 32, 256 and 4,096 bundles: rows gathered
  as sparse gradients (`EmbeddingBag`, `SparseAdam`), the head by fused `AdamW`. Token numbers are on the card
  beforehand, which the program's are not: that is in PyTorch's favour.

Without PyTorch or a CUDA device it says so and ends with status 3. `--small` shrinks everything, to try the script
itself; with it a CPU will do.
"""

import argparse
import json
import statistics
import sys
import time

NEGATIVES = 5
TOKENS = 29
DIM = 256
TEMPERATURE = 0.05


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--small", action="store_true", help="tiny problems, on a CPU if there is no CUDA device")
    args = parser.parse_args()
    try:
        import torch
    except ImportError:
        return missing("PyTorch is not installed")
    cuda = torch.cuda.is_available()
    if not cuda and not args.small:
        return missing(f"PyTorch {torch.__version__} sees no CUDA device")
    torch.manual_seed(1)
    # f32 means f32: no 19-bit products behind its back.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    bench = Bench(torch, "cuda" if cuda else "cpu", args.repeats)
    rows = products(bench, args.small) + top_k(bench, args.small) + training(bench, args.small)
    device = torch.cuda.get_device_name() if cuda else "CPU"
    if args.json:
        print(json.dumps({"device": device, "torch": torch.__version__, "rows": rows}, indent=2))
        return 0
    print(f"{device}, PyTorch {torch.__version__}")
    for row in rows:
        spread = f"{row['median']:.4g} ({row['min']:.4g} to {row['max']:.4g})"
        print(f"{row['work']:<44} {spread:>32} {row['unit']}")
    return 0


def missing(why):
    print(f"skipped: {why}; nothing was measured")
    return 3


class Bench:
    def __init__(self, torch, device, repeats):
        self.torch, self.device, self.repeats = torch, device, repeats

    def seconds(self, work, at_least=0.2):
        """Seconds of one call of `work`, once for each repeat."""
        self.once(work, 1)
        runs = max(1, round(at_least / max(self.once(work, 1), 1e-6)))
        return [self.once(work, runs) / runs for _ in range(self.repeats)]

    def once(self, work, runs):
        torch = self.torch
        if self.device == "cpu":
            begin = time.perf_counter()
            for _ in range(runs):
                work()
            return time.perf_counter() - begin
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for _ in range(runs):
            work()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1000

    def unit_rows(self, n, d, kind):
        rows = self.torch.randn(n, d, device=self.device)
        return self.torch.nn.functional.normalize(rows).to(kind)


def row(work, unit, values):
    return {"work": work, "unit": unit, "median": statistics.median(values), "min": min(values), "max": max(values)}


def products(bench, small):
    torch = bench.torch
    shapes = [(64, 64, 32)] if small else [(1024, 1024, 1024), (4096, 4096, 384), (16384, 16384, 1024)]
    rows = []
    for n, m, d in shapes:
        for kind in (torch.float32, torch.float16, torch.bfloat16):
            a, b = bench.unit_rows(n, d, kind), bench.unit_rows(m, d, kind)
            out = torch.empty(n, m, device=bench.device, dtype=kind)
            times = bench.seconds(lambda: torch.mm(a, b.T, out=out))
            name = f"similarity {n} x {m} x {d}, {str(kind).removeprefix('torch.')}"
            rows.append(row(name, "GFLOP/s", [2 * n * m * d / t / 1e9 for t in times]))
    return rows


def top_k(bench, small):
    torch = bench.torch
    queries, corpus, d, k = (100, 1000, 16, 10) if small else (100_000, 1_000_000, 384, 100)
    # 1 GiB of similarities at a time.
    block, chunk = (64, 256) if small else (4096, 65_536)
    rows = []
    for kind in (torch.float32, torch.float16):
        a, b = bench.unit_rows(queries, d, kind), bench.unit_rows(corpus, d, kind)

        def search():
            found = []
            for first in range(0, queries, block):
                values = places = None
                for begin in range(0, corpus, chunk):
                    similarities = a[first : first + block] @ b[begin : begin + chunk].T
                    best, at = similarities.topk(min(k, similarities.shape[1]), dim=1)
                    at += begin
                    if values is not None:
                        best, at = torch.cat([values, best], dim=1), torch.cat([places, at], dim=1)
                        best, order = best.topk(k, dim=1)
                        at = at.gather(1, order)
                    values, places = best, at
                found.append((values, places))
            return found

        times = bench.seconds(search, at_least=0)
        name = f"top {k} of {queries} x {corpus} x {d}, {str(kind).removeprefix('torch.')}"
        rows.append(row(name, "s", times))
    return rows


def training(bench, small):
    torch = bench.torch
    vocab = 500 if small else 30_000
    rows = []
    for anchors in [4] if small else [32, 256, 4096]:
        model = torch.nn.Module()
        model.tokens = torch.nn.EmbeddingBag(vocab, DIM, mode="mean", sparse=True)
        model.head = torch.nn.Sequential(torch.nn.Linear(DIM, DIM), torch.nn.ReLU(), torch.nn.Linear(DIM, DIM))
        model.to(bench.device)
        texts = anchors * (2 + NEGATIVES)
        batches = [torch.randint(vocab, (texts, TOKENS), device=bench.device) for _ in range(16)]
        # All senses differ, but for an anchor's and its positive's.
        senses = torch.arange(texts, device=bench.device)
        senses[anchors : 2 * anchors] = senses[:anchors]
        own = torch.arange(anchors, device=bench.device)
        hidden = senses[:anchors, None] == senses[None, anchors:]
        hidden[own, own] = False
        table = torch.optim.SparseAdam(model.tokens.parameters(), lr=1e-3)
        head = torch.optim.AdamW(model.head.parameters(), lr=1e-3, weight_decay=0.0, fused=bench.device == "cuda")
        state = {"step": 0}

        def step():
            ids = batches[state["step"] % len(batches)]
            state["step"] += 1
            unit = torch.nn.functional.normalize(model.head(model.tokens(ids)))
            similarities = unit[:anchors] @ unit[anchors:].T / TEMPERATURE
            loss = torch.nn.functional.cross_entropy(similarities.masked_fill(hidden, float("-inf")), own)
            table.zero_grad(set_to_none=True)
            head.zero_grad(set_to_none=True)
            loss.backward()
            table.step()
            head.step()

        times = bench.seconds(step)
        rows.append(row(f"training, batches of {anchors}", "steps/s", [1 / t for t in times]))
    return rows


if __name__ == "__main__":
    sys.exit(main())
