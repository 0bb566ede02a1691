"""What the chapter `transfer_to_brains` needs beyond the library."""
