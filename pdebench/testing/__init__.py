"""What plugin authors test with: the conformance kit and the golden-vector checks."""
