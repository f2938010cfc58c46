"""Beam search: the likeliest texts, a few of them followed side by side, and the tree that they grew."""

# B running beams, N new tokens, V vocabulary

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from modelcore.generation.error import GenerationError
from modelcore.generation.reader import open_reader
from modelcore.generation.sampling import require_known
from modelcore.generation.steps import check_prompt, require_finite
from modelcore.layers.edits import Edits
from modelcore.models.readable import Readable


@dataclass(frozen=True)
class LengthPenalty:
    """What a text's log-probability is divided by, so that long texts may win. |Y| counts the written tokens.

    "wu"     ((5 + |Y|) / 6) ^ exponent    Wu et al. 2016 (arXiv 1609.08144), equation 14
    "power"  |Y| ^ exponent                the transformers library; 1 is the mean over the tokens
    """

    kind: Literal["wu", "power"] = "wu"
    exponent: float = 0.6

    def of(self, length: int) -> float:
        return ((5 + length) / 6 if self.kind == "wu" else length) ** self.exponent


@dataclass(frozen=True)
class BeamSearch:
    """How many texts are followed, how those that ended are compared, and when a text ends.

    Raises: GenerationError for a number that no search can be made by.
    """

    beams: int
    length_penalty: LengthPenalty = LengthPenalty()
    max_tokens: int = 128
    stop_tokens: tuple[int, ...] = ()
    banned_tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("beams", "max_tokens"):
            if getattr(self, name) < 1:
                raise GenerationError("bad_sampling", f"{name} is {getattr(self, name)}; it must be 1 or more.")

    def check_tokens(self, vocabulary: int) -> None:
        """Raises: GenerationError if a token is named that the model does not have."""
        for name in ("banned_tokens", "stop_tokens"):
            for id_ in getattr(self, name):
                require_known(name, id_, vocabulary)


@dataclass(frozen=True)
class BeamNode:
    """A token that was kept, after the one of node number `parent`; None: after the prompt.

    Units: nats: `log_probability` of this token alone, and `total` of all since the prompt.
    """

    number: int
    parent: int | None
    place: int
    id: int
    log_probability: float
    total: float
    ended: bool


@dataclass(frozen=True)
class Hypothesis:
    """A text that ended at a node: its tokens, an end token with them; `score` is the total over the penalty."""

    ids: tuple[int, ...]
    score: float
    node: int


class Beams(NamedTuple):
    """What a search found, best first, and all nodes that it kept on the way: a node's number is its place."""

    hypotheses: list[Hypothesis]
    tree: list[BeamNode]


def beam_search(
    model: Readable,
    prompt: Sequence[int],
    search: BeamSearch,
    *,
    source: Sequence[int] | None = None,
    edits: Edits | None = None,
) -> Beams:
    """`grow_beams` to its end."""
    steps = grow_beams(model, prompt, search, source=source, edits=edits)
    tree: list[BeamNode] = []
    while True:
        try:
            tree += next(steps)
        except StopIteration as end:
            return Beams(end.value, tree)


@torch.inference_mode()
def grow_beams(
    model: Readable,
    prompt: Sequence[int],
    search: BeamSearch,
    *,
    source: Sequence[int] | None = None,
    edits: Edits | None = None,
) -> Generator[list[BeamNode], None, list[Hypothesis]]:
    """Yields the nodes that each step keeps, and returns as many hypotheses as there are beams, the best first.

    A text ends with the model's end token, a stop token, after `max_tokens`, or with the model's positions.
    The search is over once as many have ended as there are beams, and the best of those still running would
    not be among them if it ended now. With a penalty that is a guess: it might yet become so.

    Raises: GenerationError, at the first step, as `generate` does.
    Source: Sutskever et al. 2014 (arXiv 1409.3215), 3.2; where to stop: the transformers library.
    """
    config = model.config
    search.check_tokens(config.vocabulary)
    prompt = check_prompt(config, prompt, source)
    device = next(model.parameters()).device
    reader = open_reader(model, None if source is None else torch.tensor([source], device=device), edits=edits)
    tree = _Tree(search, config.end_token, len(prompt), min(search.max_tokens, config.longest - len(prompt)))
    new_BN = torch.tensor([prompt], device=device)
    while True:
        kept, rows = tree.grow(reader.read(new_BN).float())
        yield kept
        if tree.is_grown:
            return tree.hypotheses
        reader.reorder(torch.tensor(rows, device=device))
        new_BN = torch.tensor([[node.id] for node in tree.running], device=device)


class _Tree:
    """The state of a search: the nodes at which texts run on, and the texts that ended."""

    def __init__(self, search: BeamSearch, end_token: int | None, prompt: int, limit: int) -> None:
        self.search = search
        self.ends = {*search.stop_tokens} if end_token is None else {*search.stop_tokens, end_token}
        self.prompt, self.limit = prompt, limit
        self.length = 0
        self.nodes: list[BeamNode] = []
        self.running: list[BeamNode] = []
        self.hypotheses: list[Hypothesis] = []

    def grow(self, logits_BV: Tensor) -> tuple[list[BeamNode], list[int]]:
        """One token more. Returns the nodes that were kept, and which text each one still running follows."""
        parents: list[BeamNode | None] = [*self.running] or [None]
        log_BV = logits_BV.log_softmax(-1)
        log_BV[:, list(self.search.banned_tokens)] = -torch.inf
        totals_B1 = log_BV.new_tensor([[parent.total if parent else 0.0] for parent in parents])
        # So many candidates that enough go on, even if the likeliest tokens of every text end it.
        pool = max(2, 1 + len(self.ends)) * self.search.beams
        top = (totals_B1 + log_BV).flatten().topk(min(pool, log_BV.numel()))
        self.length += 1
        self.running, rows, kept = [], [], []
        own = log_BV.flatten()[top.indices]
        candidates = zip(top.values.tolist(), own.tolist(), top.indices.tolist(), strict=True)
        for rank, (total, log_probability, index) in enumerate(candidates):
            row, id_ = divmod(index, log_BV.shape[1])
            require_finite(total, self.prompt + self.length - 1)
            ended = id_ in self.ends or self.length == self.limit
            # An end that is less likely than as many candidates as there are beams is no hypothesis.
            if total == -torch.inf or (rank if ended else len(self.running)) >= self.search.beams:
                continue
            node = self._add(parents[row], id_, log_probability, total, ended)
            kept.append(node)
            if ended:
                score = total / self.search.length_penalty.of(self.length)
                self.hypotheses.append(Hypothesis(self._ids(node), score, node.number))
            else:
                self.running.append(node)
                rows.append(row)
        self.hypotheses.sort(key=lambda hypothesis: -hypothesis.score)
        del self.hypotheses[self.search.beams :]
        return kept, rows

    @property
    def is_grown(self) -> bool:
        """Whether the search is over."""
        if not self.running or len(self.hypotheses) < self.search.beams:
            return not self.running
        best_running = self.running[0].total / self.search.length_penalty.of(self.length)
        return best_running <= self.hypotheses[-1].score

    def _add(self, parent: BeamNode | None, id_: int, log_probability: float, total: float, ended: bool) -> BeamNode:
        number = None if parent is None else parent.number
        place = self.prompt + self.length - 1
        node = BeamNode(len(self.nodes), number, place, id_, log_probability, total, ended)
        self.nodes.append(node)
        return node

    def _ids(self, node: BeamNode) -> tuple[int, ...]:
        """The written tokens up to this node."""
        ids = [node.id]
        while node.parent is not None:
            node = self.nodes[node.parent]
            ids.append(node.id)
        return tuple(reversed(ids))
