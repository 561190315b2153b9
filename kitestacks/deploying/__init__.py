"""The parts of `deploy`: what changes, the copies of before, the engine, and who answers visitors."""
