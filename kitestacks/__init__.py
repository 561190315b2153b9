"""The one command of this project: `python3 -m kitestacks <command>`."""
