"""A run as a notebook that makes it again by the Python client, and draws the head in view."""

from __future__ import annotations

import json
from typing import Any

from webapp.runs.models import Run


def notebook(run: Run, address: str, site: str | None, head: int) -> str:
    """nbformat 4.5. Values of the run stand in it as Python literals, so nothing of a text is ever read as code."""
    asked = {"text": run.text, "ids": run.ids, "target": run.target, "text_pair": run.text_pair}
    given = "".join(f",\n    {name}={value!r}" for name, value in asked.items() if value is not None)
    call = f"run = client.trace({run.checkpoint_id!r}{given})"
    if run.choices is not None:
        choices = "".join(f",\n    {name}={value!r}" for name, value in run.choices.items() if value is not None)
        target = "" if run.target is None else f",\n    target={run.target!r}"
        call = f"run = client.generate({run.checkpoint_id!r}, {run.text!r}{target}{choices})"
    cells = [
        _words(
            "# A run of Headlight, again",
            "",
            "Needs the client (`pip install ./webapp/client` from Headlight's folder), matplotlib, and a site: its",
            "address below, or in `HEADLIGHT_URL`; a token in `HEADLIGHT_TOKEN` where the site asks for one.",
        ),
        _code(
            "import os",
            "",
            "import headlight",
            "",
            f"client = headlight.Client(os.environ.get('HEADLIGHT_URL', {address!r}))",
        ),
        _code(call, "run"),
        _code(
            f"layer, head = {site or 'decoder.self.0'!r}, {head}",
            "weights = run.map(layer, head)",
            "weights.shape, weights.sum(axis=1)",
        ),
        _code(
            "import matplotlib.pyplot as plt",
            "",
            "names = [token.text for token in run.tokens if token.sequence == run.tokens[-1].sequence]",
            "figure, axes = plt.subplots(figsize=(6, 6))",
            "axes.imshow(weights**0.5, cmap='magma_r')",
            "if weights.shape[0] == len(names) <= 48:",
            "    axes.set_yticks(range(len(names)), names)",
            "axes.set_title(f'{layer}, head {head}');",
        ),
        _code("run.heads('induction')[:5], run.next_tokens(top=5)"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}, indent=1)


def _words(*lines: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": "\n".join(lines)}


def _code(*lines: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {},
        "source": "\n".join(lines),
        "outputs": [],
        "execution_count": None,
    }
