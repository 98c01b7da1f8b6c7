"""From files to packed batches: readers, tokenization, packing, sampling."""
