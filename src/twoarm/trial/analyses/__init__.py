"""Statistics of one trial, on plain arrays or on the columns of a data cut. The home of lifelines."""
