"""What the chapter `participants` needs beyond the library."""
