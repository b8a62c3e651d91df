"""Finite differences of any order on uniform grids."""
