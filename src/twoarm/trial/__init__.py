"""Trials: who gets what and when, what the scans say, who lives how long, and what the analysis makes of it."""
