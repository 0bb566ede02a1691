"""Running a whole study: one run at a time, many runs on a laptop or a cluster, what it costs, getting the data."""
