"""Published facts: read, chosen, and compared with predictions."""
