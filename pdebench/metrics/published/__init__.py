"""Scores exactly as other programs compute them, known defects included, under their own names."""
