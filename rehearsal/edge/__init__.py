"""The local edge: does for a rehearsal what Cloudflare's network does for the real thing."""
