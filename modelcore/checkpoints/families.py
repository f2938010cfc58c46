"""Every family whose layout we read and write, by the `model_type` of its config.json."""

from __future__ import annotations

from modelcore.checkpoints import (
    bart,
    bert,
    bloom,
    gemma,
    gpt2,
    gpt_neox,
    headlight,
    llama,
    mixtral,
    olmo,
    opt,
    phi,
    phi3,
    t5,
    vit,
)
from modelcore.checkpoints.mapping import Family

_MODULES = (bart, bloom, gemma, gpt2, gpt_neox, headlight, llama, mixtral, olmo, opt, phi, phi3, t5)

FAMILIES: dict[str, Family] = {
    model_type: family
    for family in (*(module.FAMILY for module in _MODULES), *bert.FAMILIES, *vit.FAMILIES)
    for model_type in family.model_types
}
