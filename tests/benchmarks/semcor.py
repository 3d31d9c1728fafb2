"""Splits SemCor events by document, draws eval bundles of held-out documents, and scores TF-IDF on them.

Writes to OUT: train.jsonl (events of the other documents) and mixed.jsonl (bundles: an anchor, another text of its
sense, five negatives of which up to three are other senses of the lemma and the rest other lemmas, all drawn
evenly). Prints chance and TF-IDF's pass rate: 1-2 grams, sublinear, fitted on the training texts alone.

    python semcor.py semcor_events.jsonl OUT
"""

import json
import random
import sys
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer

NEGATIVES, WITHIN, HELD_OUT, SEED = 5, 3, 0.2, 42


def bundles(events, rng):
    by_sense, by_lemma = {}, {}
    for event in events:
        by_sense.setdefault(event["sense"], []).append(event)
        by_lemma.setdefault(event["lemma"], []).append(event)
    for anchor in events:
        same = [e for e in by_sense[anchor["sense"]] if e["text"] != anchor["text"]]
        if not same:
            continue
        positive = rng.choice(same)
        texts = {anchor["text"], positive["text"]}
        negatives = []

        def add(event, source):
            if event["text"] not in texts:
                texts.add(event["text"])
                negatives.append(event | {"source": source})

        others = [e for e in by_lemma[anchor["lemma"]] if e["sense"] != anchor["sense"]]
        for event in rng.sample(others, len(others)):
            if len(negatives) < WITHIN:
                add(event, "within_lemma")
        while len(negatives) < NEGATIVES:
            event = rng.choice(events)
            if event["lemma"] != anchor["lemma"]:
                add(event, "cross_lemma")
        yield {
            "bundle_id": f"mixed_{anchor['event_id']}",
            "anchor": anchor,
            "positive": positive,
            "negatives": negatives,
            "metadata": {"tier": "tier1_easy"},
        }


def main(source, out):
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    events = [json.loads(line) for line in open(source, encoding="utf-8")]
    rng = random.Random(SEED)
    docs = sorted({e["doc"] for e in events})
    held = set(rng.sample(docs, round(HELD_OUT * len(docs))))
    train = [e for e in events if e["doc"] not in held]
    # The same sentence may stand in two documents.
    known = {e["text"] for e in train}
    mixed = list(bundles([e for e in events if e["doc"] in held and e["text"] not in known], rng))
    for name, rows in (("train", train), ("mixed", mixed)):
        with open(out / f"{name}.jsonl", "w", encoding="utf-8") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)

    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b")
    vectors.fit(list(dict.fromkeys(e["text"] for e in train)))

    def similarity(pick):
        a = vectors.transform([b["anchor"]["text"] for b in mixed])
        return a.multiply(vectors.transform([pick(b)["text"] for b in mixed])).sum(axis=1).A1

    positive = similarity(lambda b: b["positive"])
    worst = similarity(lambda b: b["negatives"][0])
    for k in range(1, NEGATIVES):
        worst = worst.clip(similarity(lambda b, k=k: b["negatives"][k]), None)
    print(f"{len(train)} training events, {len(mixed)} held-out bundles")
    print(f"chance {1 / (NEGATIVES + 1):.3f}, TF-IDF {float((positive > worst).mean()):.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
