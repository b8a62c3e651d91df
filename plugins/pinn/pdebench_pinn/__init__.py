"""Physics-informed networks of coordinates, one per instance."""
