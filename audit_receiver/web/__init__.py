"""Read doors: health and metrics."""
