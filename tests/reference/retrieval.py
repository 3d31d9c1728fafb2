"""Reference values of retrieval metrics, from trec_eval by way of pytrec_eval.

    pip install pytrec-eval-terrier
    python tests/reference/retrieval.py > tests/fixtures/statistics/retrieval.json

Graded relevances, ties of scores, some of them in 32 bits only, relevant documents that are not found, queries that the run
lacks, queries without a relevant document.
"""
import json
import random

import pytrec_eval

random.seed(5)
qrels, run = {}, {}
for q in range(25):
    judged = {f"d{random.randrange(300)}": random.choice([0, 0, 1, 1, 2, 3]) for _ in range(random.randrange(1, 12))}
    qrels[f"q{q}"] = judged
    if q % 8 != 7:
        pool = list(judged) + [f"d{random.randrange(300)}" for _ in range(130)]
        # One decimal: many ties. The rest tells scores apart in 64 bits alone.
        run[f"q{q}"] = {d: round(random.gauss(judged.get(d, 0), 1.2), 1) + random.choice([0, 1e-10, 3e-10])
                        for d in random.sample(pool, len(pool))}
for q in range(25, 28):
    qrels[f"q{q}"] = {f"d{d}": -(d % 2) for d in range(5)}
    run[f"q{q}"] = {f"d{d}": float(d) for d in range(8)}

depths = [1, 5, 10, 20, 100]
cuts = ",".join(map(str, depths))
evaluator = pytrec_eval.RelevanceEvaluator(qrels, {f"ndcg_cut.{cuts}", f"recall.{cuts}", "recip_rank", "map"})
results = evaluator.evaluate(run)
print(json.dumps({
    "qrels": "".join(f"{q} 0 {d} {r}\n" for q, docs in qrels.items() for d, r in docs.items()),
    "run": "".join(f"{q} Q0 {d} 0 {s} ref\n" for q, docs in run.items() for d, s in docs.items()),
    "queries": {q: {"ndcg": [v[f"ndcg_cut_{k}"] for k in depths], "recall": [v[f"recall_{k}"] for k in depths],
                    "mrr": v["recip_rank"], "map": v["map"]}
                for q, v in results.items()},
    "depths": depths,
}, indent=None, separators=(",", ":")))
