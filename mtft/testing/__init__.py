"""For the tests of plugin authors, and our own: a tiny encoder, and checks that a plugin keeps its contract."""
