"""Writes tests/fixtures/foreign/events.out.tfevents.fixture with tensorboardX.

    pip install tensorboardX && python tests/reference/tensorboard_events.py

A loss that diverges once, sound gradient norms, an overfitting cliff, and values that are no scalars.
"""

import pathlib
import shutil
import tempfile

from tensorboardX import SummaryWriter

OUT = pathlib.Path(__file__).parent.parent / "fixtures" / "foreign" / "events.out.tfevents.fixture"

with tempfile.TemporaryDirectory() as folder:
    writer = SummaryWriter(folder)
    writer.add_text("note", "a text is no scalar", 0)
    for i in range(150):
        writer.add_scalar("train/loss", 40.0 if i == 100 else 1.0 + 0.01 * (i % 7), 10 * i)
        writer.add_scalar("train/grad_norm", 0.5 + 0.01 * (i % 5), 10 * i)
    for step, frozen, organic in [(500, 0.30, 0.32), (1000, 0.32, 0.35), (1490, 0.36, 0.28)]:
        writer.add_scalar("eval/frozen_accuracy", frozen, step)
        writer.add_scalar("eval/organic_accuracy", organic, step)
    writer.close()
    (written,) = pathlib.Path(folder).glob("events.out.tfevents.*")
    OUT.parent.mkdir(exist_ok=True)
    shutil.copyfile(written, OUT)
