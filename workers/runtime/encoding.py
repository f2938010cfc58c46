"""What modelcore yields as what the wire carries: an event and its arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modelcore.analysis.picture import PictureRead
from modelcore.analysis.trace import ClassesScored, NextTokens, SiteTraced, TokensRead
from modelcore.analysis.writing import BeamsGrown, Written
from modelcore.generation import row_watch
from modelcore.tokenizer import Tokenizer
from workers.protocol.event import Event
from workers.protocol.events import Beams, Classes, Picture, Probabilities, PromptRows, Site, Step, Tokens
from workers.protocol.training_events import Snapshot

Encoded = tuple[Event, dict[str, Any]]


def tokens(read: TokensRead) -> Encoded:
    encoding = read.encoding
    event = Tokens(
        sequence=read.sequence, origin=read.origin, texts=list(encoding.texts), special=list(encoding.special)
    )
    return event, {
        "ids": np.asarray(encoding.ids, dtype=np.int32),
        "offsets": np.asarray(encoding.offsets, dtype=np.int32).reshape(-1, 2),
    }


def site(traced: SiteTraced) -> Encoded:
    """The overview as bytes, p = scale * (byte / 255) ** 2 a head, and the measures in the order of their names."""
    attention, overview = traced.map, traced.overview
    overview_HRC, scale_H = _as_bytes(overview.maximum)
    event = Site(
        site=str(attention.site),
        stack=attention.site.stack,
        kind=attention.site.kind,
        layer=attention.site.layer,
        heads=attention.heads,
        queries=attention.queries,
        keys=attention.keys,
        causal=attention.spec.causal,
        cell=overview.cell,
        rule="max",
        encoding="sqrt",
        measures=list(traced.measures),
        labels=[label.name for label in traced.labels],
        seconds=traced.seconds,
    )
    return event, {
        "overview": overview_HRC,
        "scale": scale_H,
        "measures": _measures(traced),
        "margin": np.asarray([label.margin for label in traced.labels], dtype=np.float32),
        "confidence": np.asarray([label.confidence for label in traced.labels], dtype=np.float32),
    }


def snapshot(step: int, sites: Sequence[SiteTraced]) -> Encoded:
    """All sites one after another, each as `site` has it."""
    maps = [traced.map for traced in sites]
    pictures = [_as_bytes(traced.overview.maximum) for traced in sites]
    event = Snapshot(
        step=step,
        sites=[str(map_.site) for map_ in maps],
        heads=[map_.heads for map_ in maps],
        queries=[map_.queries for map_ in maps],
        keys=[map_.keys for map_ in maps],
        cell=[traced.overview.cell for traced in sites],
        causal=[map_.spec.causal for map_ in maps],
        measures=[list(traced.measures) for traced in sites],
        labels=[[label.name for label in traced.labels] for traced in sites],
    )
    return event, {
        "overview": np.concatenate([overview.ravel() for overview, _ in pictures]),
        "scale": np.concatenate([scale_H for _, scale_H in pictures]),
        "measures": np.concatenate([_measures(traced).ravel() for traced in sites]),
    }


def _as_bytes(maximum_HRC: Tensor) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """p = scale[h] * (byte / 255) ** 2, which keeps faint weights visible."""
    scale_H = maximum_HRC.amax(dim=(1, 2))
    relative_HRC = maximum_HRC / scale_H.clamp_min(torch.finfo(torch.float32).tiny)[:, None, None]
    bytes_HRC = (relative_HRC.sqrt() * 255).round().to(torch.uint8)
    return bytes_HRC.cpu().contiguous().numpy(), scale_H.cpu().numpy()


def _measures(traced: SiteTraced) -> np.ndarray[Any, Any]:
    """[measures, heads], in the order of their names."""
    return np.asarray([traced.measures[name] for name in traced.measures], dtype=np.float32)


def probabilities(next_tokens: NextTokens, tokenizer: Tokenizer | None) -> Encoded:
    ids = np.ascontiguousarray(next_tokens.ids, dtype=np.int32)
    texts = {str(i): _readable(i, tokenizer) for i in np.unique(ids).tolist()}
    event = Probabilities(sequence=next_tokens.sequence, texts=texts)
    return event, {
        "ids": ids,
        "probabilities": np.ascontiguousarray(next_tokens.probabilities, dtype=np.float32),
    }


def picture(read: PictureRead) -> Encoded:
    image, preprocessing = read.image, read.preprocessing
    rows, cols = image.grid
    event = Picture(
        rows=rows,
        cols=cols,
        patch=[image.patch_height, image.patch_width],
        first=image.extra_tokens,
        rescale=preprocessing.rescale,
        mean=list(preprocessing.mean),
        deviation=list(preprocessing.deviation),
    )
    return event, {"pixels": np.ascontiguousarray(read.seen_YXC)}


def classes(scored: ClassesScored, names: dict[int, str]) -> Encoded:
    """A class that its checkpoint does not name is called by its number."""
    ids = np.ascontiguousarray(scored.ids, dtype=np.int32)
    return Classes(texts=[names.get(id_, f"#{id_}") for id_ in ids.tolist()]), {
        "ids": ids,
        "probabilities": np.ascontiguousarray(scored.probabilities, dtype=np.float32),
    }


def step(written: Written, tokenizer: Tokenizer | None) -> Encoded:
    told, rows = written.step, written.rows
    event = Step(
        place=told.place,
        id=told.id,
        text=told.text,
        written=told.written,
        probability=told.probability,
        sampled_probability=told.sampled_probability,
        finished=told.finished,
        texts=[_readable(alternative.id, tokenizer) for alternative in told.alternatives],
        cell=rows.cell,
        sites=[str(of.site) for of in rows.sites],
        heads=[of.heads for of in rows.sites],
        keys=[of.keys for of in rows.sites],
    )
    return event, {
        "alternatives": np.array([alternative.id for alternative in told.alternatives], np.int32),
        "probabilities": np.array([alternative.probability for alternative in told.alternatives], np.float32),
        "rows": rows.values_N,
    }


def prompt_rows(told: row_watch.PromptRows) -> Encoded:
    event = PromptRows(site=str(told.site), causal=told.causal, queries=told.rows, keys=told.keys, cell=told.cell)
    return event, {"rows": np.ascontiguousarray(told.values_HRC)}


def beams(grown: BeamsGrown, first: int, tokenizer: Tokenizer | None) -> Encoded:
    """`first` is the number of the first of these nodes."""
    nodes = grown.kept
    event = Beams(
        first=first,
        texts=[_readable(node.id, tokenizer) for node in nodes],
        ended=[node.ended for node in nodes],
        best=[hypothesis.node for hypothesis in grown.found],
        scores=[hypothesis.score for hypothesis in grown.found],
    )
    return event, {
        "ids": np.array([node.id for node in nodes], np.int32),
        "parents": np.array([-1 if node.parent is None else node.parent for node in nodes], np.int32),
        "log_probabilities": np.array([node.log_probability for node in nodes], np.float32),
        "totals": np.array([node.total for node in nodes], np.float32),
    }


def _readable(id_: int, tokenizer: Tokenizer | None) -> str:
    return tokenizer.readable(id_) if tokenizer else f"#{id_}"
