"""The attention cell against its equation, written out number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from melody_rnn.attention import Attention, AttentionCell

SIZE, HIDDEN, LENGTH = 5, 6, 4


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def literal(cell: AttentionCell, x: np.ndarray) -> np.ndarray:
    """Compute the outputs of one melody [shape=(steps, hidden)] from the equation alone.

        u_l = v^T tanh(W1 h_l + W2 c_i),   a = softmax(u),   h' = sum_l a_l h_l

    The input of the LSTM is linear([x_t, h'_(t-1)]), the output linear([LSTM output, h'_t]), and
    the output goes into the memory. The state c_i is memory and hidden part of the LSTM together.
    """
    w = {name: p.detach().double().numpy() for name, p in cell.named_parameters()}
    hidden = cell.hidden

    def linear(name: str, given: list[float], bias: bool = True) -> list[float]:
        rows = w[f"{name}.weight"]
        found = [sum(a * b for a, b in zip(row, given, strict=True)) for row in rows]
        return [a + b for a, b in zip(found, w[f"{name}.bias"], strict=True)] if bias else found

    memory = [[0.0] * hidden for _ in range(cell.length)]
    h, c, seen = [0.0] * hidden, [0.0] * hidden, [0.0] * hidden
    outputs = []
    for x_t in x:
        told = linear("take_in", [*x_t, *seen])
        gates = []
        for row in range(4 * hidden):
            gate = w["cell.bias_ih"][row] + w["cell.bias_hh"][row]
            gate += sum(w["cell.weight_ih"][row, j] * told[j] for j in range(len(told)))
            gate += sum(w["cell.weight_hh"][row, j] * h[j] for j in range(hidden))
            gates.append(gate)
        for j in range(hidden):
            enter, forget = sigmoid(gates[j]), sigmoid(gates[hidden + j])
            new, leave = np.tanh(gates[2 * hidden + j]), sigmoid(gates[3 * hidden + j])
            c[j] = forget * c[j] + enter * new
            h[j] = leave * np.tanh(c[j])
        asked = linear("query", [*c, *h])
        scores = []
        for one in memory:
            key = linear("key", one, bias=False)
            scores.append(sum(w["v"][j] * np.tanh(key[j] + asked[j]) for j in range(hidden)))
        weights = np.exp(scores) / np.exp(scores).sum()
        seen = [
            sum(a * one[j] for a, one in zip(weights, memory, strict=True)) for j in range(hidden)
        ]
        output = linear("give", [*h, *seen])
        memory = [*memory[1:], output]
        outputs.append(output)
    return np.array(outputs)


@pytest.fixture
def cell() -> AttentionCell:
    torch.manual_seed(3)
    made = AttentionCell(SIZE, HIDDEN, LENGTH)
    for parameter in made.parameters():  # far from linear, so that nothing cancels
        torch.nn.init.normal_(parameter)
    return made


def test_the_cell_is_the_equation(cell):
    x = np.random.default_rng(1).normal(size=(2, 3 * LENGTH, SIZE))
    found, _ = cell(torch.tensor(x, dtype=torch.float32))
    for row, one in zip(found.detach().numpy(), x, strict=True):
        np.testing.assert_allclose(row, literal(cell, one), atol=1e-5)


def test_the_state_carries_a_melody_over_a_cut(cell):
    x = torch.randn(2, 3 * LENGTH, SIZE)
    whole, _ = cell(x)
    first, state = cell(x[:, :5])
    kept = [one.clone() for one in state[2]]
    second, _ = cell(x[:, 5:], state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)
    # A state can be used again: the cell does not write into it.
    assert all(torch.equal(a, b) for a, b in zip(kept, state[2], strict=True))


def test_equal_memories_count_equally(cell):
    """With W2 = 0 and memories that look alike, each has a share of one in `LENGTH`."""
    torch.nn.init.zeros_(cell.query.weight)
    alike = cell.key(torch.randn(1, HIDDEN))
    zero = torch.zeros(1, HIDDEN)
    memory = [torch.randn(1, HIDDEN) for _ in range(LENGTH)]
    state = ((zero, zero), zero, memory, [alike] * LENGTH)
    _, (_, seen, _, _) = cell(torch.randn(1, 1, SIZE), state)
    torch.testing.assert_close(seen, torch.stack(memory).mean(dim=0))


def test_the_network_looks_back_40_steps_in_its_first_layer_only():
    network = Attention(hidden=8)
    assert isinstance(network.first, AttentionCell)
    assert isinstance(network.second, torch.nn.LSTM)
    assert network.first.length == 40
    assert network.first.take_in.out_features == 74
    assert network.out.out_features == 40
