"""What the chapter `pitfalls` needs beyond the library."""
