"""Every family whose layout we read and write, by the `model_type` of its config.json."""

from __future__ import annotations

from modelcore.checkpoints import bert, bloom, gemma, gpt2, gpt_neox, llama, marian, mixtral, olmo, opt, phi, phi3
from modelcore.checkpoints.mapping import Family

_MODULES = (bloom, gemma, gpt2, gpt_neox, llama, marian, mixtral, olmo, opt, phi, phi3)

FAMILIES: dict[str, Family] = {
    model_type: family
    for family in (*(module.FAMILY for module in _MODULES), *bert.FAMILIES)
    for model_type in family.model_types
}
