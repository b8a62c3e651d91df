"""The harness: identify, recall, fit, prepare, solve, score, record."""
