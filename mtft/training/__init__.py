"""Training: one step, the loop over epochs, and the state that a resume needs."""
