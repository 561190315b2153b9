"""What the program costs, against a bare one of the same size; `python3 -m kitestacks bench`."""
