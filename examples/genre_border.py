"""Where jazz becomes metal, heard by a classifier and by you.

genre-map walks a straight line through the noise of its generator. Writes border.png with the
curves of probability, border.wav with what is heard at five stops, and border.json.
"""

from genre_map import interpolate


def main() -> None:
    """Walk, and say where the ear of the classifier turns."""
    walk = interpolate("jazz", "metal", steps=51, stops=5, seed=1)
    for ending in ("png", "wav", "json"):
        walk.save(f"border.{ending}")
    print(walk.to_text())
    middle = walk.probabilities[len(walk.probabilities) // 2]
    order = sorted(zip(middle, walk.genres, strict=True), reverse=True)[:3]
    print("halfway:", ", ".join(f"{genre} {share:.0%}" for share, genre in order))


if __name__ == "__main__":
    main()
