"""Where checkpoints go so that the operator cannot take them back: one file each."""
