"""One function per command: (settings, context) -> result; no printing, no command line."""
