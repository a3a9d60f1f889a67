"""alertgate's tests: real parts wherever a real part can run."""
