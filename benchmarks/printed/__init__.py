"""What others printed, what R gets, and what ours gets: a file a subject."""
