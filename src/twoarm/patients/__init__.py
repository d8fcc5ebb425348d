"""Virtual patients: populations in files, draws, and which of them are plausible."""
