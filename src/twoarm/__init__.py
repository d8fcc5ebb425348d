"""From the two arms of an antibody to the two arms of a trial."""
