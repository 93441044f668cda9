"""The only room with a disk: one writer, any number of readers."""
