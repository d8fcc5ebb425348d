"""The engine and its peers, each in a process of its own with bounded memory and time."""
