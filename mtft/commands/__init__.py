"""One function per command: (settings, services) -> result; no printing, no command line."""
