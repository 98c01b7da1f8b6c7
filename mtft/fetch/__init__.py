"""Fetch public files: the only part of mtft that uses a network, and only on explicit request."""
