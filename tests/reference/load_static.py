"""What sentence-transformers and model2vec make of texts with the model in a folder; for `tests/cli/folders.rs`.

    python tests/reference/load_static.py FOLDER TEXTS.json OUT.json

Writes {"sentence_transformers": rows or null, "model2vec": rows or null}: null where the library is not installed.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
folder, texts, out = sys.argv[1:]
texts = json.load(open(texts, encoding="utf-8"))
found = {"sentence_transformers": None, "model2vec": None}
try:
    from sentence_transformers import SentenceTransformer

    found["sentence_transformers"] = SentenceTransformer(folder, device="cpu").encode(texts).tolist()
except ImportError:
    pass
try:
    from model2vec import StaticModel

    found["model2vec"] = StaticModel.from_pretrained(folder).encode(texts).tolist()
except ImportError:
    pass
json.dump(found, open(out, "w", encoding="utf-8"))
