"""Fetch public files, on explicit request only; no other part of mtft uses the network."""
