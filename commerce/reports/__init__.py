"""Reports: files that take long to make, and are made by jobs."""
