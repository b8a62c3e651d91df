"""Finite elements as a plugin of the suite."""
