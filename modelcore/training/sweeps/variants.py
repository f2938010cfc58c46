"""What a sweep varies: for each row a name, and the fields in which it differs from the base. Plain values only.

table3   one thing at a time is changed (Vaswani et al. 2017, 6.2, Table 3): rows A heads at equal cost, B the width
         of a key, D dropout and label smoothing, E positions; and where norms stand, and what a score is
scaling  sizes × tokens: each size is trained with each number of steps, so that each has a schedule that ends
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

SweepKind = Literal["table3", "scaling"]
KINDS: tuple[SweepKind, ...] = get_args(SweepKind)
BASE = "base"

HEADS = (1, 4, 8, 16, 32)
POSITIONS = ("sinusoidal", "learned", "none")
SCORES = ("scaled_dot", "dot", "multiplicative", "additive")
# Of the base's key width.
KEY_SHARES = (2, 4)
# Widths, as shares of the base's, and steps, likewise; each width with each number of steps.
WIDTH_SHARES = (0.25, 0.5, 0.75, 1.0)
STEP_SHARES = (0.25, 0.5, 1.0)
# Tasks whose own model is the paper's, with sinusoids and norms after; the others' are GPT-2's and BERT's.
PAPERS = frozenset({"dates", "numbers", "pairs", "spans", "catalogs", "words"})


@dataclass(frozen=True)
class Variant:
    """One row. `group` is what it varies; of "base" nothing."""

    name: str
    group: str
    changes: dict[str, Any]


def variants(kind: SweepKind, plan: dict[str, Any]) -> list[Variant]:
    """The rows of a sweep over this plan, the base first (of scaling: the largest, last). Rows that equal it are left
    out.
    """
    return _table3(plan) if kind == "table3" else _scaling(plan)


def _table3(plan: dict[str, Any]) -> list[Variant]:
    width, heads = plan["width"], plan["heads"]
    key_width = plan.get("key_width") or width // heads
    papers = plan["assignment"] in PAPERS
    own_positions = plan.get("positions") or ("sinusoidal" if papers else "learned")
    own_order = plan.get("norm_order") or ("post" if papers or plan["assignment"] == "masked" else "pre")
    rows = [Variant(BASE, BASE, {})]
    rows += [
        Variant(f"{count} head{'s' if count > 1 else ''}", "heads", {"heads": count, "key_width": None})
        for count in HEADS
        if count != heads and width % count == 0
    ]
    rows += [
        Variant(f"key width {key_width // share}", "key_width", {"key_width": key_width // share})
        for share in KEY_SHARES
        if key_width >= share
    ]
    rows += [
        Variant(f"positions {name}", "positions", {"positions": name}) for name in POSITIONS if name != own_positions
    ]
    rows += [
        Variant(f"{words} 0", field, {field: 0.0})
        for field, words in (("dropout", "dropout"), ("label_smoothing", "label smoothing"))
        if plan.get(field)
    ]
    other = "pre" if own_order == "post" else "post"
    rows.append(Variant(f"norm {other}", "norm_order", {"norm_order": other}))
    own_score = plan.get("score", "scaled_dot")
    rows += [Variant(f"score {name}", "score", {"score": name}) for name in SCORES if name != own_score]
    return rows


def _scaling(plan: dict[str, Any]) -> list[Variant]:
    heads, rows = plan["heads"], []
    widths = sorted({max(16, heads * round(plan["width"] * share / heads)) for share in WIDTH_SHARES})
    steps = sorted({max(1, round(plan["steps"] * share)) for share in STEP_SHARES})
    for width in widths:
        for count in steps:
            changes = {"width": width, "steps": count, "warmup": max(1, min(plan["warmup"], count // 5))}
            rows.append(Variant(f"width {width}, {count:,} steps", "scaling", changes))
    return rows
