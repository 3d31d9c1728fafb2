"""What other libraries read of files that Crucible wrote, and files that they write for it; for `tests/cli/exchange.rs`.

    python tests/reference/exchange.py FOLDER

Reads rows.csv, rows.jsonl, rows.parquet, items.parquet and vectors.parquet in FOLDER and writes read.json:
{library: {file: columns}}, libraries that are not installed left out; and Parquet files for an import. Needs pandas and
pyarrow; uses datasets where it is installed, and pytrec_eval for run.trec with qrels.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
import pandas
import pyarrow.parquet

folder = sys.argv[1]
os.environ["HF_HOME"] = os.path.join(folder, "cache")
path = lambda name: os.path.join(folder, name)
plain = lambda frame: json.loads(frame.to_json(orient="columns", double_precision=15))
columns = lambda frame: {name: list(values.values()) for name, values in plain(frame).items()}

found = {"pandas": {}, "pyarrow": {}}
found["pandas"]["rows.csv"] = columns(pandas.read_csv(path("rows.csv"), keep_default_na=False, dtype=str))
found["pandas"]["rows.jsonl"] = columns(pandas.read_json(path("rows.jsonl"), lines=True, dtype=False))
for name in ["rows.parquet", "items.parquet"]:
    found["pandas"][name] = columns(pandas.read_parquet(path(name)))
found["pyarrow"]["vectors.parquet"] = pyarrow.parquet.read_table(path("vectors.parquet")).to_pydict()
found["pyarrow"]["types"] = {
    field.name: str(field.type) for field in pyarrow.parquet.read_schema(path("items.parquet"))
}

try:
    import datasets

    found["datasets"] = {}
    for name, kind, more in [
        ("rows.csv", "csv", {"keep_default_na": False}),
        ("rows.jsonl", "json", {}),
        ("rows.parquet", "parquet", {}),
    ]:
        rows = datasets.load_dataset(kind, data_files=path(name), split="train", **more)
        found["datasets"][name] = {column: list(rows[column]) for column in rows.column_names}
except ImportError:
    pass

try:
    import pytrec_eval

    with open(path("run.trec")) as run, open(path("qrels")) as qrels:
        measures = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(qrels), {"recip_rank", "success.1"})
        scores = measures.evaluate(pytrec_eval.parse_run(run))
    found["pytrec_eval"] = {query: values["recip_rank"] for query, values in scores.items()}
except ImportError:
    pass

rows = [
    {"anchor": "=1+1", "positive": 'a "b",\r\nc', "negative": ["x", "é"]},
    {"anchor": "NA", "positive": "p", "negative": ["y"]},
]
for codec in ["none", "snappy", "gzip", "zstd"]:
    pandas.DataFrame(rows).to_parquet(path(f"written_{codec}.parquet"), compression=None if codec == "none" else codec)
# The vectors from the last to the first, as 32-bit and as 64-bit numbers.
vectors = pandas.read_parquet(path("vectors.parquet")).iloc[::-1]
vectors.to_parquet(path("vectors_32.parquet"))
wide = vectors.assign(embedding=[row.astype("float64") for row in vectors["embedding"]])
wide.to_parquet(path("vectors_64.parquet"), compression="zstd", row_group_size=7)
with open(path("read.json"), "w", encoding="utf-8") as out:
    json.dump(found, out)
