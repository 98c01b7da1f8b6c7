"""Gradient surgery, the packed optimizer and its schedule: from task gradients to an update of the trainable set."""
