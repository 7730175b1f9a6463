"""The embedder's tokenizer: built once from the vocabulary, then used for counting, cutting and encoding.

Special pieces score -1000 and are no `added_tokens`, so that `</s>` written in a document stays plain text instead of
becoming the real end token.
"""

from collections.abc import Sequence
from unicodedata import combining

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from retrieval.adapters.e5_weights import E5Weights
from retrieval.adapters.surrogates import without_surrogates

BEGIN, END, UNKNOWN = 0, 2, 3
_SPECIAL_PIECES = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_NEVER = -1000.0


def build_tokenizer(weights: E5Weights) -> str:
    """The tokenizer as JSON."""
    scored = zip(weights.pieces, weights.scores, strict=True)
    vocabulary = [(piece, _NEVER if piece in _SPECIAL_PIECES else score) for piece, score in scored]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=UNKNOWN, byte_fallback=False))
    one_space = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), one_space])
    metaspace = pre_tokenizers.Metaspace("▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", BEGIN), ("</s>", END)]
    )
    return str(tokenizer.to_str())


class E5Tokenizer:
    """Port `Tokenizer`, and the ids that the network takes."""

    def __init__(self, definition: str) -> None:
        """`definition` is the content of `tokenizer.json`, already checked."""
        self._tokenizer = Tokenizer.from_str(definition)

    def offsets(self, text: str) -> Sequence[tuple[int, int]]:
        """The character span of each token in the text as given, whatever normalising did to it.

        Spans never go back, but may repeat: one character such as `½` can make several tokens.
        """
        spans = self._tokenizer.encode(without_surrogates(text), add_special_tokens=False).offsets
        return [(start, _after_accents(text, end)) for start, end in spans]

    def ids(self, text: str, limit: int) -> list[int]:
        """Begin, the text's tokens, end: never more than `limit` ids, the text being cut."""
        ids: list[int] = self._tokenizer.encode(without_surrogates(text)).ids
        return ids if len(ids) <= limit else [*ids[: limit - 1], END]


def _after_accents(text: str, end: int) -> int:
    """A letter's combining accents belong to its token, so that a cut at a token's end never parts them."""
    while end < len(text) and combining(text[end]):
        end += 1
    return end
