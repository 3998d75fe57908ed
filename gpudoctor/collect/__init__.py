"""Facts that we read ourselves. One module is one subject; see `base` for what a module must offer."""
