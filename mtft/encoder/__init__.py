"""The shared encoder: BERT and its relatives over packed batches, and their pretrained weights."""
