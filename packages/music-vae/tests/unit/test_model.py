"""The networks against slow, literal versions of their equations."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from groove_core.errors import UsageError
from groove_core.storage import checkpoints
from music_vae.alphabets import ALPHABETS
from music_vae.decoders import Core, draw
from music_vae.loading import PACKAGE
from music_vae.model import MusicVAE

KINDS = ["mel-2bar", "drums-2bar", "mel-16bar", "trio-16bar", "shared"]


def cell_of(lstm: nn.LSTM, suffix: str = "l0") -> nn.LSTMCell:
    """Copy a layer of an LSTM into a cell."""
    cell = nn.LSTMCell(lstm.input_size, lstm.hidden_size)
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        getattr(cell, name).data = getattr(lstm, f"{name}_{suffix}").data
    return cell


def one_hot(voice: str, event: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(ALPHABETS[voice].table())[event]


def literal_core(core: Core, voice: str, context, events, last):
    """Compute the logits of a core step by step, with a cell."""
    cell, size = cell_of(core.lstm), core.lstm.hidden_size
    start = torch.tanh(core.start(context))
    h, c = start[:, :size], start[:, size:]
    logits, told = [], context
    for step in range(events.shape[1]):
        if core.plan:
            inner, _, outer, _ = core.plan
            whole = outer(inner(context) * torch.sigmoid(inner(context)))
            width = whole.shape[1] // 16
            told = whole[:, step * width : step * width + width]
        h, c = cell(torch.cat([one_hot(voice, last), told], dim=1), (h, c))
        scores = core.out(h)
        if voice == "drums":
            scores = scores + core.hits(h) @ one_hot(voice, torch.arange(512)).T
        logits.append(scores)
        last = events[:, step]
    return torch.stack(logits, dim=1)


def test_the_flat_decoder_is_its_equations(networks, events_of):
    model = networks["mel-2bar"]
    events, z = events_of(["melody"], 3, 32), torch.randn(3, 6)
    start = torch.full((3,), 90)
    expected = literal_core(model.decoder.core(0), "melody", z, events[:, 0], start)
    torch.testing.assert_close(model.decoder(z, events)[0], expected)


@pytest.mark.parametrize("kind", ["mel-16bar", "trio-16bar", "shared"])
def test_bars_at_once_are_bars_one_by_one(networks, events_of, kind):
    """Under teacher forcing all bars are computed at once; here one by one, with cells."""
    model = networks[kind]
    decoder, voices = model.decoder, model.voices
    events, z = events_of(voices, 2, 256), torch.randn(2, model.latent)
    size = decoder.conductor.hidden_size
    cell, first = cell_of(decoder.conductor), torch.tanh(decoder.start(z))
    g, d = first[:, :size], first[:, size:]
    told = torch.zeros(2, decoder.listens)
    expected: list[list[torch.Tensor]] = [[] for _ in voices]
    for bar in range(16):
        mine = z[:, 2 * bar : 2 * bar + 2] if decoder.share else z
        g, d = cell(mine, (g, d))
        now = slice(16 * bar, 16 * bar + 16)
        for v, voice in enumerate(voices):
            last = events[:, v, 16 * bar - 1] if bar else torch.full((2,), ALPHABETS[voice].classes)
            context = torch.cat([g, mine, told] if decoder.share else [g, told], dim=1)
            expected[v].append(
                literal_core(decoder.core(v), voice, context, events[:, v, now], last)
            )
        if decoder.listens:
            x = torch.cat([one_hot(voice, events[:, v, now]) for v, voice in enumerate(voices)], -1)
            told = decoder.listener(x)[1][0]
    for found, bars in zip(decoder(z, events), expected, strict=True):
        torch.testing.assert_close(found, torch.cat(bars, dim=1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_likeliest_told_itself(networks, kind):
    """Free running and teacher forcing are one network: told what it wrote, it would say it."""
    model = networks[kind]
    z = 3 * torch.randn(4, model.latent)
    written = model.decode(z)
    told = torch.stack([logits.argmax(dim=-1) for logits in model.decoder(z, written)], dim=1)
    # Where two classes are equally likely but for rounding, either may be chosen.
    assert (told == written).float().mean() > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_no_step_hears_what_comes(networks, events_of, kind):
    """A later event changes no earlier logits, and does change later ones."""
    model = networks[kind]
    at = model.steps // 2 + 3
    events, z = events_of(model.voices, 2, model.steps), torch.randn(2, model.latent)
    other = events.clone()
    other[:, :, at] = (events[:, :, at] + 7) % 90
    for one, two in zip(model.decoder(z, events), model.decoder(z, other), strict=True):
        torch.testing.assert_close(one[:, : at + 1], two[:, : at + 1])
        assert (one[:, at + 1] != two[:, at + 1]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_heard_is_as_before_the_first_step(networks, events_of, kind):
    model = networks[kind]
    events, z = events_of(model.voices, 2, model.steps), torch.randn(2, model.latent)
    plain = model.decoder(z, events)
    unheard = torch.zeros(events.shape, dtype=torch.bool)
    for one, two in zip(plain, model.decoder(z, events, unheard=unheard), strict=True):
        torch.testing.assert_close(one, two)
    # Step 5 does not hear step 4, so that it does not matter what that was.
    unheard[:, :, 5] = True
    other = events.clone()
    other[:, :, 4] = (events[:, :, 4] + 7) % 90
    one, two = (model.decoder(z, some, unheard=unheard) for some in (events, other))
    for voice in range(len(model.voices)):
        torch.testing.assert_close(one[voice][:, :16], two[voice][:, :16])
        assert (one[voice][:, 5] != plain[voice][:, 5]).any()
    [core], [heard] = [model.decoder.core(0)], [model.decoder.before(events, unheard)[0]]
    assert (heard[:, 5] == core.classes).all()


@pytest.mark.parametrize("shape", [{}, {"bars": 16, "by_bar": True, "conductor": 32}])
def test_a_training_begins_with_codes_that_say_something(events_of, shape):
    """The codes of pieces are not drowned in noise: of random ones here, which are much alike."""
    torch.manual_seed(1)
    model = MusicVAE(**shape)
    mean, deviation = model.encode(events_of(model.voices, 64, model.steps))
    assert mean.std(dim=0).mean() > 0.02
    assert deviation.mean().item() == pytest.approx(0.127, abs=0.02)


def test_the_conductor_hears_no_notes(networks, events_of):
    """Without listening, a bar knows of another bar only its last event."""
    model = networks["mel-16bar"]
    z = torch.randn(2, model.latent)
    events = events_of(["melody"], 2, 256)
    other = events.clone()
    other[:, :, :31] = 0  # two bars, but for the last event
    one, two = model.decoder(z, events)[0], model.decoder(z, other)[0]
    assert (one[:, :31] != two[:, :31]).any()
    torch.testing.assert_close(one[:, 32:], two[:, 32:])


def test_bars_that_listen_hear_every_voice_of_the_bar_before(networks, events_of):
    model = networks["trio-16bar"]
    z = torch.randn(2, model.latent)
    events = events_of(model.voices, 2, 256)
    other = events.clone()
    other[:, 1, 3] = (events[:, 1, 3] + 7) % 90  # the bass, in the first bar
    one, two = model.decoder(z, events), model.decoder(z, other)
    for voice in range(3):
        assert (one[voice][:, 16:32] != two[voice][:, 16:32]).any()
        torch.testing.assert_close(one[voice][:, 32:], two[voice][:, 32:])
    deaf = torch.ones(2, 16, dtype=torch.bool)
    one, two = model.decoder(z, events, deaf=deaf), model.decoder(z, other, deaf=deaf)
    torch.testing.assert_close(one[0][:, 16:], two[0][:, 16:])


def test_the_posterior_is_its_equations(networks, events_of):
    model = networks["mel-2bar"]
    events = events_of(["melody"], 3, 32)
    x, lstm = one_hot("melody", events[:, 0]), model.encoder.steps.lstm
    ends = []
    for suffix, steps in (("l0", range(32)), ("l0_reverse", reversed(range(32)))):
        cell = cell_of(lstm, suffix)
        h = c = torch.zeros(3, 8)
        for step in steps:
            h, c = cell(x[:, step], (h, c))
        ends.append(h)
    read = torch.cat(ends, dim=1)
    mean, deviation = model.encode(events)
    torch.testing.assert_close(mean, model.mean(read))
    expected = (1 + model.deviation(read).exp()).log() + 1e-6
    torch.testing.assert_close(deviation, expected)


def test_bars_are_read_alike(networks, events_of):
    """The lower level of the encoder has one set of weights for all bars."""
    encoder = networks["mel-16bar"].encoder
    bar = events_of(["melody"], 1, 16)
    whole = bar.repeat(1, 1, 16)
    each = encoder.steps(encoder.features(bar))
    torch.testing.assert_close(encoder(whole), encoder.bars(each[:, None].expand(-1, 16, -1)))


def test_scheduled_sampling_hears_what_it_says(networks, events_of):
    """With none of its own events it is teacher forcing, with all of them free running."""
    model = networks["mel-2bar"]
    events, z = events_of(["melody"], 4, 32), torch.randn(4, model.latent)

    def pick(logits, voice, step):
        return draw(logits, 0.0)

    none, every = torch.zeros(4, 1, 32, dtype=bool), torch.ones(4, 1, 32, dtype=bool)
    forced = model.decoder(z, events, pick=pick, own=none)[0]
    torch.testing.assert_close(forced, model.decoder(z, events)[0])
    free = model.decoder(z, events, pick=pick, own=every)[0]
    torch.testing.assert_close(free, model.decoder(z, model.decode(z))[0])
    some = none.clone()
    some[:, :, 9] = True  # what is heard at step 10
    mixed = model.decoder(z, events, pick=pick, own=some)[0]
    heard = events.clone()
    heard[:, 0, 9] = forced[:, 9].argmax(dim=-1)
    torch.testing.assert_close(mixed, model.decoder(z, heard)[0])


def test_two_layers_are_written_as_they_are_told():
    """Writing has its own cells, teacher forcing those of torch."""
    torch.manual_seed(0)
    core = Core("melody", context=5, size=7, layers=2)
    context, given = torch.randn(3, 5), torch.randint(0, 90, (3, 20))
    first = torch.full((3,), 90)
    before = torch.cat([first[:, None], given[:, :-1]], dim=1)

    def pick(logits, step):
        return draw(logits, 0.0)

    _, logits = core.unroll(context, first, 20, pick, given)
    torch.testing.assert_close(logits, core(context, before))


def test_events_are_drawn_by_their_chances():
    chances = torch.tensor([0.0, 0.5, 0.2, 0.0, 0.3])
    uniform = torch.linspace(0, 1, 1001)[:-1]
    drawn = draw(chances.log().expand(1000, 5), 1.0, uniform)
    assert (torch.bincount(drawn, minlength=5) / 1000).tolist() == pytest.approx(
        chances.tolist(), abs=2e-3
    )
    colder = draw(chances.log().expand(1000, 5), 0.5, uniform)
    squares = chances.square() / chances.square().sum()
    assert (torch.bincount(colder, minlength=5) / 1000).tolist() == pytest.approx(
        squares.tolist(), abs=2e-3
    )
    assert draw(chances.log()[None], 0.0).item() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_writes_the_same(networks, kind):
    model = networks[kind]
    z = torch.randn(3, model.latent)

    def written(seed):
        return model.decode(z, temperature=1.0, generator=torch.Generator().manual_seed(seed))

    one = written(1)
    assert one.shape == (3, len(model.voices), model.steps)
    assert torch.equal(one, written(1))
    assert not torch.equal(one, written(2))
    for number, voice in enumerate(model.voices):
        assert one[:, number].max() < ALPHABETS[voice].classes


def test_names_of_weights_stay():
    """Stored checkpoints have these names."""
    model = MusicVAE(
        voices=("melody", "drums"), bars=16, latent=4, encoder=4, by_bar=True, decoder=4,
        conductor=4, listens=2, flow=4,
    )  # fmt: skip
    parts = {name.rpartition(".")[0] or name for name in model.state_dict()}
    assert parts == {
        "prior_mean", "prior_deviation", "forms", "attribute_ranges", "chorus_weights",
        "chorus_bias",
        "encoder.steps.lstm", "encoder.bars.lstm",
        "mean", "deviation", "decoder.start", "decoder.conductor", "decoder.listener",
        *(f"decoder.cores.{v}.{part}" for v in ("melody", "drums")
          for part in ("start", "lstm", "out")),
        "decoder.cores.drums.hits", "flow", "flow.read", "flow.write", "flow.norm",
        *(f"flow.time.{n}" for n in (0, 2)),
        *(f"flow.blocks.{n}.{part}" for n in range(3) for part in (
            "self_attn", "self_attn.out_proj", "linear1", "linear2", "norm1", "norm2")),
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_network_writes_the_same(networks, tiny, kind):
    loaded, _ = checkpoints.load(PACKAGE, tiny[kind], MusicVAE)
    z = torch.randn(2, networks[kind].latent)
    assert torch.equal(loaded.eval().decode(z), networks[kind].decode(z))


def test_combinations_of_drums_share_what_their_hits_say(events_of):
    """The logits of a class are its own and those of its hits: kick and snare are 1 + 2."""
    core = MusicVAE(voices=("drums",), latent=4, encoder=4, decoder=4, flow=4).decoder.core(0)
    torch.nn.init.zeros_(core.out.weight)
    h = torch.randn(5, 4)
    said = h @ core.weight().T
    torch.testing.assert_close(said[:, 3], said[:, 1] + said[:, 2])
    torch.testing.assert_close(said[:, 4 + 256], said[:, 4] + said[:, 256])
    assert said[:, 0].abs().min() > 0  # that nothing is hit is one of the features


@pytest.mark.parametrize("voices", [[], ["flute"], ["drums", "melody"]])
def test_unknown_voices_are_refused(voices):
    with pytest.raises(UsageError, match="There are no voices"):
        MusicVAE(voices=voices)


def test_only_bars_listen():
    with pytest.raises(UsageError, match="conductor"):
        MusicVAE(listens=8)


def test_a_share_of_the_code_is_about_its_bar(networks, events_of):
    """Through the encoder of bars alone, an event changes the share of its bar most."""
    model = networks["shared"]
    events = events_of(model.voices, 8, 256)
    other = events.clone()
    other[:, :, 112:128] = (events[:, :, 112:128] + 7) % 90
    apart = (model.encode(events)[0] - model.encode(other)[0]).unflatten(1, (16, -1))
    assert (apart.norm(dim=2).argmax(dim=1) == 7).all()


@pytest.mark.parametrize(
    ("config", "says"),
    [({"bars": 2, "latent": 6, "plan": 3}, "without a conductor"),
     ({"bars": 16, "latent": 6, "plan": 3, "conductor": 8}, "cannot be shared by 16 bars")],
)  # fmt: skip
def test_shares_need_a_conductor_and_whole_numbers(config, says):
    with pytest.raises(UsageError, match=says):
        MusicVAE(**config)
