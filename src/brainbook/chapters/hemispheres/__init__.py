"""What the chapter `hemispheres` needs beyond the library."""
