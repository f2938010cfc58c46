"""How the next token is chosen, and when writing ends."""

# V vocabulary, N tokens of the text so far

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from modelcore.generation.error import GenerationError
from modelcore.generation.filters import ban, keep_min_p, keep_top_k, keep_top_p, penalise_repetition, sharpen


@dataclass(frozen=True)
class Sampling:
    """Greedy unless something of drawing is given: a temperature, of which 0 is greedy too, or top_k, top_p, min_p.

    Filters act in the order of the fields. `stop_tokens` end the text as the model's own end token does, and
    `stop_strings` where they would begin; `banned_tokens` are never written. The same seed draws the same
    tokens; without one every run draws its own.
    Raises: GenerationError for a number that no choice can be made by.
    """

    repetition_penalty: float = 1.0
    banned_tokens: tuple[int, ...] = ()
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int | None = None
    max_tokens: int = 128
    stop_tokens: tuple[int, ...] = ()
    stop_strings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 <= self.temperature < math.inf:
            _refuse(f"temperature is {self.temperature}; give 0 for the likeliest token each time, 1 to draw as is.")
        if not 0 < self.repetition_penalty < math.inf:
            _refuse(f"repetition_penalty is {self.repetition_penalty}; it must be above 0, and 1 changes nothing.")
        if self.top_k is not None and self.top_k < 1:
            _refuse(f"top_k is {self.top_k}; it must be 1 or more, or left out to choose among all tokens.")
        for name in ("top_p", "min_p"):
            share = getattr(self, name)
            if share is not None and not 0 < share <= 1:
                _refuse(f"{name} is {share}; it is a probability above 0, and no more than 1.")
        if self.max_tokens < 1:
            _refuse(f"max_tokens is {self.max_tokens}; at least one token must be written.")
        if "" in self.stop_strings:
            _refuse("A stop string is empty; it would end every text before it begins. Leave it out.")
        if self.temperature == 0 and not self._draws_among_all:
            _refuse("temperature 0 takes the likeliest token; top_k, top_p and min_p need another one, such as 1.")

    @property
    def greedy(self) -> bool:
        return not self.temperature and self._draws_among_all

    @property
    def _draws_among_all(self) -> bool:
        return self.top_k is None and self.top_p is None and self.min_p is None

    def check_tokens(self, vocabulary: int) -> None:
        """Raises: GenerationError if a token is named that the model does not have."""
        for name in ("banned_tokens", "stop_tokens"):
            for id_ in getattr(self, name):
                require_known(name, id_, vocabulary)


GREEDY = Sampling()


class Chosen(NamedTuple):
    """A token, and how probable it was among those that it was drawn from (1 where nothing was drawn)."""

    id: int
    probability: float


class Sampler:
    """Chooses tokens by a `Sampling`; holds the state of its random numbers."""

    def __init__(self, sampling: Sampling, device: torch.device) -> None:
        self.sampling = sampling
        self._banned_T = torch.tensor(sampling.banned_tokens, dtype=torch.long, device=device)
        # On the CPU, so that a seed draws the same on every device.
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    def choose(self, logits_V: Tensor, ids_N: Tensor) -> Chosen:
        """The token that follows the text `ids`."""
        filtered_V = self.filtered(logits_V, ids_N)
        if self.sampling.greedy:
            return Chosen(int(filtered_V.argmax()), 1.0)
        probabilities_V = filtered_V.softmax(-1)
        cumulative_V = probabilities_V.cumsum(-1, dtype=torch.float64)
        drawn = torch.rand(1, dtype=torch.float64, generator=self._random).to(logits_V.device) * cumulative_V[-1]
        # right=True steps over tokens without probability, where the sum stands still.
        id_ = int(torch.searchsorted(cumulative_V, drawn, right=True))
        return Chosen(id_, float(probabilities_V[id_]))

    def filtered(self, logits_V: Tensor, ids_N: Tensor) -> Tensor:
        """The logits after every filter of this sampling."""
        sampling = self.sampling
        if sampling.repetition_penalty != 1:
            logits_V = penalise_repetition(logits_V, ids_N, sampling.repetition_penalty)
        if sampling.banned_tokens:
            logits_V = ban(logits_V, self._banned_T)
        if sampling.temperature:
            logits_V = sharpen(logits_V, sampling.temperature)
        if sampling.top_k is not None:
            logits_V = keep_top_k(logits_V, sampling.top_k)
        if sampling.top_p is not None and sampling.top_p < 1:
            logits_V = keep_top_p(logits_V, sampling.top_p)
        if sampling.min_p is not None:
            logits_V = keep_min_p(logits_V, sampling.min_p)
        return logits_V


def require_known(name: str, id_: int, vocabulary: int) -> None:
    """Raises: GenerationError if the vocabulary has no such token."""
    if not isinstance(id_, int) or isinstance(id_, bool) or not 0 <= id_ < vocabulary:
        raise GenerationError(
            "id_out_of_range",
            f"Token id {str(id_)[:20]} in {name} is outside the model's vocabulary, 0 to {vocabulary - 1}.",
        )


def _refuse(message: str) -> None:
    raise GenerationError("bad_sampling", message)
