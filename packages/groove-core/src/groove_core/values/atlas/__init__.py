"""Maps of pieces of music: pages that play, and pictures."""
