"""A second programmer's naive versions of what ``twoarm.trial`` computes."""
