"""How tasks and sources come in: hooks that a plugin implements, and the manager that finds plugins."""
