"""Networks, built from plain torch; nothing here chooses a device or reads a file."""
