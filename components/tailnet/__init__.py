"""The tailnet policy offline: parsed, checked, asked, compared, derived; without a network or the engine."""
