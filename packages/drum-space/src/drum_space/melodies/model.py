"""A recurrent network that writes a melody on a beat.

After the generator described by A. Tikhonov and I. P. Yamshchikov, "Artificial Neural
Networks Jamming on the Beat", 2021 (arXiv:2007.06284), of which no weights or code were
published: at each step it is given the drum pattern and embeddings of instrument, pitch
class ("tone") and octave of the note before. The sizes are ours, and so are the look at
the drums around a step and the look back by one and two bars, which is from E. Waite's
Lookback RNN ("Generating Long-Term Structure in Songs and Stories", 2016).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drum_space.melodies.lines import HOLD, INSTRUMENTS, LOWEST, NO_BASS, OCTAVES, REST
from groove_core.devices import widest
from groove_core.drums import DRUMS, STEPS_PER_BAR
from groove_core.learning import Dropout

__all__ = ["FREE", "HELD", "RESTED", "TONES", "Conditions", "DrumMelody", "Prior", "encode_line"]

TONES = 14
"""Twelve pitch classes, then a rest, then the note before held."""
RESTED, HELD = 12, 13
FREE = -3
"""What a given line has where a step is to be drawn."""
PITCHES = 12 * OCTAVES
PATIENCE = 8
"""Notes of a line after which its own shares of the pitch classes count as much as the usual."""
START = 14
"""Before the first step."""
LOOKBACK = (STEPS_PER_BAR, 2 * STEPS_PER_BAR)
PHRASE = 2 * STEPS_PER_BAR


def encode_line(line: Tensor) -> tuple[Tensor, Tensor]:
    """Split steps of lines into tones and octaves.

    Parameters
    ----------
    line : int tensor [shape=(..., steps)]
        MIDI pitches, `REST` or `HOLD`.

    Returns
    -------
    tones : int tensor [shape=(..., steps), 0 to 13]
    octaves : int tensor [shape=(..., steps), 0 to 6]
        0 where no note starts.
    """
    pitch = line.long()
    tones = torch.where(line == REST, RESTED, torch.where(line == HOLD, HELD, pitch % 12))
    return tones, torch.where(pitch >= 0, (pitch - LOWEST) // 12, 0).clamp(min=0)


class Conditions(NamedTuple):
    """What a melody is written on; the first axis is the batch.

    Parameters
    ----------
    drums : Tensor [shape=(n, steps, 14), 0 and 1]
    codes : Tensor [shape=(n, steps, latent)]
        Of the two bars that a step is in, in a space of `DrumAutoencoder`.
    bass : int tensor [shape=(n, steps), 0 to 12]
        Pitch class that the bass sounds; 12 for none.
    instrument : int tensor [shape=(n,)]
    mode : int tensor [shape=(n,), 0 for major, 1 for minor]
    heard : Tensor [shape=(n,), 0 or 1]
        0 hides the drums: a line without a beat.
    """

    drums: Tensor
    codes: Tensor
    bass: Tensor
    instrument: Tensor
    mode: Tensor
    heard: Tensor


class Prior(NamedTuple):
    """What speaks for each of the 84 pitches besides the network, as logits.

    Parameters
    ----------
    places : Tensor [shape=(steps, 84)]
        On each step; minus infinity for a pitch that may not be played.
    moves : Tensor [shape=(84, 84)]
        From the note before (rows) to the next one.
    shares : Tensor [shape=(12,)], optional
        How often each pitch class is played in a whole line; one that is behind is preferred.
    trust : float
        What logits of the network are multiplied by.
    """

    places: Tensor
    moves: Tensor
    shares: Tensor | None = None
    trust: float = 1.0


class DrumMelody(nn.Module):
    """GRU over sixteenths; first says what a step holds, then in which octave it lies.

    Parameters
    ----------
    latent : int
        Dimensions of the space of drum patterns.
    hidden, layers : int
        Of the GRU.
    around : int
        Steps of drums seen, centred on the step: odd.
    columns : int
        Features of what is seen.
    dropout : float
    """

    code_mean: Tensor
    code_spread: Tensor

    def __init__(
        self,
        *,
        latent: int = 4,
        hidden: int = 128,
        layers: int = 2,
        around: int = 5,
        columns: int = 24,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "latent": latent, "hidden": hidden, "layers": layers, "around": around,
            "columns": columns, "dropout": dropout,
        }  # fmt: skip
        self.tone = nn.Embedding(TONES + 1, 24)
        self.octave = nn.Embedding(OCTAVES + 1, 12)
        self.instrument = nn.Embedding(len(INSTRUMENTS), 16)
        self.mode = nn.Embedding(2, 4)
        self.bass = nn.Embedding(NO_BASS + 1, 12)
        self.place = nn.Embedding(PHRASE, 16)
        self.column = nn.Conv1d(len(DRUMS), columns, around, padding=around // 2)
        self.code = nn.Linear(latent, 16)
        heard = columns + 16
        self.unheard = nn.Parameter(torch.zeros(heard))
        past = 24 + 12 + 24 * (1 + len(LOOKBACK))
        size = past + (16 + 4 + 12 + 16) + heard
        self.layers = nn.GRU(size, hidden, layers, batch_first=True, dropout=dropout)
        self.drop = Dropout(dropout)
        # The beat goes to the recurrent layers and past them: what a kick says of the step
        # it is on is learnt at once so, and late or never through them alone.
        self.to_tone = nn.Linear(hidden + heard, TONES)
        self.to_octave = nn.Linear(hidden + 24, OCTAVES)
        self.register_buffer("code_mean", torch.zeros(latent))
        self.register_buffer("code_spread", torch.ones(latent))

    def beat(self, on: Conditions) -> Tensor:
        """Give what is heard of the drums on every step [shape=(n, steps, columns + 16)]."""
        seen = F.relu(self.column(on.drums.transpose(1, 2))).transpose(1, 2)
        code = self.code((on.codes - self.code_mean) / self.code_spread)
        drums = torch.cat([seen, code], dim=-1)
        heard = on.heard[:, None, None]
        return heard * drums + (1 - heard) * self.unheard

    def past(self, tones: Tensor, octaves: Tensor) -> Tensor:
        """Embed what lies before every step of lines [shape=(n, steps)]."""
        steps = tones.shape[1]
        at = torch.arange(steps, device=tones.device)
        starts = tones < RESTED
        # The note before: the last that started on an earlier step.
        last = torch.cummax(torch.where(starts, at, -1), dim=1).values
        last = F.pad(last[:, :-1], (1, 0), value=-1)
        known = last >= 0
        tone = torch.where(known, tones.gather(1, last.clamp(min=0)), START)
        octave = torch.where(known, octaves.gather(1, last.clamp(min=0)), OCTAVES)
        before = [F.pad(tones, (back, 0), value=START)[:, :steps] for back in (1, *LOOKBACK)]
        return self.seen(torch.stack([tone, *before], dim=-1), octave)

    def seen(self, tones: Tensor, octave: Tensor) -> Tensor:
        """Embed the tone of the note before, those 1, 16 and 32 steps ago, and its octave."""
        known = self.tone(tones)
        return torch.cat([known[..., 0, :], self.octave(octave), known[..., 1:, :].flatten(-2)], -1)

    def around(self, on: Conditions) -> Tensor:
        """Give who plays, over which bass, and where in two bars [shape=(n, steps, 48)]."""
        n, steps = on.bass.shape
        place = self.place(torch.arange(steps, device=on.bass.device) % PHRASE)
        who = torch.cat([self.instrument(on.instrument), self.mode(on.mode)], dim=-1)
        return torch.cat(
            [
                who[:, None].expand(-1, steps, -1),
                self.bass(on.bass),
                place.expand(n, -1, -1),
            ],
            dim=-1,
        )

    def forward(self, line: Tensor, on: Conditions) -> Tensor:
        """Negative log-likelihood of every step of lines, in nats [shape=(n, steps)].

        ``-log p(tone) - log p(octave | tone)``, the second where a note starts.
        """
        tones, octaves = encode_line(line)
        beat = self.beat(on)
        x = torch.cat([self.past(tones, octaves), self.around(on), beat], dim=-1)
        state = self.drop(self.layers(self.drop(x))[0])
        logits = self.tone_logits(state, self.drop(beat))
        tone = F.cross_entropy(logits.transpose(1, 2), tones, reduction="none")
        octave = F.cross_entropy(
            self.octave_logits(state, tones).transpose(1, 2), octaves, reduction="none"
        )
        total: Tensor = tone + octave * (tones < RESTED)
        return total

    def tone_logits(self, state: Tensor, beat: Tensor) -> Tensor:
        """Give logits of what a step holds."""
        logits: Tensor = self.to_tone(torch.cat([state, beat], dim=-1))
        return logits

    def octave_logits(self, state: Tensor, tones: Tensor) -> Tensor:
        """Give logits of the octaves that a tone may lie in."""
        logits: Tensor = self.to_octave(torch.cat([state, self.tone(tones)], dim=-1))
        return logits

    @torch.no_grad()
    def write(
        self,
        on: Conditions,
        *,
        prior: Prior | None = None,
        given: Tensor | None = None,
        guidance: float = 1.0,
        temperature: float = 1.0,
        generator: torch.Generator,
    ) -> Tensor:
        """Draw lines, step by step: first whether a note starts, then which.

        Parameters
        ----------
        on : Conditions
            On any device, as the tensors below.
        prior : Prior, optional
            Which pitches may be played, and how well each fits. Default: all, by the network alone.
        given : int tensor [shape=(n, steps)], optional
            Steps that are known, as in a line; `FREE` where one is to be drawn.
        guidance : float
            How much of what the drums change of when notes start is heard: 0 none, 1 as learnt,
            above 1 more (J. Ho and T. Salimans, "Classifier-Free Diffusion Guidance", 2022).
        temperature : float
            0 takes the likeliest.

        Returns
        -------
        int tensor [shape=(n, steps)]
            MIDI pitches, `REST` or `HOLD`, on the CPU.
        """
        self.eval()
        device = self.code_mean.device
        n, steps = on.bass.shape
        # Each line is read twice, with its drums and without, if that makes a difference.
        both = [on, on._replace(heard=torch.zeros_like(on.heard))][: 1 + (guidance != 1)]
        on = Conditions(*(torch.cat(fields).to(device) for fields in zip(*both, strict=True)))
        beat = self.beat(on)
        known = torch.cat([self.around(on), beat], dim=-1)
        given = torch.full((n, steps), FREE) if given is None else given.to(torch.int64)
        drawing, given = (given == FREE).any(dim=0).tolist(), given.to(device)
        taste = None if prior is None else _Taste(prior, n, device)
        line = torch.full((n, steps), REST, device=device)
        furthest = max(LOOKBACK)
        tones = torch.full((n, furthest + steps), START, device=device)
        back = torch.tensor([1, *LOOKBACK], device=device)
        sounds = torch.zeros(n, dtype=torch.bool, device=device)
        last = torch.full((n,), PITCHES, device=device)
        silent, state = torch.tensor([REST, HOLD], device=device), None
        octave_of = self.octave_logits(
            torch.zeros(RESTED, self.layers.hidden_size, device=device),
            torch.arange(RESTED, device=device),
        )
        from_state = self.to_octave.weight[:, : self.layers.hidden_size].T
        for t in range(steps):
            first = (last == PITCHES)[:, None]
            note = torch.where(first, START, last[:, None] % 12)
            past = self.seen(
                torch.cat([note, tones[:, furthest + t - back]], dim=1),
                torch.where(first, OCTAVES, last[:, None] // 12)[:, 0],
            )
            seen = torch.cat([past.repeat(len(both), 1), known[:, t]], dim=-1)
            out, state = self.layers(seen[:, None], state)
            drawn = given[:, t]
            if drawing[t]:
                tone = self.tone_logits(out[:, 0], beat[:, t]).log_softmax(dim=-1)
                when = torch.cat([tone[:, RESTED:], tone[:, :RESTED].logsumexp(1, True)], dim=1)
                when = when[-n:].lerp(when[:n], guidance)
                when[:, 1] = when[:, 1].masked_fill(~sounds, -torch.inf)  # nothing to hold
                octave = ((out[:n, 0] @ from_state)[:, None] + octave_of).log_softmax(dim=-1)
                which = (tone[:n, :RESTED, None] + octave).transpose(1, 2).flatten(1)
                if taste:
                    which = taste.weigh(which, t, last)
                kind = _draw(when, temperature, generator)
                pitch = LOWEST + _draw(which, temperature, generator)
                own = torch.where(kind == 2, pitch, silent[kind.clamp(max=1)])
                drawn = torch.where(drawn == FREE, own, drawn)
            line[:, t] = drawn
            tones[:, furthest + t] = encode_line(drawn)[0]
            sounds, starts = drawn != REST, drawn >= 0
            last = torch.where(starts, drawn - LOWEST, last)
            if taste:
                taste.count(last, starts)
        return line.cpu()


class _Taste:
    """What a prior makes of the wishes of the network, for lines that are being written."""

    def __init__(self, prior: Prior, n: int, device: torch.device) -> None:
        self.places, self.trust = prior.places.to(device), prior.trust
        # Before the first note, no move is likelier than another, and none is a repetition.
        self.moves = F.pad(prior.moves, (0, 0, 0, 1)).to(device)
        self.same = torch.eye(PITCHES + 1, PITCHES, dtype=torch.bool, device=device)
        self.counts = prior.shares is not None
        shares = torch.ones(12) if prior.shares is None else prior.shares
        self.shares = shares.clamp(min=1e-6).to(device)
        self.played = PATIENCE * self.shares.expand(n, -1)

    def weigh(self, wishes: Tensor, t: int, last: Tensor) -> Tensor:
        """Return logits of the pitches on a step [shape=(n, 84)]."""
        # Networks repeat notes far too often, and more the more they have. Whether one is
        # repeated is left to the prior.
        same, usual = self.same[last], self.places[t] + self.moves[last]
        others = usual.masked_fill(same, -torch.inf).softmax(dim=1).nan_to_num()
        fair = torch.where(same, (others * wishes).sum(dim=1, keepdim=True), wishes)
        behind = (self.shares * self.played.sum(dim=1, keepdim=True) / self.played).log()
        return self.trust * fair + usual + behind.repeat(1, OCTAVES)

    def count(self, last: Tensor, starts: Tensor) -> None:
        """Count a note where one starts."""
        if self.counts:
            self.played = self.played + F.one_hot(last % 12, 12) * starts[:, None]


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    if not temperature:
        return logits.argmax(dim=-1)
    chances = (logits.to(widest(logits.device)) / temperature).softmax(dim=-1)
    return torch.multinomial(chances.cpu(), 1, generator=generator)[:, 0].to(logits.device)
