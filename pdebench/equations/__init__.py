"""Equations that two or more families share."""
