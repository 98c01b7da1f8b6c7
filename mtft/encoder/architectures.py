"""The architectures of mtft's own encoder: how each ``model_type`` names its sizes, tensors and parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MOST = 1_000_000
"""Largest size accepted anywhere in a configuration; a larger one means a damaged or hostile file."""
MOST_LAYERS = 1_000


@dataclass(frozen=True)
class Key:
    """A number in ``config.json``: its key, the default of transformers, and the range of an integer.

    `plus` is added to the number that is read.
    """

    name: str
    default: int | float
    least: int = 1
    most: int = MOST
    plus: int = 0


@dataclass(frozen=True)
class Architecture:
    """How the checkpoints of one ``model_type`` are read and written.

    `title` is its name in texts, `model` the class of transformers without heads. `keys` map fields of
    `EncoderConfig` to keys of ``config.json``, and `fixed` are fields that no key sets. `choices` are keys whose values
    other than these change the meaning of the weights; the first is the default. `prefix` stands before the names of
    tensors in checkpoints with heads. `layer` is the name of a layer's tensors, and `parts` map our names inside a
    layer to theirs, which are concatenated.
    """

    title: str
    model: str
    keys: Mapping[str, Key]
    prefix: str
    layer: str
    parts: Mapping[str, tuple[str, ...]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def configuration(self) -> str:
        """Name of its configuration's class in transformers."""
        return f"{self.model.removesuffix('Model')}Config"

    def stored(self, name: str) -> tuple[str, ...]:
        """Return the tensors of a checkpoint that are concatenated in our parameter `name`."""
        module, _, kind = name.rpartition(".")
        if module in OUTSIDE:
            return (f"{OUTSIDE[module]}.{kind}",)
        _, layer, part = module.split(".")
        return tuple(f"{self.layer}.{layer}.{theirs}.{kind}" for theirs in self.parts[part])

    def defaults(self) -> dict[str, Any]:
        """Return the values of transformers for keys that ``config.json`` may lack."""
        return {
            **{key: allowed[0] for key, allowed in self.choices.items()},
            **{key.name: key.default for key in self.keys.values()},
        }


OUTSIDE = {
    "embeddings.word": "embeddings.word_embeddings",
    "embeddings.position": "embeddings.position_embeddings",
    "embeddings.segment": "embeddings.token_type_embeddings",
    "embeddings.norm": "embeddings.LayerNorm",
    "embeddings.projection": "embeddings_project",
    "relative_bias": "encoder.relative_attention_bias",
    "pooler": "pooler.dense",
}
"""Our modules outside the layers and the names that all architectures give them; none has all of them."""

BERT = Architecture(
    "BERT",
    "BertModel",
    {
        "vocabulary": Key("vocab_size", 30522),
        "hidden_size": Key("hidden_size", 768),
        "layers": Key("num_hidden_layers", 12, most=MOST_LAYERS),
        "heads": Key("num_attention_heads", 12),
        "intermediate_size": Key("intermediate_size", 3072),
        "positions": Key("max_position_embeddings", 512),
        "segments": Key("type_vocab_size", 2),
        "norm_epsilon": Key("layer_norm_eps", 1e-12),
        "dropout": Key("hidden_dropout_prob", 0.1),
        "attention_dropout": Key("attention_probs_dropout_prob", 0.1),
        "initializer_range": Key("initializer_range", 0.02),
    },
    "bert.",
    "encoder.layer",
    {
        "qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
        "attention_output": ("attention.output.dense",),
        "attention_norm": ("attention.output.LayerNorm",),
        "intermediate": ("intermediate.dense",),
        "output": ("output.dense",),
        "output_norm": ("output.LayerNorm",),
    },
    fixed={"family": "bert"},
    choices={"hidden_act": ("gelu",)},
)
"""Devlin et al. 2019."""

ROBERTA = replace(
    BERT,
    title="RoBERTa",
    model="RobertaModel",
    keys={
        **BERT.keys,
        "vocabulary": Key("vocab_size", 50265),
        "first_position": Key("pad_token_id", 1, least=0, plus=1),
    },
    prefix="roberta.",
    fixed={"family": "roberta"},
)
"""Liu et al. 2019: BERT whose positions begin behind the padding token's id."""

XLM_ROBERTA = replace(
    ROBERTA,
    title="XLM-RoBERTa",
    model="XLMRobertaModel",
    keys={**ROBERTA.keys, "vocabulary": BERT.keys["vocabulary"]},
    fixed={"family": "xlm-roberta"},
)
"""Conneau et al. 2020: RoBERTa with another vocabulary."""

CAMEMBERT = replace(XLM_ROBERTA, title="CamemBERT", model="CamembertModel", fixed={"family": "camembert"})
"""Martin et al. 2020: RoBERTa with another vocabulary."""

DISTILBERT = Architecture(
    "DistilBERT",
    "DistilBertModel",
    {
        "vocabulary": BERT.keys["vocabulary"],
        "hidden_size": Key("dim", 768),
        "layers": Key("n_layers", 6, most=MOST_LAYERS),
        "heads": Key("n_heads", 12),
        "intermediate_size": Key("hidden_dim", 3072),
        "positions": BERT.keys["positions"],
        "dropout": Key("dropout", 0.1),
        "attention_dropout": Key("attention_dropout", 0.1),
        "initializer_range": BERT.keys["initializer_range"],
    },
    "distilbert.",
    "transformer.layer",
    {
        "qkv": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
        "attention_output": ("attention.out_lin",),
        "attention_norm": ("sa_layer_norm",),
        "intermediate": ("ffn.lin1",),
        "output": ("ffn.lin2",),
        "output_norm": ("output_layer_norm",),
    },
    fixed={"family": "distilbert", "segments": 0, "pooler": False},
    choices={"activation": ("gelu",)},
)
"""Sanh et al. 2019: BERT without segments and pooler."""

ELECTRA = replace(
    BERT,
    title="ELECTRA",
    model="ElectraModel",
    keys={
        **BERT.keys,
        "embedding_size": Key("embedding_size", 128),
        "hidden_size": Key("hidden_size", 256),
        "heads": Key("num_attention_heads", 4),
        "intermediate_size": Key("intermediate_size", 1024),
    },
    prefix="electra.",
    fixed={"family": "electra", "pooler": False},
)
"""Clark et al. 2020: BERT without a pooler; embeddings of another size are projected."""

MPNET = replace(
    BERT,
    title="MPNet",
    model="MPNetModel",
    keys={
        **{ours: key for ours, key in BERT.keys.items() if ours != "segments"},
        "vocabulary": Key("vocab_size", 30527),
    },
    prefix="mpnet.",
    parts={
        **BERT.parts,
        "qkv": ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
        "attention_output": ("attention.attn.o",),
        "attention_norm": ("attention.LayerNorm",),
    },
    fixed={"family": "mpnet", "segments": 0, "first_position": 2, "relative_buckets": 32},
    choices={"hidden_act": ("gelu",), "relative_attention_num_buckets": (32,)},
)
"""Song et al. 2020: BERT without segments, with RoBERTa's positions and a bias for relative ones."""

ARCHITECTURES = {
    str(architecture.fixed["family"]): architecture
    for architecture in (BERT, CAMEMBERT, DISTILBERT, ELECTRA, MPNET, ROBERTA, XLM_ROBERTA)
}
"""The architectures by ``model_type``."""
