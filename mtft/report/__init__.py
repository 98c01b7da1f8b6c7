"""Reports on runs: one self-contained HTML file, and its figures as SVG files."""
