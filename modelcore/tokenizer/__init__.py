"""Text to token ids and back, with the place of every token in the text; a layer over the `tokenizers` library."""

from modelcore.tokenizer.error import TokenizerError, TokenizerLimitError
from modelcore.tokenizer.files import TOKENIZER_FILES
from modelcore.tokenizer.learning import Specials, TokenizerKind, learn_tokenizer
from modelcore.tokenizer.limited import LimitedTokenizer
from modelcore.tokenizer.tokenizer import Encoding, Tokenizer
from modelcore.tokenizer.training import GPT2_END_OF_TEXT, train_byte_level_bpe, words_tokenizer

__all__ = [
    "GPT2_END_OF_TEXT",
    "TOKENIZER_FILES",
    "Encoding",
    "LimitedTokenizer",
    "Specials",
    "Tokenizer",
    "TokenizerError",
    "TokenizerKind",
    "TokenizerLimitError",
    "learn_tokenizer",
    "train_byte_level_bpe",
    "words_tokenizer",
]
