"""How BERT, RoBERTa, DistilBERT and ELECTRA name their settings, tensors and heads.

Source: the classes of these names in Hugging Face's transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelcore.config import Activation, Output


@dataclass(frozen=True)
class HeadSpelling:
    """One head, the classes of transformers that have it (we write the first), and its sublayers' names.

    activation  behind the transform; None: that of the blocks
    tied        the second name of the token vectors' matrix, beside which a bias may repeat `output`'s
    classes     how many there are, where config.json is not asked
    """

    read: Output
    written_as: tuple[str, ...]
    output: str = ""
    transform: str = ""
    norm: str = ""
    activation: Activation | None = None
    tied: str = ""
    classes: int | None = None


@dataclass(frozen=True)
class Spelling:
    """One `model_type`.

    class_prefix  of its classes in transformers
    prefix        of the names of all tensors but the head's
    keys          our name of each setting: theirs, and the value where config.json does not say
    block         our name of each linear layer and norm of a block: theirs
    padding       the token id behind which positions are counted, unless config.json names another
    """

    model_type: str
    class_prefix: str
    prefix: str
    heads: tuple[HeadSpelling, ...]
    keys: Mapping[str, tuple[str, Any]]
    block: Mapping[str, str]
    layers: str = "encoder.layer"
    has_token_types: bool = True
    embedding_width: int | None = None
    padding: int | None = None


BERT_KEYS: dict[str, tuple[str, Any]] = {
    "width": ("hidden_size", 768),
    "layers": ("num_hidden_layers", 12),
    "heads": ("num_attention_heads", 12),
    "feedforward_width": ("intermediate_size", 3072),
    "activation": ("hidden_act", "gelu"),
}
BERT_BLOCK = {
    "self_attention.query": "attention.self.query",
    "self_attention.key": "attention.self.key",
    "self_attention.value": "attention.self.value",
    "self_attention.output": "attention.output.dense",
    "self_attention_residual.norm": "attention.output.LayerNorm",
    "feedforward.expand": "intermediate.dense",
    "feedforward.contract": "output.dense",
    "feedforward_residual.norm": "output.LayerNorm",
}

_TOKEN_CLASSES = HeadSpelling("token_classes", ("ForTokenClassification", "ForQuestionAnswering"), "classifier")
_HIDDEN = HeadSpelling("hidden", ("Model",))

BERT = Spelling(
    "bert",
    "Bert",
    "bert",
    (
        HeadSpelling(
            "vocabulary",
            ("ForMaskedLM", "ForPreTraining"),
            "cls.predictions",
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            tied="cls.predictions.decoder",
        ),
        HeadSpelling("classes", ("ForSequenceClassification",), "classifier", "bert.pooler.dense", activation="tanh"),
        _TOKEN_CLASSES,
        _HIDDEN,
    ),
    BERT_KEYS,
    BERT_BLOCK,
)

ROBERTA = Spelling(
    "roberta",
    "Roberta",
    "roberta",
    (
        HeadSpelling(
            "vocabulary", ("ForMaskedLM",), "lm_head", "lm_head.dense", "lm_head.layer_norm", "gelu", "lm_head.decoder"
        ),
        HeadSpelling(
            "classes", ("ForSequenceClassification",), "classifier.out_proj", "classifier.dense", activation="tanh"
        ),
        _TOKEN_CLASSES,
        _HIDDEN,
    ),
    BERT_KEYS,
    BERT_BLOCK,
    padding=1,
)

DISTILBERT = Spelling(
    "distilbert",
    "DistilBert",
    "distilbert",
    (
        HeadSpelling(
            "vocabulary",
            ("ForMaskedLM",),
            "vocab_projector",
            "vocab_transform",
            "vocab_layer_norm",
            tied="vocab_projector",
        ),
        HeadSpelling("classes", ("ForSequenceClassification",), "classifier", "pre_classifier", activation="relu"),
        _TOKEN_CLASSES,
        _HIDDEN,
    ),
    keys={
        "width": ("dim", 768),
        "layers": ("n_layers", 6),
        "heads": ("n_heads", 12),
        "feedforward_width": ("hidden_dim", 3072),
        "activation": ("activation", "gelu"),
    },
    block={
        "self_attention.query": "attention.q_lin",
        "self_attention.key": "attention.k_lin",
        "self_attention.value": "attention.v_lin",
        "self_attention.output": "attention.out_lin",
        "self_attention_residual.norm": "sa_layer_norm",
        "feedforward.expand": "ffn.lin1",
        "feedforward.contract": "ffn.lin2",
        "feedforward_residual.norm": "output_layer_norm",
    },
    layers="transformer.layer",
    has_token_types=False,
)

ELECTRA = Spelling(
    "electra",
    "Electra",
    "electra",
    (
        HeadSpelling(
            "vocabulary",
            ("ForMaskedLM",),
            "generator_lm_head",
            "generator_predictions.dense",
            "generator_predictions.LayerNorm",
            "gelu",
            "generator_lm_head",
        ),
        HeadSpelling(
            "token_classes",
            ("ForPreTraining",),
            "discriminator_predictions.dense_prediction",
            "discriminator_predictions.dense",
            classes=1,
        ),
        HeadSpelling(
            "classes", ("ForSequenceClassification",), "classifier.out_proj", "classifier.dense", activation="gelu"
        ),
        _TOKEN_CLASSES,
        _HIDDEN,
    ),
    keys=BERT_KEYS
    | {
        "width": ("hidden_size", 256),
        "heads": ("num_attention_heads", 4),
        "feedforward_width": ("intermediate_size", 1024),
    },
    block=BERT_BLOCK,
    embedding_width=128,
)

SPELLINGS = (
    BERT,
    ROBERTA,
    replace(ROBERTA, model_type="xlm-roberta", class_prefix="XLMRoberta"),
    replace(ROBERTA, model_type="camembert", class_prefix="Camembert"),
    DISTILBERT,
    ELECTRA,
)
