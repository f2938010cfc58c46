"""Every size and choice of one Transformer, frozen. A model is built from its `ModelConfig` alone."""

from modelcore.config.choices import (
    Activation,
    NormKind,
    NormPlacement,
    Output,
    PositionEncoding,
    ScoreFunction,
)
from modelcore.config.model import Architecture, HeadConfig, ImageConfig, ModelConfig
from modelcore.config.rotary import (
    DynamicScaling,
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    Rotary,
    Scaling,
    YarnScaling,
)
from modelcore.config.shape import ModelShape
from modelcore.config.site import STACK_NAMES, AttentionSite, SiteKind, StackName
from modelcore.config.stack import Experts, Pattern, StackConfig

__all__ = [
    "STACK_NAMES",
    "Activation",
    "Architecture",
    "AttentionSite",
    "DynamicScaling",
    "Experts",
    "HeadConfig",
    "ImageConfig",
    "LinearScaling",
    "Llama3Scaling",
    "LongScaling",
    "ModelConfig",
    "ModelShape",
    "NormKind",
    "NormPlacement",
    "Output",
    "Pattern",
    "PositionEncoding",
    "Rotary",
    "Scaling",
    "ScoreFunction",
    "SiteKind",
    "StackConfig",
    "StackName",
    "YarnScaling",
]
