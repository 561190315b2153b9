"""Adopting: an installation made by hand, looked at, set aside and brought back."""
