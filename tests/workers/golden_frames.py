"""One frame of every event. `python -m tests.workers.golden_frames` writes them to tests/golden for Python and Node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from workers.protocol import comparison_events, events, frame, training_events
from workers.protocol.event import Event

FOLDER = Path(__file__).resolve().parents[1] / "golden"

GOLDEN: dict[str, tuple[Event, dict[str, np.ndarray[Any, Any]]]] = {
    "started": (
        events.Started(
            seq=1,
            run="k3v5",
            attempt=1,
            model="prose",
            worker="interactive1@host",
            device="cpu",
            dtype="float32",
            implementation="cpu",
        ),
        {},
    ),
    "tokens": (
        events.Tokens(seq=2, sequence="decoder", origin="given", texts=["🙂", " é", "⏎"], special=[False, False, True]),
        {"ids": np.array([7, 300, 0], np.int32), "offsets": np.array([[0, 1], [1, 4], [4, 5]], np.int32)},
    ),
    "site": (
        events.Site(
            seq=3,
            site="decoder.self.0",
            stack="decoder",
            kind="self",
            layer=0,
            heads=2,
            queries=3,
            keys=3,
            causal=True,
            cell=1,
            rule="max",
            encoding="sqrt",
            measures=["entropy", "previous_token", "first_token"],
            labels=["previous_token", "unclear"],
            seconds=0.25,
        ),
        {
            "overview": np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
            "scale": np.array([1.0, 0.5], np.float32),
            "measures": np.linspace(0, 1, 6, dtype=np.float32).reshape(3, 2),
            "margin": np.array([0.75, 0.125], np.float32),
            "confidence": np.array([0.875, 0.0], np.float32),
        },
    ),
    "probabilities": (
        events.Probabilities(seq=4, sequence="decoder", texts={"7": "🙂", "300": " é"}),
        {
            "ids": np.array([[7, 300], [300, 7], [7, 300]], np.int32),
            "probabilities": np.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]], np.float32),
        },
    ),
    "picture": (
        events.Picture(
            seq=2,
            rows=1,
            cols=2,
            patch=[2, 1],
            first=1,
            rescale=1 / 255,
            mean=[0.5, 0.5, 0.5],
            deviation=[0.5, 0.5, 0.25],
        ),
        {"pixels": np.arange(12, dtype=np.uint8).reshape(2, 2, 3)},
    ),
    "classes": (
        events.Classes(seq=4, texts=["seven", "one"]),
        {"ids": np.array([7, 1], np.int32), "probabilities": np.array([0.75, 0.25], np.float32)},
    ),
    "step": (
        events.Step(
            seq=5,
            place=3,
            id=7,
            text="🙂",
            written="🙂",
            probability=0.5,
            sampled_probability=1.0,
            finished=None,
            texts=["🙂", " é"],
            cell=1,
            sites=["decoder.self.0", "decoder.cross.0"],
            heads=[2, 1],
            keys=[3, 2],
        ),
        {
            "alternatives": np.array([7, 300], np.int32),
            "probabilities": np.array([0.5, 0.25], np.float32),
            "rows": np.array([65535, 0, 0, 32768, 16384, 16383, 13107, 52428], np.uint16),
        },
    ),
    "prompt_rows": (
        events.PromptRows(seq=6, site="decoder.self.0", causal=True, queries=3, keys=3, cell=2),
        {"rows": np.array([[[65535, 0], [32768, 32767]]], np.uint16)},
    ),
    "beams": (
        events.Beams(seq=5, first=2, texts=["🙂", " é"], ended=[False, True], best=[], scores=[]),
        {
            "ids": np.array([7, 300], np.int32),
            "parents": np.array([-1, 1], np.int32),
            "log_probabilities": np.array([-0.5, -1.5], np.float32),
            "totals": np.array([-0.5, -2.0], np.float32),
        },
    ),
    "tile": (
        events.Tile(
            seq=5, site="decoder.self.0", head=1, rows=[0, 2], cols=[1, 3], cell=1, rule="exact", implementation="cpu"
        ),
        {"weights": np.array([[0.0, 0.0], [0.5, 0.0]], np.float32)},
    ),
    "pair": (
        events.Pair(
            seq=6,
            site="decoder.self.0",
            head=1,
            row=2,
            col=1,
            rule="dot",
            turned=None,
            product=-1.5,
            relative=None,
            scale=0.5,
            scaled=-0.75,
            softcap=None,
            capped=-0.75,
            biases={"alibi": -0.25},
            hidden_by=["window"],
            score=None,
            log_sum_exp=0.5,
            factor=None,
            weight=0.0,
            sink=None,
            seen=1,
            largest_score=0.5,
            implementation="cpu",
        ),
        {
            "query": np.array([1.0, -1.0], np.float32),
            "key": np.array([0.5, 2.0], np.float32),
            "products": np.array([0.5, -2.0], np.float32),
            "strongest_keys": np.array([2], np.int32),
            "strongest_weights": np.array([1.0], np.float32),
        },
    ),
    "totals": (
        events.Totals(seq=6, site="decoder.self.0", head=1, rows=[0, 3], implementation="cpu"),
        {
            "received": np.array([1.5, 1.0, 0.5], np.float32),
            "entropy": np.array([0.0, 0.5, 1.0], np.float32),
        },
    ),
    "lens": (
        events.Lens(
            seq=6,
            sequence="decoder",
            positions=[1, 3],
            guesses="next",
            tuned=False,
            texts={"7": "🙂", "300": " é"},
        ),
        {
            "ids": np.array([[[7, 300], [300, 7]], [[300, 7], [7, 300]]], np.int32),
            "probabilities": np.array([[[0.5, 0.25], [0.75, 0.125]], [[1.0, 0.0], [0.5, 0.5]]], np.float32),
            "truth": np.array([300, -1], np.int32),
            "truth_probabilities": np.array([[0.25, 0.0], [1.0, 0.0]], np.float32),
            "truth_ranks": np.array([[1, -1], [0, -1]], np.int32),
        },
    ),
    "floors": (
        events.Floors(seq=6, site="decoder.self.0", head=1, rows=[0, 3], mass=0.75, implementation="cpu"),
        {"floors": np.array([1.0, 0.5, 0.25], np.float32)},
    ),
    "influence": (
        events.Influence(
            seq=6,
            site="decoder.self.0",
            head=1,
            reading="gradient",
            rows=[1, 3],
            cols=[0, 2],
            cell=1,
            rule="exact",
            position=2,
            token=7,
            logit=1.5,
            implementation="cpu",
        ),
        {"values": np.array([[0.5, 0.0], [-0.25, 0.125]], np.float32)},
    ),
    "training": (
        training_events.Training(
            seq=11, plan={"assignment": "copy", "layers": "2"}, step=0, steps=1000, parameters=118_592
        ),
        {},
    ),
    "progress": (
        training_events.Progress(seq=12, tokens_per_s=12_000.0, memory_bytes=400_000_000, seconds_left=None),
        {
            "steps": np.array([1, 2], np.int32),
            "loss": np.array([5.5, 5.25], np.float32),
            "learning_rate": np.array([0.001, 0.002], np.float32),
            "gradient_norm": np.array([1.5, 1.25], np.float32),
        },
    ),
    "evaluated": (training_events.Evaluated(seq=13, step=100, metrics={"loss": 2.5, "accuracy": 0.25}), {}),
    "snapshot": (
        training_events.Snapshot(
            seq=14,
            step=50,
            sites=["decoder.self.0", "decoder.cross.0"],
            heads=[2, 1],
            queries=[2, 2],
            keys=[2, 3],
            cell=[1, 1],
            causal=[True, False],
            measures=[["entropy", "induction"], ["entropy"]],
            labels=[["previous_token", "unclear"], ["focused"]],
        ),
        {
            "overview": np.arange(14, dtype=np.uint8),
            "scale": np.array([1.0, 0.5, 0.75], np.float32),
            "measures": np.array([0.5, 0.25, 0.75, 0.0, 1.5], np.float32),
        },
    ),
    "sample": (training_events.Sample(seq=14, step=50, source="abc>", text="cba", wanted="cba"), {}),
    "saved": (training_events.Saved(seq=15, step=200), {}),
    "steered": (training_events.Steered(seq=16, action="learning_rate", step=210, rate_factor=0.5), {}),
    "trained": (training_events.Trained(seq=17, step=1000, metrics={"exact": 1.0}), {}),
    "comparison": (
        comparison_events.Comparison(
            seq=6, sites=["decoder.self.0"], heads=[2], rows_read=[3], rows_shared=[3], implementation="cpu"
        ),
        {
            "distance": np.array([0.125, 0.5], np.float32),
            "row": np.array([[2, 1], [1, -1]], np.int32),
            "row_distance": np.array([[0.25, 0.0], [0.5, -1.0]], np.float32),
            "key_a": np.array([[1, 1], [1, -1]], np.int32),
            "weight_a": np.array([[0.5, 0.75], [1.0, -1.0]], np.float32),
            "key_b": np.array([[2, 1], [1, -1]], np.int32),
            "weight_b": np.array([[0.625, 0.75], [0.5, -1.0]], np.float32),
            "encoder_pairs": np.zeros((0, 2), np.int32),
            "decoder_pairs": np.array([[0, 0], [1, 1], [2, 2]], np.int32),
        },
    ),
    "difference": (
        comparison_events.Difference(
            seq=6, site="decoder.self.0", head=1, rows=[0, 2], cols=[1, 3], cell=1, implementation="cpu"
        ),
        {"weights": np.array([[0.5, -0.25], [0.0, -1.0]], np.float32)},
    ),
    "finished": (events.Finished(seq=6, implementation="cpu", timings={"queued_s": 0.5, "trace_s": 0.125}), {}),
    "failed": (events.Failed(seq=6, code="text_too_long", message="This text has 312 tokens; 256 fit."), {}),
    "cancelled": (events.Cancelled(seq=6), {}),
}


def main() -> None:
    """Write each frame, and beside it what a reader must find in it."""
    FOLDER.mkdir(exist_ok=True)
    for name, (event, arrays) in GOLDEN.items():
        (FOLDER / f"{name}.frame").write_bytes(frame.encode(event, arrays))
        found = {"event": event.header(), "arrays": {key: array.tolist() for key, array in arrays.items()}}
        (FOLDER / f"{name}.json").write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
