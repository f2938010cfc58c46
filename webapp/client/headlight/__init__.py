"""Headlight from Python: run models on a site, read what their attention heads do."""

from headlight.client import Client
from headlight.errors import HeadlightError
from headlight.run import NextToken, Run, Token
from headlight.share import Share
from headlight.training import Training

__all__ = ["Client", "HeadlightError", "NextToken", "Run", "Share", "Token", "Training"]
