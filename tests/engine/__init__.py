"""Tests on the real engine; those in `docker_*` files on the real Docker provider too."""
