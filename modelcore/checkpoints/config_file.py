"""Reads a family's `config.json` key by key, so that every refusal names the key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelcore.checkpoints.error import CheckpointError
from modelcore.config import Activation


@dataclass(frozen=True)
class Keys:
    """Reads a `config.json` key by key, so that a refusal can name the key; `within` is the way to an inner object."""

    values: Mapping[str, Any]
    within: str = ""

    def size(self, key: str, default: int | None = None, limit: int = 2**31 - 1) -> int:
        """A positive whole number up to `limit`."""
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= limit:
            raise CheckpointError(
                f"config.json: {self.within}{key} must be a whole number from 1 to {limit:,}, not {_shown(value)}."
            )
        return value

    def token(self, key: str, vocabulary: int | None = None) -> int | None:
        """A token id or null; of a list of ids the first; null also where it lies outside the `vocabulary`."""
        value = self.values.get(key)
        if isinstance(value, list) and value:
            value = value[0]
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or (value < 0 and vocabulary is None):
            raise CheckpointError(f"config.json: {self.within}{key} must be a token id, not {_shown(value)}.")
        return value if vocabulary is None or 0 <= value < vocabulary else None

    def positive(self, key: str, default: float | None = None) -> float:
        """A positive number; null and absent are `default`, without which the key is asked for."""
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < math.inf:
            raise CheckpointError(f"config.json: {self.within}{key} must be a positive number, not {_shown(value)}.")
        return float(value)

    def optional_positive(self, key: str) -> float | None:
        """A positive number or null."""
        return None if self.values.get(key) is None else self.positive(key)

    def number(self, key: str, default: float) -> float:
        value = self.values.get(key, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 1:
            raise CheckpointError(
                f"config.json: {self.within}{key} must be a number between 0 and 1, not {_shown(value)}."
            )
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise CheckpointError(f"config.json: {self.within}{key} must be true or false, not {_shown(value)}.")
        return value

    def labels(self) -> int:
        """How many classes a classifier tells apart; two where no key says, as in transformers."""
        named = self.values.get("id2label")
        return len(named) if isinstance(named, dict) and named else self.size("num_labels", 2)

    def choice(self, key: str, default: str, choices: Mapping[str, Any]) -> Any:
        """What `choices` holds under the key's value."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or value not in choices:
            raise CheckpointError(
                f"config.json: {self.within}{key} {_shown(value)} is not supported; known are {', '.join(choices)}."
            )
        return choices[value]

    def require(self, key: str, only: Any) -> None:
        """Refuses any value but the one whose mathematics we implement; absent and null count as that one."""
        value = self.values.get(key)
        if value is not None and (value != only or isinstance(value, bool) != isinstance(only, bool)):
            raise CheckpointError(
                f"config.json: {self.within}{key} {_shown(value)} changes what the model computes and is not "
                f"supported; only {_shown(only)} is."
            )

    def refuse_unknown(self, known: set[str]) -> None:
        """Refuses a key that we cannot judge: it might change the mathematics.

        Null asks for nothing, and keys with a leading underscore are transformers' own bookkeeping.
        """
        given = {key for key, value in self.values.items() if value is not None and not key.startswith("_")}
        unknown = sorted(given - known - NEUTRAL_KEYS)
        if unknown:
            raise CheckpointError(
                f"config.json: {_shown(self.within + unknown[0])} is an unknown setting that may change what the model "
                "computes; remove it if it does not."
            )


# Keys of `config.json` that say how a file came about or how to generate, not what a forward pass computes.
NEUTRAL_KEYS = frozenset(
    [
        "architectures",
        "model_type",
        "transformers_version",
        "torch_dtype",
        "dtype",
        "use_cache",
        "task_specific_params",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "torchscript",
        "is_encoder_decoder",
        "is_decoder",
        "auto_map",
        "is_llama_config",
        "transformers.js_config",
        "unk_token_id",
        "pruned_heads",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "sep_token_id",
        "cls_token_id",
        "mask_token_id",
        "decoder_start_token_id",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "bad_words_ids",
        "suppress_tokens",
        "begin_suppress_tokens",
        "max_length",
        "min_length",
        "do_sample",
        "early_stopping",
        "num_beams",
        "num_beam_groups",
        "diversity_penalty",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
        "repetition_penalty",
        "length_penalty",
        "no_repeat_ngram_size",
        "encoder_no_repeat_ngram_size",
        "num_return_sequences",
        "output_scores",
        "return_dict_in_generate",
        "remove_invalid_values",
        "exponential_decay_length_penalty",
        "id2label",
        "label2id",
        "num_labels",
        "problem_type",
        "finetuning_task",
        "tokenizer_class",
        "prefix",
        "chunk_size_feed_forward",
        "initializer_range",
        "init_std",
        "gradient_checkpointing",
        "extra_pos_embeddings",
        "use_bfloat16",
        "predict_special_tokens",
        "tf_legacy_loss",
        "tie_encoder_decoder",
        "cross_attention_hidden_size",
    ]
)

# Far above any model; keeps a false config.json from making a name table without end.
LAYER_LIMIT = 1_000

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
# What we write: names that every version of transformers knows.
ACTIVATION_NAMES: dict[Activation, str] = {
    "gelu": "gelu",
    "gelu_tanh": "gelu_new",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "tanh": "tanh",
}


def label_names(count: int) -> dict[str, Any]:
    """The keys that say how many classes there are, nothing where there are none."""
    names = {str(number): f"LABEL_{number}" for number in range(count)}
    return {"id2label": names, "label2id": {name: int(number) for number, name in names.items()}} if count else {}


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) and value is not None else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "…"
