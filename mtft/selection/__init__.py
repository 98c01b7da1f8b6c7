"""Which weights are trained: scores and a budget become sorted indices, kept in a mask file."""
