"""Services that only a test's fleet has; each is put into a copy of `components/services` as one file."""
