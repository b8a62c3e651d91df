"""Multigrid neural operators (He, Liu, Xu, ICLR 2024) as a plugin of the suite."""
