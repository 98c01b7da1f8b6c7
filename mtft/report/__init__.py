"""A report to look at: one HTML file that needs nothing else, and its pictures as files."""
