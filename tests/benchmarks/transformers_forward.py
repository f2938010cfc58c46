"""transformers' own forward pass, in a process beside the site: how long it takes each time it is asked.

`python -m tests.benchmarks.transformers_forward FOLDER IDS`, then a line on stdin for each pass.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.figures import seconds_of
from tests.running import HOUSE

THREADS = 2


class TransformersForward:
    """The child. It sleeps while it is not asked, so that the site has the machine to itself."""

    def __init__(self, folder: Path, ids: list[int]) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.transformers_forward", str(folder), json.dumps(ids)]
        self._child = subprocess.Popen(command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self) -> float:
        assert self._child.stdin is not None and self._child.stdout is not None
        print(file=self._child.stdin, flush=True)
        return float(self._child.stdout.readline())

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()


def _serve(folder: str, ids: list[int]) -> None:
    import torch
    from transformers import GPT2LMHeadModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.set_num_threads(THREADS)
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    ids_1N = torch.tensor([ids])
    with torch.inference_mode():
        for _ in sys.stdin:
            print(seconds_of(lambda: model(ids_1N, use_cache=False).logits), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
