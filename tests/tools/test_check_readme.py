"""Blocks of a README run in order, and what cannot run says why."""

from __future__ import annotations

import check_readme
import pytest
from monorepo import Stop

READMES = check_readme.readmes(check_readme.ROOT)
README = """\
# Something

<!-- make beats: my-beats -->
<!-- with `ls`: -1 my-beats/0.mid -->
```bash
pip install "something[more]"
# a comment
echo one \\
  > one.txt
ls
```

```toml
[not.a.program]
```

<!-- not run `two`: needs what a user has -->

```bash
cat one.txt
cat two.txt
```

```python
x = open("one.txt").read()
open("two.txt", "w").write(x)
```

<!-- not run: hours -->
```python
1 / 0
```

```python
assert x == "one\\n"
```

```bash
test -e two.txt
```
"""


def run(text: str, folder):
    return list(check_readme.run_steps(check_readme.steps(text), folder))


def test_blocks_run_in_order(tmp_path):
    found = run(README, tmp_path)
    assert [(one.step.line, one.status, one.step.skipped) for one in found] == [
        (6, "ok", ""),
        (6, "skipped", "installs"),
        (8, "ok", ""),
        (10, "ok", ""),
        (20, "ok", ""),
        (21, "skipped", "needs what a user has"),
        (25, "ok", ""),
        (31, "skipped", "hours"),
        (35, "ok", ""),
        (39, "ok", ""),
    ]
    assert found[3].step.text == "ls -1 my-beats/0.mid"
    assert len(list((tmp_path / "my-beats").iterdir())) == 30


@pytest.mark.parametrize(
    ("what", "where", "file"),
    [
        ("songs", "mine", "mine/two.wav"),
        ("sound", "mine/a.wav", "mine/a.wav"),
        ("tune", "a.mid", "a.mid"),
        ("tunes", "mine", "mine/tune-29.mid"),
        ("song", "a.mid", "a.mid"),
    ],
)
def test_what_a_user_would_have_is_made(tmp_path, what, where, file):
    text = f"<!-- make {what}: {where} -->\n```bash\ntest -s {file}\n```\n"
    made, there = run(text, tmp_path)
    assert made.status == there.status == "ok", made.error


def test_what_fails_says_how(tmp_path):
    text = "```bash\ngroove run nothing\n```\n```python\n1 / 0\n```\n```python\nx = 1\n```\n"
    command, block, after = run(text, tmp_path)
    assert command.error.startswith("ended with 3\n")
    assert "No package named 'nothing'" in command.error
    assert block.error.endswith("ZeroDivisionError: division by zero")
    assert after.status == "ok"


def test_a_block_that_ends_python(tmp_path):
    [block] = run("```python\nimport os; os._exit(3)\n```\n", tmp_path)
    assert block.error == "it ended Python"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- not run `x`: why -->\n```bash\ny\n```\n", "no line of the block has 'x'"),
        ("<!-- make cake: x -->\n```bash\ny\n```\n", "'cake' cannot be made"),
        ("<!-- not run -->\n```bash\ny\n```\n", "a reason is missing"),
        ("<!-- not run: why -->\nwords\n", "stands before no block"),
        ("```bash\necho one   # a word to zsh\n```\n", "zsh stumbles"),
        ("```bash\npip install core[plot]\n```\n", "zsh stumbles"),
    ],
)
def test_comments_that_are_wrong(text, message):
    with pytest.raises(Stop, match=message):
        check_readme.steps(text)


def test_the_command(tmp_path, capsys):
    good, bad = tmp_path / "GOOD.md", tmp_path / "BAD.md"
    good.write_text("```bash\ntrue\n```\n")
    bad.write_text("```bash\nfalse\n```\n")
    assert check_readme.main([str(good), "--check"]) == 0
    assert check_readme.main([str(bad)]) == 0
    assert check_readme.main([str(good), str(bad), "--list", "--check"]) == 0
    capsys.readouterr()
    assert check_readme.main([str(good), str(bad), "--check"]) == 1
    shown = capsys.readouterr()
    assert shown.out.count("GOOD.md:2: ok") == 1
    assert "BAD.md:2: FAILED" in shown.out
    assert "1 failed" in shown.err
    good.write_text("```bash\nmkdir made\n```\n")
    assert check_readme.main([str(good), "--twice"]) == 0
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("readme", READMES, ids=lambda p: p.parent.name)
def test_every_readme_can_be_read(readme):
    listed = check_readme.steps(readme.read_text(encoding="utf-8"))
    assert {"bash", "python"} <= {step.language for step in listed}
