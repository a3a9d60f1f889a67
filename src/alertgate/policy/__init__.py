"""The policy, alertgate.toml: what events mean."""
