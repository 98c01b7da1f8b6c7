"""Tasks and augmentation sources, composed of parts."""
