"""One protocol, end to end, and its folder."""
