"""Texts a second of models from elsewhere: Crucible beside the libraries they come from, in turn, in one run.

    python tests/benchmarks/encoders.py minilm --model DIR --events E.jsonl [--threads 1] [--texts 600] [--rounds 5]
    python tests/benchmarks/encoders.py static --model DIR --events E.jsonl [--threads 1] [--texts 20000] [--rounds 5]

`minilm` runs sentence-transformers on PyTorch, ONNX Runtime (exported here, texts sorted by length, batches of 32), and
`crucible embed`; `static` model2vec and `crucible embed`. Texts are the file's distinct ones, in its order. Each round runs
everything once, in an order that turns; figures are medians and the medians of the rounds' ratios, for a machine is seldom
idle. What is timed is tokenising and embedding; models are loaded before. The vectors are compared, too.

Needs torch, sentence-transformers, onnx, onnxruntime or model2vec from PyPI, and target/release/crucible.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("kind", choices=["minilm", "static"])
p.add_argument("--model", required=True)
p.add_argument("--events", required=True)
p.add_argument("--threads", type=int, default=1)
p.add_argument("--texts", type=int, default=0)
p.add_argument("--rounds", type=int, default=5)
p.add_argument("--crucible", default="target/release/crucible")
a = p.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = str(a.threads)
os.environ |= {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1", "TOKENIZERS_PARALLELISM": "true" if a.threads > 1 else "false"}

import numpy as np

work = Path(tempfile.mkdtemp())
limit = a.texts or {"minilm": 600, "static": 20000}[a.kind]
texts = list(dict.fromkeys(json.loads(line)["text"] for line in open(a.events, encoding="utf-8") if line.strip()))[:limit]
events = work / "events.jsonl"
events.write_text("".join(json.dumps({"event_id": str(i), "sense": "s#1", "text": t}) + "\n" for i, t in enumerate(texts)))


def unit(rows):
    rows = np.asarray(rows, np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def timed(run):
    def timing():
        start = time.perf_counter()
        vectors = run()
        return time.perf_counter() - start, unit(vectors)

    return timing


def crucible():
    out = work / "v.npy"
    ran = subprocess.run([a.crucible, "embed", "--checkpoint", a.model, "--events", str(events), "-o", str(out), "--timings"],
                         capture_output=True, text=True)
    if ran.returncode:
        sys.exit(ran.stderr)
    found = re.search(r"([\d.]+) to tokenise, ([\d.]+) to embed", ran.stderr)
    return float(found[1]) + float(found[2]), unit(np.load(out))


def minilm():
    import onnxruntime as ort
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from transformers import AutoModel

    torch.set_num_threads(a.threads)
    model = SentenceTransformer(a.model, device="cpu")
    bert = AutoModel.from_pretrained(a.model, attn_implementation="eager").eval()

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = bert

        def forward(self, input_ids, attention_mask):
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * mask).sum(1) / mask.sum(1)

    example = (torch.ones(2, 16, dtype=torch.long), torch.ones(2, 16, dtype=torch.long))
    names = ["input_ids", "attention_mask"]
    axes = {name: {0: "b", 1: "t"} for name in names} | {"out": {0: "b"}}
    torch.onnx.export(Mean().eval(), example, str(work / "m.onnx"), input_names=names, output_names=["out"], dynamo=False,
                      opset_version=17, dynamic_axes=axes)
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = a.threads, 1
    session = ort.InferenceSession(str(work / "m.onnx"), options, providers=["CPUExecutionProvider"])
    tok = Tokenizer.from_file(str(Path(a.model) / "tokenizer.json"))
    tok.no_padding()
    tok.enable_truncation(256)

    def onnx():
        order = np.argsort([-len(t) for t in texts], kind="stable")
        out = np.empty((len(texts), 384), np.float32)
        for first in range(0, len(order), 32):
            rows = order[first:first + 32]
            found = tok.encode_batch([texts[i] for i in rows])
            width = max(len(e.ids) for e in found)
            ids, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), np.int64)
            for row, e in enumerate(found):
                ids[row, :len(e.ids)], mask[row, :len(e.ids)] = e.ids, 1
            out[rows] = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return out

    tokens = sum(len(e.ids) for e in tok.encode_batch(texts))
    print(f"{len(texts)} texts, {tokens / len(texts):.1f} tokens each, {a.threads} thread(s)")
    torch_run = lambda: model.encode(texts, batch_size=32, show_progress_bar=False)
    return {"PyTorch": timed(torch_run), "ONNX Runtime": timed(onnx), "Crucible": crucible}


def static():
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(a.model)
    print(f"{len(texts)} texts, {a.threads} thread(s)")
    return {"model2vec": timed(lambda: model.encode(texts, use_multiprocessing=False)), "Crucible": crucible}


runs = {"minilm": minilm, "static": static}[a.kind]()
names = list(runs)
seconds = {name: [] for name in names}
vectors = {name: runs[name]()[1] for name in names}  # Warm, and not counted.
for number in range(a.rounds):
    for name in names[number % len(names):] + names[:number % len(names)]:
        seconds[name].append(runs[name]()[0])
for name in names:
    ratios = [theirs / own for theirs, own in zip(seconds[name], seconds["Crucible"])]
    apart = np.abs(vectors[name] - vectors["Crucible"]).max()
    print(f"{name:13} {len(texts) / statistics.median(seconds[name]):9.1f} texts/s (best {len(texts) / min(seconds[name]):.1f}), "
          f"Crucible {statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f}), at most {apart:.1e} apart")
