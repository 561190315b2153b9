"""Simulated providers: what Pulumi's engine talks to in a rehearsal in place of real clouds.

One process serves Cloudflare, Tailscale, Command, Random and, where there is no Docker daemon, Docker, each on its own
loopback port. It keeps its cloud in one file and refuses what the real service refuses; see
``docs/rehearsal-cloud.md``.
"""
