"""What the program is made of; one noun per file."""
