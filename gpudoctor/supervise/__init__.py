"""Running somebody's command under watch: started at once, passed through unchanged, explained when it dies."""
