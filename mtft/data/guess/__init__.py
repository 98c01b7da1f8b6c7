"""What files of unknown datasets hold: guessed from their names, their columns and their values."""
