"""The model: a shared encoder, heads, the flat vector, and what is computed with them."""
