"""Designs of trials: their mathematics, and the files that say which one is asked for."""
