"""Drills: something is taken away in the rehearsal, visitors are counted, and the measured seconds meet the promised ones."""
