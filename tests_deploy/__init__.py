"""The deployment, tried with its real parts."""
