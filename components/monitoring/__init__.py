"""Monitoring: what Prometheus asks, when it raises an alarm, and what Grafana draws, all from what is declared."""
