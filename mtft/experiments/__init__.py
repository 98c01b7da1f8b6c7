"""Experiments: a plan of runs becomes processes that are started, watched, resumed and recorded."""
