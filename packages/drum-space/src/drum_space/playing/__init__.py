"""How drawn beats are played: the feel of real drummers, phrases with fills, and their measures."""
