"""Select the weights to train: scores and a budget become sorted indices, stored in a mask file."""
