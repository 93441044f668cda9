"""Our own protobuf messages, generated from proto/ by `make proto`."""
