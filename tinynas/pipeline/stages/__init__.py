"""The stages of a run, in order: each reads and writes the run directory only."""
