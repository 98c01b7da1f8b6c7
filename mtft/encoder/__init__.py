"""The shared encoder: BERT over packed batches, and its pretrained weights."""

from mtft.encoder.bert import Encoder, EncoderConfig, EncoderOutput, SharedEncoder, TransformerLayer

__all__ = ["Encoder", "EncoderConfig", "EncoderOutput", "SharedEncoder", "TransformerLayer"]
