"""Scripts that our own interpreter runs as children, because they load the driver libraries; each runs alone."""
