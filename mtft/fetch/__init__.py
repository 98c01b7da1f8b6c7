"""Fetching public files: the only part of mtft that touches a network, and only when asked by name."""
