"""Guess the content of unknown data files from their names, columns and values."""
