"""Tests: what is registered, what is refused, what the real programs accept."""
