"""Tests with a real browser: what a person sees, hears and types."""
