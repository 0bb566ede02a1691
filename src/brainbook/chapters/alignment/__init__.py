"""What the chapter `alignment` needs beyond the library."""
