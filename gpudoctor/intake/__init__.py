"""Facts and evidence from documents that people send: one module is one document kind."""
