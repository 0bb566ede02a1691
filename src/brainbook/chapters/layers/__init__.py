"""What the chapter `layers` needs beyond the library."""
