"""Stand-in images: what a rehearsal runs where the real images can't be had, or would only cost time."""
