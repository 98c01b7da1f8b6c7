"""The model: a shared encoder, heads, the flat vector, and the functions that apply them."""
