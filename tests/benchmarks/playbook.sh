#!/usr/bin/env bash
# The sequence of docs/PLAYBOOK.md: SemCor events → bundles → train → mine → expand → merge → split → train → eval →
# revalidate. Prints every command and what it says; leaves everything in OUT.
#
#     tests/benchmarks/playbook.sh DATA OUT
#
# DATA is a folder with semcor_events.jsonl. CRUCIBLE names the program (target/release/crucible).
set -euo pipefail
if (($# != 2)); then
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
crucible=$(realpath "${CRUCIBLE:-$here/target/release/crucible}")
events=$(realpath "$1/semcor_events.jsonl")
[[ -x $crucible ]] || { echo "no $crucible: cargo build --release, or set CRUCIBLE" >&2; exit 2; }
mkdir -p "$2"
cd "$2"
ln -sf "$events" events.jsonl
unset CRUCIBLE_CONFIG CRUCIBLE_DEVICE

run() {
    local started=$SECONDS
    printf '\n$ crucible %s\n' "$(printf '%q ' "$@" | sed 's/ $//')"
    "$crucible" "$@" 2>&1
    printf '(%d s)\n' $((SECONDS - started))
}

recipe=(--training.steps 5000 --training.learning_rate 2e-3 --training.temperature 0.1 --model.num_layers 0
    --device cpu --quiet)

# 1. Bundles, ranked without any model.
run bundle --events events.jsonl --output bundles.jsonl
# 2. A first model.
run train --bundles bundles.jsonl --output-dir first "${recipe[@]}"
first=first/checkpoint_final.safetensors
# 3. What it keeps failing.
run mine --events events.jsonl --existing-tier3 bundles.jsonl --checkpoint "$first" \
    --max-output 60000 --output organic.jsonl --quarantine low.jsonl --review review.jsonl
# 4. Variants of the old killers that it fails, too.
run pool expand --bundles bundles.jsonl --events events.jsonl --checkpoint "$first" --variants 1 --output expanded.jsonl
# 5. One file of all pools.
run pool merge --legacy bundles.jsonl --organic organic.jsonl --expanded expanded.jsonl --output pools.jsonl
run pool stats pools.jsonl
# 6. A fifth of the organic pool, by sense, is kept back.
run pool split --bundles pools.jsonl --pool organic --holdout-fraction 0.2 --seed 42 \
    --train train.jsonl --holdout organic_holdout.jsonl
# 7. A second model, on what is left; both on the holdout.
run train --bundles train.jsonl --output-dir second "${recipe[@]}"
second=second/checkpoint_final.safetensors
run eval --checkpoint "$first" --eval-set organic_holdout.jsonl --output first/organic.json
run eval --checkpoint "$second" --eval-set organic_holdout.jsonl --output second/organic.json
# Of the holdout, those that fewer lineups pass.
run pool filter "passes <= 7" --bundles organic_holdout.jsonl --output organic_holdout_mid.jsonl
run eval --checkpoint "$second" --eval-set organic_holdout_mid.jsonl --output second/organic_mid.json
# 8. Which killers are still killers, for the model they were mined with and for the second one.
run pool revalidate --bundles pools.jsonl --events events.jsonl --checkpoint "$first" \
    --output confirmed.jsonl --quarantine pseudo.jsonl --report first/revalidation.json
run pool revalidate --bundles pools.jsonl --events events.jsonl --checkpoint "$second" --report second/revalidation.json
# 9. The strongest.
run pool filter "pool == 'organic' and passes >= 8 and danger_score > 0.1" --bundles pools.jsonl --output strong.jsonl
# Of the organic bundles, how many fresh lineups refute, by the passes they were mined with.
python3 - <<'PYTHON'
import json
from collections import Counter

refuted = {b["bundle_id"] for b in json.load(open("first/revalidation.json"))["pseudo_killers"]}
all_, fell = Counter(), Counter()
for line in open("organic.jsonl", encoding="utf-8"):
    bundle = json.loads(line)
    passes = bundle["metadata"]["passes"]
    all_[passes] += 1
    fell[passes] += bundle["bundle_id"] in refuted
print("\npasses  bundles  pseudo-killers")
for passes in sorted(all_):
    print(f"{passes:6} {all_[passes]:8} {100 * fell[passes] / all_[passes]:13.1f} %")
PYTHON
