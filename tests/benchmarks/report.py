"""Measures a large report: its size, how long the command takes, and how soon the page answers.

    cargo build --release
    python tests/benchmarks/report.py OUT

CRUCIBLE names another program than target/release/crucible. A sweep of 6 conditions and 6 seeds is trained for a few steps in
OUT and scored on two evals of 5,000 bundles each, of the sample data; then headless Chromium opens the report from disk, some
times, each time anew. Needs Python, chromium and chromedriver; what is in OUT is not done again.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
CRUCIBLE = Path(os.environ.get("CRUCIBLE", HERE / "target/release/crucible")).resolve()
BUNDLES = 5000
RATIOS = "85_10_5,75_15_10,60_25_15,40_40_20,100_0_0,34_33_33"
SEEDS = "1,2,3,4,5,6"
OPENED = 7


def crucible(out, *args):
    print("$ crucible", *args, flush=True)
    start = time.perf_counter()
    done = subprocess.run([CRUCIBLE, *map(str, args)], cwd=out, check=True, capture_output=True, text=True)
    return done.stdout, time.perf_counter() - start


def grown(path, to):
    """Writes BUNDLES bundles: those of a file, and copies under other names with other texts."""
    lines = path.read_text(encoding="utf-8").splitlines()
    with open(to, "w", encoding="utf-8") as f:
        for i in range(BUNDLES):
            bundle, turn = json.loads(lines[i % len(lines)]), i // len(lines)
            for event in [bundle["anchor"], bundle["positive"], *bundle["negatives"]] if turn else []:
                event["event_id"] += f"_{turn}"
                event["text"] += f" No. {turn}."
                event.pop("span", None)
            bundle["bundle_id"] += f"_{turn}" if turn else ""
            f.write(json.dumps(bundle) + "\n")


def prepare(out):
    if (out / "s/pareto_analysis.json").exists():
        return
    crucible(out, "init", "p", "--sample-data")
    for name, events in [("frozen", "events"), ("organic", "organic_events")]:
        crucible(out, "bundle", "--events", f"p/data/{events}.jsonl", "--output", f"{name}_bundles.jsonl")
        grown(out / f"{name}_bundles.jsonl", out / f"{name}.jsonl")
    crucible(out, "bundle", "--events", "p/data/events.jsonl", "--output", "train.jsonl", "--max-per-sense", "3")
    crucible(out, "sweep", "ratio", "--ratios", RATIOS, "--seeds", SEEDS, "--bundles", "train.jsonl", "--frozen-eval",
             "frozen.jsonl", "--organic-eval", "organic.jsonl", "--output-dir", "s", "--training.steps", "40",
             "--model.embedding_dim", "32", "--model.hidden_dim", "32", "--quiet")


class Browser:
    """Chromium without a window, through chromedriver."""

    def __init__(self):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                self.base = f"http://127.0.0.1:{line.rsplit(' ', 1)[1].strip().rstrip('.')}"
                break
        arguments = ["--headless=new", "--no-sandbox", "--no-first-run", "--window-size=1280,1000"]
        always = {"goog:chromeOptions": {"args": arguments}}
        self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": always}})["sessionId"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["value"]

    def run(self, script):
        return self.ask("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": []})

    def open(self, address):
        self.ask("POST", f"/session/{self.session}/url", {"url": "about:blank"})
        self.ask("POST", f"/session/{self.session}/url", {"url": address})

    def close(self):
        self.ask("DELETE", f"/session/{self.session}")
        self.driver.terminate()
        self.driver.wait()


# From the start of loading to a drawn page; then, from a click on a tab to what it shows.
READY = "return document.body.dataset.state === 'ready' ? Number(document.body.dataset.ready) : null;"
CLICK = """const start = performance.now(); document.getElementById('tab-%s').click();
document.getElementById('view').getBoundingClientRect(); return performance.now() - start;"""


def measure(page):
    browser = Browser()
    times = {"interactive": [], "pareto": [], "bundles": []}
    try:
        for _ in range(OPENED):
            browser.open(page.resolve().as_uri())
            while (ready := browser.run(READY)) is None:
                time.sleep(0.02)
            times["interactive"].append(ready)
            for tab in ["pareto", "bundles"]:
                times[tab].append(browser.run(CLICK % tab))
    finally:
        browser.close()
    return times


def main():
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    prepare(out)
    crucible(out, "report", "--results-dir", "s", "--output", "bare.html", "--no-evaluator")
    _, seconds = crucible(out, "report", "--results-dir", "s", "--output", "report.html")
    page = out / "report.html"
    bare = (out / "bare.html").stat().st_size
    print(f"{bare / 1e6:.1f} MB without the evaluator, {page.stat().st_size / 1e6:.1f} MB with it, in {seconds:.1f} s")
    for what, times in measure(page).items():
        print(f"{what}: median {statistics.median(times):.0f} ms, {min(times):.0f} to {max(times):.0f}")


if __name__ == "__main__":
    main()
