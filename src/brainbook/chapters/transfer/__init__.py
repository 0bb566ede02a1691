"""What the chapters on transfer need beyond the library."""
