"""A run on disk: its directory, checkpoint, state, bundle, card, and how it is resumed."""
