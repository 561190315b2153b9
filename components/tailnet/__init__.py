"""The private network: its policy derived, checked and compared offline, and then told to Tailscale."""
