"""Scripts run by the target interpreter or by our own as children; each runs alone, with no import of gpudoctor."""
