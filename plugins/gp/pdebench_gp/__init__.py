"""Gaussian-process solver of equations (Fang et al., ICLR 2024) as a plugin of the suite."""
