"""Tools for the tests of plugin authors and our own: a tiny encoder, and checks of a plugin's contract."""
