"""Plan a trial: virtual patients simulated once, resampled into thousands of trials of a design."""
