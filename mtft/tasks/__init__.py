"""Tasks and augmentation sources: what a dataset asks of the model, composed of parts."""
