"""What `deploy` does, part by part, with a host, an engine and visitors that are played."""
