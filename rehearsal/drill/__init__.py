"""Drills: something is taken away in the rehearsal, and what visitors notice is held against what was promised."""
