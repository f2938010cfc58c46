"""The one door to transformers: opened only when an adapter needs it, offline, quiet, and without foreign code."""

from __future__ import annotations

import dataclasses
import os
from functools import cache
from types import ModuleType
from typing import Any

from modelcore.adapters.interface import NAME, attend
from modelcore.adapters.mask import headlight_mask
from modelcore.checkpoints.error import CheckpointError


@cache
def library() -> ModuleType:
    """transformers, imported now if nobody has; from here on this process never asks the network for files."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["USE_HUB_KERNELS"] = "0"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import huggingface_hub.constants
    import transformers
    from transformers.masking_utils import AttentionMaskInterface

    huggingface_hub.constants.HF_HUB_OFFLINE = True  # read at import, which may have been earlier
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, headlight_mask)
    return transformers


def config_class(model_type: Any) -> Any:
    """The configuration class of a model_type. Raises: CheckpointError if transformers has none."""
    from transformers import CONFIG_MAPPING

    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        raise CheckpointError(f"config.json: the family {str(model_type)[:40]!r} is not known to transformers either.")
    return CONFIG_MAPPING[model_type]


@cache
def reserved_names() -> frozenset[str]:
    """What every configuration is able to do, as against what it says: methods, and properties that are computed."""
    base = library().PreTrainedConfig
    said = {field.name for field in dataclasses.fields(base)} | {"model_type"}
    settable = {name for name in dir(base) if getattr(getattr(base, name), "fset", None) is not None}
    return frozenset(dir(base)) - said - settable


# Which kind of model is taken where config.json does not name its architecture: the first that there is.
PREFERRED = ("SEQ_TO_SEQ_CAUSAL_LM", "CAUSAL_LM", "MASKED_LM", "IMAGE_CLASSIFICATION", "SEQUENCE_CLASSIFICATION")


def model_class(model_type: str, architectures: Any) -> Any:
    """The class of the architecture that config.json names, from transformers' own tables.

    Raises: CheckpointError if the tables hold no such class for this model_type.
    """
    tables = _class_names(model_type)
    known = [name for names in tables.values() for name in names]
    if architectures:
        named = architectures[0] if isinstance(architectures, list) else architectures
        if named not in known:
            raise CheckpointError(
                f"config.json: the architecture {str(named)[:60]!r} is not one of transformers' {model_type} models"
                f" ({', '.join(sorted(set(known))[:8]) or 'it has none'})."
            )
    else:
        kinds = [kind for kind in (*PREFERRED, "") if tables.get(kind)]
        if not kinds:
            raise CheckpointError(f"config.json: transformers has no model for the family {model_type!r}.")
        named = tables[kinds[0]][0]
    return getattr(library(), named)


def _class_names(model_type: str) -> dict[str, list[str]]:
    """The names of all classes for a model_type, by kind; the bare model has the kind ""."""
    from transformers.models.auto import modeling_auto

    found: dict[str, list[str]] = {}
    for attribute, table in vars(modeling_auto).items():
        if attribute.startswith("MODEL_") and attribute.endswith("MAPPING_NAMES") and model_type in table:
            kind = attribute.removeprefix("MODEL_").removesuffix("MAPPING_NAMES").removeprefix("FOR_").rstrip("_")
            names = table[model_type]
            found[kind] = [names] if isinstance(names, str) else list(names)
    return found
