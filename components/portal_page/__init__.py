"""The portal's page as a pure renderer; `components/services/portal.py` deploys it."""
