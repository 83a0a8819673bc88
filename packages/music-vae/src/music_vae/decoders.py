"""From a code to music: flat, or with a conductor who leads bar by bar.

A core writes one voice. It is an LSTM that begins in a state made from a context, hears the
context at every step, and its own last event:

    (h_0, c_0) = tanh(W_0 context + b_0)
    (h_t, c_t) = LSTM([event_{t-1}, context], (h_{t-1}, c_{t-1}))
    p(event_t) = softmax(W h_t + b)

Of drums, W is W + F V with the features F of the combinations: their logits are the sums of those
of their hits, so that combinations are written that were hardly learnt.

The flat decoder is a core for each voice, whose context is the code z. In the hierarchical one a
conductor makes the context of each bar, and hears no notes:

    (g_0, d_0) = tanh(V_0 z + a_0),  (g_b, d_b) = LSTM(z, (g_{b-1}, d_{b-1})),  context_b = g_b

Bars share the weights of the cores, so under teacher forcing all bars are computed at once. A.
Roberts et al., "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music",
2018 (1803.05428), section 3; there the conductor has no input.

Ours are three things. A bar has a share z_b of the code: the conductor hears z_b in the place of
z, and the context of the bar is [g_b, z_b]. Steps have a plan: of the context of a bar, two layers
make what each of its steps hears. And bars may listen: a GRU summarises all voices of the bar
before, and the summary belongs to the context of a bar.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from music_vae.alphabets import ALPHABETS
from music_vae.recurrent import set_first_weights

__all__ = [
    "STEPS_PER_BAR", "ConductorDecoder", "Core", "Features", "FlatDecoder", "Pick", "draw",
]  # fmt: skip

STEPS_PER_BAR = 16

Pick = Callable[[Tensor, int, int], Tensor]
"""From logits [shape=(n, classes)], the number of the voice and the step: events [shape=(n,)]."""


def draw(logits: Tensor, temperature: float, uniform: Tensor | None = None) -> Tensor:
    """Draw classes from logits by inverting their distribution function.

    Parameters
    ----------
    logits : Tensor [shape=(n, classes)]
    temperature : float
        0 takes the likeliest classes.
    uniform : Tensor [shape=(n,), 0 to 1, without 1], needed above a temperature of 0

    Returns
    -------
    int tensor [shape=(n,)]

    Examples
    --------
    >>> chances = torch.tensor([[0.25, 0.75]]).log().expand(3, 2)
    >>> draw(chances, 1.0, torch.tensor([0.2, 0.3, 0.99])).tolist()
    [0, 1, 1]
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    assert uniform is not None
    below = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
    # Rounded, the last sum may be a little less than 1, and a draw must not lie behind it.
    reached = below / below[:, -1:] <= uniform.to(below)[:, None]
    return reached.sum(dim=-1).clamp(max=logits.shape[-1] - 1)


class Features(nn.Module):
    """How networks read the events of voices: see `music_vae.alphabets`."""

    def __init__(self, voices: Sequence[str]) -> None:
        super().__init__()
        self.size = sum(ALPHABETS[voice].features for voice in voices)
        self.voices = len(voices)
        for number, voice in enumerate(voices):  # tables are no weights, so they are not stored
            table = torch.from_numpy(ALPHABETS[voice].table())
            self.register_buffer(f"table_{number}", table, persistent=False)

    def forward(self, events: Tensor) -> Tensor:
        """Return the features of events [shape=(n, voices, steps)] as [shape=(n, steps, size)]."""
        tables = (self.get_buffer(f"table_{number}") for number in range(self.voices))
        return torch.cat([t[events[:, i]] for i, t in enumerate(tables)], dim=-1)


class Core(nn.Module):
    """The decoder of one voice.

    Parameters
    ----------
    voice : ``melody``, ``bass`` or ``drums``
    context : int
        Numbers that it hears at every step, or that the plan of a bar is made from.
    size, layers : int
        Of its LSTM.
    plan : int
        Numbers that each step of a bar is told of its own; 0: all hear the same context.
    """

    def __init__(
        self, voice: str, *, context: int, size: int, layers: int = 1, plan: int = 0
    ) -> None:
        super().__init__()
        self.classes = ALPHABETS[voice].classes
        self.shape = 2, layers, size
        self.features = Features([voice])
        self.start = nn.Linear(context, 2 * layers * size)
        self.plan: nn.Module | None = None
        if plan:
            self.plan = nn.Sequential(
                nn.Linear(context, size),
                nn.SiLU(),
                nn.Linear(size, STEPS_PER_BAR * plan),
                nn.Unflatten(1, (STEPS_PER_BAR, plan)),
            )
        heard = plan or context
        self.lstm = nn.LSTM(self.features.size + heard, size, layers, batch_first=True)
        set_first_weights(self.lstm, self.features.size)
        self.out = nn.Linear(size, self.classes)
        self.hits: nn.Linear | None = None
        if not ALPHABETS[voice].is_pitched:
            self.hits = nn.Linear(size, self.features.size, bias=False)

    def weight(self) -> Tensor:
        """Return the weight of the output [shape=(classes, size)]: W + F V."""
        if self.hits is None:
            return self.out.weight
        table = self.features.get_buffer("table_0")[: self.classes]
        return self.out.weight + table @ self.hits.weight

    def told(self, context: Tensor) -> Tensor:
        """Return what each step hears [shape=(n, 16, plan)], or all of them (n, 1, context)."""
        found: Tensor = self.plan(context) if self.plan else context[:, None]
        return found

    def state(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first state, as `torch.nn.LSTM` takes it."""
        h, c = torch.tanh(self.start(context)).unflatten(1, self.shape).permute(1, 2, 0, 3)
        return h.contiguous(), c.contiguous()

    def forward(self, context: Tensor, before: Tensor) -> Tensor:
        """Return the logits of all steps under teacher forcing.

        Parameters
        ----------
        context : Tensor [shape=(n, context)]
        before : int tensor [shape=(n, steps)]
            The event before each step.

        Returns
        -------
        Tensor [shape=(n, steps, classes)]
        """
        told = self.told(context).expand(-1, before.shape[1], -1)
        x = torch.cat([self.features(before[:, None]), told], dim=-1)
        h, _ = self.lstm(x, self.state(context))
        return F.linear(h, self.weight(), self.out.bias)

    def unroll(
        self,
        context: Tensor,
        first: Tensor,
        steps: int,
        pick: Callable[[Tensor, int], Tensor],
        given: Tensor | None = None,
        own: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Write step by step, each event being heard at the next step.

        Parameters
        ----------
        context : Tensor [shape=(n, context)]
        first : int tensor [shape=(n,)]
            The event before the first step.
        pick : callable
            From logits [shape=(n, classes)] and the step to events [shape=(n,)].
        given : int tensor [shape=(n, steps)], optional
            What is heard instead of what was written, but where `own` [shape=(n, steps), bool]
            says so: scheduled sampling.

        Returns
        -------
        events : int tensor [shape=(n, steps)]
        logits : Tensor [shape=(n, steps, classes)]
        """
        hs, cs = (list(part) for part in self.state(context))
        of_event, of_context = self._first_gates(context)
        weight = self.weight()
        before = first
        events, logits = [], []
        for step in range(steps):
            gates = of_event[before] + of_context[:, step if self.plan else 0]
            for layer in range(len(hs)):
                if layer:
                    gates = self._of_layer("ih", layer, hs[layer - 1])
                hs[layer], cs[layer] = _cell(gates + self._of_layer("hh", layer, hs[layer]),
                                             cs[layer])  # fmt: skip
            scores = F.linear(hs[-1], weight, self.out.bias)
            before = pick(scores, step)
            events.append(before)
            logits.append(scores)
            if given is not None:
                heard = given[:, step]
                before = heard if own is None else torch.where(own[:, step], before, heard)
        return torch.stack(events, dim=1), torch.stack(logits, dim=1)

    def _first_gates(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each class adds to the gates of the first layer, and what the context adds.

        Neither depends on what is written, so each is computed once: writing is twice as fast.
        """
        table = self.features.get_buffer("table_0")
        weight = self.lstm.weight_ih_l0
        assert isinstance(weight, Tensor)
        of_event, of_told = weight.tensor_split([table.shape[1]], dim=1)
        bias = self.lstm.bias_ih_l0
        assert isinstance(bias, Tensor)
        return F.linear(table, of_event), F.linear(self.told(context), of_told, bias)

    def _of_layer(self, kind: str, layer: int, x: Tensor) -> Tensor:
        """Multiply by the weights of the input (``ih``) or the state (``hh``) of a layer."""
        weight, bias = (
            getattr(self.lstm, f"{name}_{kind}_l{layer}") for name in ("weight", "bias")
        )
        return F.linear(x, weight, bias)


def _cell(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Return the next states of an LSTM: c' = f c + i g, h' = o tanh(c')."""
    i, f, g, o = gates.chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


class _Decoder(nn.Module):
    """The cores of all voices, and what both kinds of decoders have in common."""

    def __init__(
        self, voices: Sequence[str], *, context: int, size: int, layers: int = 1, plan: int = 0
    ) -> None:
        super().__init__()
        self.voices = tuple(voices)
        self.cores = nn.ModuleDict({
            voice: Core(voice, context=context, size=size, layers=layers, plan=plan)
            for voice in voices
        })  # fmt: skip
        self.silence = [ALPHABETS[voice].classes for voice in voices]
        """The class before the first step of each voice."""

    def core(self, number: int) -> Core:
        """Return the core of a voice."""
        core = self.cores[self.voices[number]]
        assert isinstance(core, Core)
        return core

    def before(self, events: Tensor, unheard: Tensor | None = None) -> list[Tensor]:
        """Return the event before each step, for each voice [shape=(n, steps)].

        Where `unheard` [shape=(n, voices, steps), bool] says so, it is as before the first step.
        """
        found = []
        for number, start in enumerate(self.silence):
            heard = F.pad(events[:, number, :-1], (1, 0), value=start)
            if unheard is not None:
                heard = heard.masked_fill(unheard[:, number], start)
            found.append(heard)
        return found


class FlatDecoder(_Decoder):
    """A core for each voice over all steps, whose context is the code."""

    def __init__(self, voices: Sequence[str], *, latent: int, size: int, layers: int = 1) -> None:
        super().__init__(voices, context=latent, size=size, layers=layers)

    def forward(
        self,
        z: Tensor,
        events: Tensor,
        pick: Pick | None = None,
        own: Tensor | None = None,
        unheard: Tensor | None = None,
    ) -> list[Tensor]:
        """Return the logits of each voice [shape=(n, steps, classes)].

        Parameters
        ----------
        z : Tensor [shape=(n, latent)]
        events : int tensor [shape=(n, voices, steps)]
            What is heard, one step late.
        pick, own : optional
            Scheduled sampling: behind the steps that `own` [shape=(n, voices, steps), bool] marks,
            an event that `pick` takes from the logits is heard.
        unheard : bool tensor [shape=(n, voices, steps)], optional
            Steps that do not hear the event before: without scheduled sampling.
        """
        if pick is None or own is None:
            heard = self.before(events, unheard)
            return [self.core(v)(z, before) for v, before in enumerate(heard)]
        found = []
        for voice, before in enumerate(self.before(events)):
            choose = _of_voice(pick, voice)
            _, logits = self.core(voice).unroll(
                z, before[:, 0], events.shape[2], choose, events[:, voice], own[:, voice]
            )
            found.append(logits)
        return found

    def decode(self, z: Tensor, steps: int, pick: Pick) -> Tensor:
        """Write events [shape=(n, voices, steps)] from codes."""
        made = []
        for voice, start in enumerate(self.silence):
            first = z.new_full((len(z),), start, dtype=torch.long)
            made.append(self.core(voice).unroll(z, first, steps, _of_voice(pick, voice))[0])
        return torch.stack(made, dim=1)


def _of_voice(pick: Pick, voice: int, offset: int = 0) -> Callable[[Tensor, int], Tensor]:
    return lambda logits, step: pick(logits, voice, offset + step)


class ConductorDecoder(_Decoder):
    """A conductor over bars, and cores that write a bar each.

    Parameters
    ----------
    listens : int
        Size of the summary of the bar before; 0: bars know each other through the conductor only.
    plan : int
        Numbers that each step is told of its own; 0: the decoder of the paper.
    share : int
        Numbers of the code that are about each bar, with a plan.
    """

    def __init__(
        self,
        voices: Sequence[str],
        *,
        latent: int,
        conductor: int,
        size: int,
        layers: int = 1,
        listens: int = 0,
        plan: int = 0,
        share: int = 0,
    ) -> None:
        context = conductor + share + listens
        super().__init__(voices, context=context, size=size, layers=layers, plan=plan)
        self.share = share
        self.start = nn.Linear(latent, 2 * conductor)
        self.conductor = nn.LSTM(share or latent, conductor, batch_first=True)
        set_first_weights(self.conductor)
        self.listens = listens
        if listens:
            self.features = Features(voices)
            self.listener = nn.GRU(self.features.size, listens, batch_first=True)
            set_first_weights(self.listener, self.features.size)

    def lead(self, z: Tensor, bars: int) -> Tensor:
        """Return what the conductor says of each bar [shape=(n, bars, conductor + share)]."""
        h, c = torch.tanh(self.start(z)).chunk(2, dim=1)
        state = h[None].contiguous(), c[None].contiguous()
        if self.share:
            mine = z.unflatten(1, (bars, self.share))
            return torch.cat([self.conductor(mine, state)[0], mine], dim=-1)
        led: Tensor = self.conductor(z[:, None].expand(-1, bars, -1), state)[0]
        return led

    def summary(self, bar: Tensor) -> Tensor:
        """Return the summaries of bars [shape=(n, voices, 16)] as [shape=(n, listens)]."""
        found: Tensor = self.listener(self.features(bar))[1][0]
        return found

    def forward(
        self,
        z: Tensor,
        events: Tensor,
        deaf: Tensor | None = None,
        unheard: Tensor | None = None,
    ) -> list[Tensor]:
        """Return the logits of each voice [shape=(n, steps, classes)], under teacher forcing.

        Parameters
        ----------
        z : Tensor [shape=(n, latent)]
        events : int tensor [shape=(n, voices, steps)]
        deaf : bool tensor [shape=(n, bars)], optional
            Bars that do not hear the bar before.
        unheard : bool tensor [shape=(n, voices, steps)], optional
            Steps that do not hear the event before.
        """
        n, bars = len(z), events.shape[2] // STEPS_PER_BAR
        context = self.lead(z, bars)
        if self.listens:
            each = events.unflatten(2, (bars, STEPS_PER_BAR)).transpose(1, 2)[:, :-1]
            told = self.summary(each.flatten(0, 1)).unflatten(0, (n, bars - 1))
            told = F.pad(told, (0, 0, 1, 0))  # nothing comes before the first bar
            if deaf is not None:
                told = told.masked_fill(deaf[:, :, None], 0.0)
            context = torch.cat([context, told], dim=-1)
        context = context.flatten(0, 1)
        return [
            self.core(voice)(context, before.reshape(-1, STEPS_PER_BAR)).reshape(
                n, bars * STEPS_PER_BAR, -1
            )
            for voice, before in enumerate(self.before(events, unheard))
        ]

    def decode(self, z: Tensor, steps: int, pick: Pick) -> Tensor:
        """Write events [shape=(n, voices, steps)] from codes, bar by bar."""
        n, bars = len(z), steps // STEPS_PER_BAR
        led = self.lead(z, bars)
        last = [z.new_full((n,), start, dtype=torch.long) for start in self.silence]
        told = z.new_zeros((n, self.listens))
        written: list[Tensor] = []
        for number in range(bars):
            context = torch.cat([led[:, number], told], dim=-1)
            at = number * STEPS_PER_BAR
            bar = torch.stack(
                [
                    self.core(v).unroll(context, first, STEPS_PER_BAR, _of_voice(pick, v, at))[0]
                    for v, first in enumerate(last)
                ],
                dim=1,
            )
            last = list(bar[:, :, -1].unbind(dim=1))
            told = self.summary(bar) if self.listens else told
            written.append(bar)
        return torch.cat(written, dim=2)
