"""A page on which all beats lie by likeness, and yours among them.

drum-space draws two beats, marks them on its map of 35,277 patterns, and writes map.html: it
opens from the disk and plays. Without a browser, map.png shows the same.
"""

import drum_space


def main() -> None:
    """Write the map."""
    mine = list(drum_space.sample(count=2, genre="latin", seed=3))
    for number, beat in enumerate(mine, 1):
        beat.save(f"mine-{number}.mid")
    drawn = drum_space.map(["mine-1.mid", "mine-2.mid"])
    print(drawn.to_text())
    drawn.save("map.html")
    drawn.save("map.png")


if __name__ == "__main__":
    main()
