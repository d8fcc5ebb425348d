"""Trials: who gets what and when, what the scans say, who lives how long, and what follows from it."""
