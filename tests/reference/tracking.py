"""Tracks trainings on a real MLflow server, and has TensorBoard read the event files.

    pip install mlflow tensorboard
    python tests/reference/tracking.py target/debug/crucible

It runs in a folder with a `crucible.yaml`, bundles and evals, as tests/cli/tracking/real.rs makes one, starts
`mlflow server` on a free port, and reads back by MLflow's own client. Tried with MLflow 3.17 and TensorBoard 2.20.
"""

import sys

# This folder's statistics.py is not Python's.
sys.path.pop(0)

import json
import os
import signal
import socket
import struct
import subprocess
import time
import urllib.request
from pathlib import Path

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
    os.environ.pop(name, None)

CRUCIBLE = sys.argv[1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(port):
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
         "--backend-store-uri", f"sqlite:///{Path('ml.db').absolute()}",
         "--artifacts-destination", str(Path("artifacts").absolute())],
        stdout=open("mlflow.log", "a"), stderr=subprocess.STDOUT, start_new_session=True)
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                if answer.status == 200:
                    return server
        except OSError:
            assert server.poll() is None, Path("mlflow.log").read_text()
            time.sleep(0.2)
    raise SystemExit("mlflow server did not start: " + Path("mlflow.log").read_text())


def stop(server):
    os.killpg(server.pid, signal.SIGTERM)
    server.wait(30)


def crucible(*args, there=True):
    ran = subprocess.run([CRUCIBLE, *args], capture_output=True, text=True)
    assert ran.returncode == 0, (args, ran.stdout, ran.stderr)
    told = "MLflow was not told" not in ran.stderr
    assert there or not told, ran.stderr
    if there and not told:
        # A slow machine: the end of a run waits for no more than its bound.
        print("sent later:", ran.stderr)
        crucible("sync", args[args.index("--output-dir") + 1] if "--output-dir" in args else "s")
    return ran


def metrics_of(folder):
    return [json.loads(line) for line in Path(folder, "metrics.jsonl").read_text().splitlines()]


def check_run(client, run_id, folder):
    """Params, the history of every number, files."""
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED", run.info.status
    assert run.data.params["training.learning_rate"] == "0.003", run.data.params
    assert run.data.params["model.embedding_dim"] == "16"
    assert len(run.data.params) > 50, len(run.data.params)
    lines = metrics_of(folder)
    for key, of in [("train/loss", lambda m: m["loss"]), ("train/gradient_norm", lambda m: m["gradient_norm"]),
                    ("train/learning_rate", lambda m: m["learning_rate"]), ("quota/tier1_easy", lambda m: m["quota"][0])]:
        history = sorted((m.step, m.value) for m in client.get_metric_history(run_id, key))
        assert history == [(m["step"], of(m)) for m in lines], key
    names = {f.path for f in client.list_artifacts(run_id)}
    assert {"config.yaml", "guardrails.json", "exposures.json"} <= names, names
    for name in names:
        there = Path(client.download_artifacts(run_id, name)).read_bytes()
        assert there == Path(folder, name).read_bytes(), name
    return names


def check_events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    lines = metrics_of(folder)
    single = lambda x: struct.unpack("f", struct.pack("f", x))[0]
    for key, name in [("train/loss", "loss"), ("train/gradient_norm", "gradient_norm")]:
        there = [(e.step, e.value) for e in events.Scalars(key)]
        assert there == [(m["step"], single(m[name])) for m in lines], (key, len(there), len(lines))


def main():
    port = free_port()
    os.environ["MLFLOW_TRACKING_URI"] = uri = f"http://127.0.0.1:{port}"
    often = ["--quiet", "--experiment.log_every", "1"]

    # Nobody is there yet: what is written then is sent later.
    crucible("train", "--output-dir", "early", "--tracking", "mlflow", *often, there=False)
    server = start(port)
    try:
        from mlflow import MlflowClient

        client = MlflowClient(uri)
        crucible("sync", "early")
        crucible("train", "--output-dir", "now", "--tracking", "both", "--seeds", "1,2", *often)
        experiment = client.get_experiment_by_name("crucible").experiment_id
        runs = {r.info.run_name: r.info.run_id for r in client.search_runs([experiment])}
        assert set(runs) == {"early", "now/seed_1", "now/seed_2"}, runs
        for name, run_id in runs.items():
            check_run(client, run_id, name)
        check_events("now/seed_1")
        check_events("now/seed_2")

        # Killed on its way, and gone on with: one run, each number once; TensorBoard sees one curve.
        long = ["train", "--output-dir", "long", "--tracking", "both", "--steps", "3000",
                "--experiment.checkpoint_every", "100", *often]
        child = subprocess.Popen([CRUCIBLE, *long], stderr=subprocess.DEVNULL)
        log = Path("long/metrics.jsonl")
        while child.poll() is None and (not log.exists() or log.read_text().count("\n") < 250):
            time.sleep(0.01)
        child.kill()
        child.wait()
        crucible(*long, "--resume")
        found = client.search_runs([experiment], "attributes.run_name = 'long'")
        assert len(found) == 1, found
        check_run(client, found[0].info.run_id, "long")
        assert len(list(Path("long").glob("*tfevents*"))) == 2
        check_events("long")

        # A sweep: a run with parts; the server goes away in between, and what it missed is sent.
        sweep = ["sweep", "ratio", "--ratios", "85_10_5,40_40_20", "--seeds", "1,2", "--tracking", "mlflow",
                 "--tracking.experiment", "ratios", "--quiet"]
        crucible(*sweep)
        crucible("report", "--results-dir", "s", "--output", "s/report.html", "--quiet")
        crucible("sync", "s")
        crucible("sync", "s")
        experiment = client.get_experiment_by_name("ratios").experiment_id
        runs = client.search_runs([experiment])
        (parent,) = [r for r in runs if "mlflow.parentRunId" not in r.data.tags]
        parts = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(runs) == 5 and len(parts) == 4, runs
        names = {f.path for f in client.list_artifacts(parent.info.run_id)}
        assert {"pareto_analysis.json", "frozen_scoreboard.json", "report.html"} <= names, names
        for part in parts:
            condition, _, seed = part.info.run_name.split(" ")
            folder = Path("s", condition, f"seed_{seed}")
            assert "organic_scoreboard.json" in check_run(client, part.info.run_id, folder)
            board = json.loads(Path(folder, "organic_scoreboard.json").read_text())
            assert part.data.metrics["organic/pass_rate"] == board["overall"]["pass_rate"]
    finally:
        stop(server)
    print("all is there")


if __name__ == "__main__":
    main()
