"""Random small models of each architecture that mtft's own encoder reads, with tokenizers made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,;:'`\"!?-()&$%/"
WORDS = ("the", "and", "is", "of", "movie", "what", "how")
SPACE = "\u2581"

TEXTS = [  # one or two texts of mixed lengths
    ("The movie is good.",),
    ("What is the best way to learn?", "How do I learn best?"),
    ("!",),
    (" ".join(["and then, the 7th hour of a long, long evening came;"] * 5),),
    ("A man plays.", "A woman is playing the flute (or how one calls it) & sings - off key."),
    ("How?",),
]


def _pieces(*special: str) -> list[str]:
    """Word pieces: any text of `LETTERS` is tokens, some words are tokens of their own."""
    return [*special, *WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS)]


def _numbered(pieces: list[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(pieces)}


def _bert() -> Any:
    return transformers.BertTokenizer(vocab=_numbered(_pieces("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")))


def _mpnet() -> Any:
    return transformers.MPNetTokenizer(vocab=_numbered(_pieces("<s>", "<pad>", "</s>", "[UNK]", "<mask>")))


def _roberta() -> Any:
    merges: Any = [("t", "h"), ("th", "e"), ("\u0120", "the"), ("i", "s")]
    alphabet = [*sorted(ByteLevel.alphabet()), *("".join(merge) for merge in merges)]
    return transformers.RobertaTokenizer(
        vocab=_numbered(["<s>", "<pad>", "</s>", "<unk>", *alphabet, "<mask>"]), merges=merges
    )


def _sentencepiece(name: str, *special: str) -> Any:
    pieces = [SPACE, *LETTERS, *LETTERS[:26].upper(), *(SPACE + word for word in WORDS)]
    scores = [(token, 0.0) for token in special] + [(piece, -float(len(LETTERS))) for piece in pieces]
    return getattr(transformers, name)(vocab=scores)


def _xlm_roberta() -> Any:
    return _sentencepiece("XLMRobertaTokenizer", "<s>", "<pad>", "</s>", "<unk>", "<mask>")


def _camembert() -> Any:
    special = ("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED", "<s>", "</s>", "<mask>")
    return _sentencepiece("CamembertTokenizer", *special)


SMALL = {  # a hidden size that 16 does not divide
    "hidden_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 36,
    "max_position_embeddings": 514,
}
LIKE_ROBERTA = {**SMALL, "type_vocab_size": 1}
FAMILIES: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "bert": (_bert, SMALL),
    "camembert": (_camembert, LIKE_ROBERTA),
    "distilbert": (_bert, {"dim": 20, "n_layers": 2, "n_heads": 2, "hidden_dim": 36}),
    "electra": (_bert, {**SMALL, "embedding_size": 12}),
    "mpnet": (_mpnet, SMALL),
    "roberta": (_roberta, LIKE_ROBERTA),
    "xlm-roberta": (_xlm_roberta, LIKE_ROBERTA),
}
"""Each architecture's tokenizer and sizes."""


def write_family(directory: Path, family: str, **changes: Any) -> Any:
    """Write a random model and its tokenizer as transformers does; return the model, in evaluation mode."""
    make, sizes = FAMILIES[family]
    tokenizer = make()
    config = transformers.AutoConfig.for_model(family, vocab_size=len(tokenizer), **(sizes | changes))
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # large enough to tell one mistake from another
            norm = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_(float(norm) + 0.2 * torch.randn_like(parameter))
    model.save_pretrained(directory, safe_serialization=True)
    tokenizer.save_pretrained(directory)
    return model
