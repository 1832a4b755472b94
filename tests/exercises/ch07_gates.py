# Wrong and right answers to solutions/ch07_gates.py. Data, never imported: each cell replaces one
# exercise cell, see bank_harness.py.
# ruff: noqa

# %% shows the memory without squashing it tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_c, a_o = np.split(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"], 3, axis=1)
    c = c_prev + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * c, c


# %% reads the blocks in the order i, o, proposal tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_o, a_c = np.split(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"], 3, axis=1)
    c = c_prev + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c), c


# %% adds to the memory in place tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_c, a_o = np.split(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"], 3, axis=1)
    c_prev += sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c_prev), c_prev


# %% a GRU-like mean instead of a sum tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_c, a_o = np.split(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"], 3, axis=1)
    i = sigmoid(a_i)
    c = (1 - i) * c_prev + i * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c), c


# %% forgets the bias tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_c, a_o = np.split(x @ params["W_x"] + h_prev @ params["W_h"], 3, axis=1)
    c = c_prev + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c), c


# %% returns c and h the other way round tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_c, a_o = np.split(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"], 3, axis=1)
    c = c_prev + sigmoid(a_i) * np.tanh(a_c)
    return c, sigmoid(a_o) * np.tanh(c)


# %% gates look at the memory instead of the state tags=["wrong", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    a_i, a_c, a_o = np.split(x @ params["W_x"] + c_prev @ params["W_h"] + params["b"], 3, axis=1)
    c = c_prev + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c), c


# %% one block at a time, with the concatenated input tags=["right", "id:simplified-lstm-step"]
def simplified_lstm_step(x, h_prev, c_prev, params):
    both = np.hstack([x, h_prev])
    W = np.vstack([params["W_x"], params["W_h"]])
    H = h_prev.shape[1]
    parts = [both @ W[:, k * H : (k + 1) * H] + params["b"][k * H : (k + 1) * H] for k in range(3)]
    gate = lambda a: 1 / (1 + np.exp(-a))
    c = np.add(c_prev, gate(parts[0]) * np.tanh(parts[1]))
    return np.tanh(c) * gate(parts[2]), c


# %% blocks in the order i, f, o, proposal tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    a_i, a_f, a_o, a_c = np.split(a, 4, axis=1)
    i, f, new, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_c), sigmoid(a_o)
    c = f * c_prev + i * new
    return o * np.tanh(c), c, np.concatenate([i, f, new, o], axis=1)


# %% input and forget gate exchanged tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    a_f, a_i, a_c, a_o = np.split(a, 4, axis=1)
    i, f, new, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_c), sigmoid(a_o)
    c = f * c_prev + i * new
    return o * np.tanh(c), c, np.concatenate([f, i, new, o], axis=1)


# %% returns the sums instead of the gates tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    a_i, a_f, a_c, a_o = np.split(a, 4, axis=1)
    c = sigmoid(a_f) * c_prev + sigmoid(a_i) * np.tanh(a_c)
    return sigmoid(a_o) * np.tanh(c), c, a


# %% the proposal through a sigmoid tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    gates = sigmoid(x @ params["W_x"] + h_prev @ params["W_h"] + params["b"])
    i, f, new, o = np.split(gates, 4, axis=1)
    c = f * c_prev + i * new
    return o * np.tanh(c), c, gates


# %% forgets the forget gate tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    a_i, a_f, a_c, a_o = np.split(a, 4, axis=1)
    i, f, new, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_c), sigmoid(a_o)
    c = c_prev + i * new
    return o * np.tanh(c), c, np.concatenate([i, f, new, o], axis=1)


# %% couples the gates as a GRU does tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    a_i, a_f, a_c, a_o = np.split(a, 4, axis=1)
    f, new, o = sigmoid(a_f), np.tanh(a_c), sigmoid(a_o)
    c = f * c_prev + (1 - f) * new
    return o * np.tanh(c), c, np.concatenate([1 - f, f, new, o], axis=1)


# %% splits along the batch tags=["wrong", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    a = x @ params["W_x"] + h_prev @ params["W_h"] + params["b"]
    i, f, new, o = a.reshape(4, *h_prev.shape)
    i, f, new, o = sigmoid(i), sigmoid(f), np.tanh(new), sigmoid(o)
    c = f * c_prev + i * new
    return o * np.tanh(c), c, np.concatenate([i, f, new, o], axis=1)


# %% reshaped to (B, 4, H) and written into one array tags=["right", "id:lstm-step"]
def lstm_step(x, h_prev, c_prev, params):
    B, H = h_prev.shape
    a = (np.concatenate([x, h_prev], 1) @ np.concatenate([params["W_x"], params["W_h"]])) + params["b"]
    q = np.empty((B, 4, H))
    a = a.reshape(B, 4, H)
    q[:, [0, 1, 3]] = sigmoid(a[:, [0, 1, 3]])
    q[:, 2] = np.tanh(a[:, 2])
    c = np.einsum("bh,bh->bh", q[:, 1], c_prev) + q[:, 0] * q[:, 2]
    return q[:, 3] * np.tanh(c), c, q.reshape(B, 4 * H)


# %% carries the memory but not the state tags=["wrong", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    c_t, steps = c0, []
    for t in range(x.shape[1]):
        h_t, c_t, gates = lstm_step(x[:, t], h0, c_t, params)
        steps.append((h_t, c_t, gates))
    return tuple(np.stack(parts, axis=1) for parts in zip(*steps))


# %% starts with zeros tags=["wrong", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    h_t, c_t, steps = np.zeros_like(h0), np.zeros_like(c0), []
    for t in range(x.shape[1]):
        h_t, c_t, gates = lstm_step(x[:, t], h_t, c_t, params)
        steps.append((h_t, c_t, gates))
    return tuple(np.stack(parts, axis=1) for parts in zip(*steps))


# %% time is the first axis tags=["wrong", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    h_t, c_t, steps = h0, c0, []
    for t in range(x.shape[1]):
        h_t, c_t, gates = lstm_step(x[:, t], h_t, c_t, params)
        steps.append((h_t, c_t, gates))
    return tuple(np.stack(parts) for parts in zip(*steps))


# %% reads the sequence from the right tags=["wrong", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    h_t, c_t, steps = h0, c0, []
    for t in reversed(range(x.shape[1])):
        h_t, c_t, gates = lstm_step(x[:, t], h_t, c_t, params)
        steps.insert(0, (h_t, c_t, gates))
    return tuple(np.stack(parts, axis=1) for parts in zip(*steps))


# %% exchanges state and memory at every step tags=["wrong", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    h_t, c_t, steps = h0, c0, []
    for t in range(x.shape[1]):
        new_h, new_c, gates = lstm_step(x[:, t], h_t, c_t, params)
        steps.append((new_h, new_c, gates))
        h_t, c_t = new_c, new_h
    return tuple(np.stack(parts, axis=1) for parts in zip(*steps))


# %% returns the last gates only tags=["wrong", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    h_t, c_t, h, c = h0, c0, [], []
    for t in range(x.shape[1]):
        h_t, c_t, gates = lstm_step(x[:, t], h_t, c_t, params)
        h.append(h_t)
        c.append(c_t)
    return np.stack(h, axis=1), np.stack(c, axis=1), gates


# %% inputs multiplied before the loop, filled into arrays tags=["right", "id:lstm-forward"]
def lstm_forward(x, h0, c0, params):
    B, T, _ = x.shape
    H = h0.shape[1]
    drive = np.einsum("btd,dg->btg", x, params["W_x"]) + params["b"]
    h, c, gates = np.zeros((B, T, H)), np.zeros((B, T, H)), np.zeros((B, T, 4 * H))
    state, memory = h0, c0
    for t in range(T):
        a = drive[:, t] + state @ params["W_h"]
        gates[:, t] = 1 / (1 + np.exp(-a))
        gates[:, t, 2 * H : 3 * H] = np.tanh(a[:, 2 * H : 3 * H])
        memory = gates[:, t, H : 2 * H] * memory + gates[:, t, :H] * gates[:, t, 2 * H : 3 * H]
        state = gates[:, t, 3 * H :] * np.tanh(memory)
        h[:, t], c[:, t] = state, memory
    return h, c, gates


# %% forgets what the state sends to the memory tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d_a = np.concatenate([d_c * new * i * (1 - i), d_c * c_prev * f * (1 - f),
                          d_c * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d_c * f, grads


# %% overwrites d_c instead of adding to it tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_h * o * (1 - np.tanh(c) ** 2)
    d_a = np.concatenate([d * new * i * (1 - i), d * c_prev * f * (1 - f),
                          d * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d * f, grads


# %% adds to d_c in place tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d_c += d_h * o * (1 - np.tanh(c) ** 2)
    d_a = np.concatenate([d_c * new * i * (1 - i), d_c * c_prev * f * (1 - f),
                          d_c * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d_c * f, grads


# %% slope 1 - c squared for 1 - tanh(c) squared tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_c + d_h * o * (1 - c**2)
    d_a = np.concatenate([d * new * i * (1 - i), d * c_prev * f * (1 - f),
                          d * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d * f, grads


# %% c for c_prev in the forget gate's gradient tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_a = np.concatenate([d * new * i * (1 - i), d * c * f * (1 - f),
                          d * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d * f, grads


# %% the memory passes without the forget gate tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_a = np.concatenate([d * new * i * (1 - i), d * c_prev * f * (1 - f),
                          d * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d, grads


# %% the output gate's error from the memory tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_a = np.concatenate([d * new * i * (1 - i), d * c_prev * f * (1 - f),
                          d * i * (1 - new**2), d * np.tanh(c) * o * (1 - o)], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d * f, grads


# %% a sigmoid's slope for the proposal tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_q = np.concatenate([d * new, d * c_prev, d * i, d_h * np.tanh(c)], axis=1)
    d_a = d_q * gates * (1 - gates)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b": d_a.sum(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d * f, grads


# %% mean over the batch tags=["wrong", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    i, f, new, o = np.split(gates, 4, axis=1)
    d = d_c + d_h * o * (1 - np.tanh(c) ** 2)
    d_a = np.concatenate([d * new * i * (1 - i), d * c_prev * f * (1 - f),
                          d * i * (1 - new**2), d_h * np.tanh(c) * o * (1 - o)], axis=1)
    B = len(x)
    grads = {"W_x": x.T @ d_a / B, "W_h": h_prev.T @ d_a / B, "b": d_a.mean(axis=0)}
    return d_a @ params["W_x"].T, d_a @ params["W_h"].T, d * f, grads


# %% slopes for all blocks at once, einsum for the weights tags=["right", "id:lstm-step-backward"]
def lstm_step_backward(d_h, d_c, x, h_prev, c_prev, c, gates, params):
    B, H = h_prev.shape
    q = gates.reshape(B, 4, H)
    slope = q * (1 - q)
    slope[:, 2] = (1 - q[:, 2]) * (1 + q[:, 2])
    squashed = np.tanh(c)
    d = d_h * q[:, 3] / np.cosh(c) ** 2 + d_c
    d_a = (np.stack([d * q[:, 2], d * c_prev, d * q[:, 0], d_h * squashed], 1) * slope).reshape(B, -1)
    grads = {
        "b": np.einsum("bg->g", d_a),
        "W_h": np.einsum("bh,bg->hg", h_prev, d_a),
        "W_x": np.einsum("bd,bg->dg", x, d_a),
    }
    return (
        np.einsum("bg,dg->bd", d_a, params["W_x"]),
        np.einsum("bg,hg->bh", d_a, params["W_h"]),
        d * q[:, 1],
        grads,
    )


# %% loses the memory's error between steps tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_next = np.zeros_like(x), np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in reversed(range(x.shape[1])):
        h_prev, c_prev = (h[:, t - 1], c[:, t - 1]) if t else (h0, c0)
        d_x[:, t], d_next, d_c0, step = lstm_step_backward(
            d_h[:, t] + d_next, np.zeros_like(c0), x[:, t], h_prev, c_prev, c[:, t], gates[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, d_c0, grads


# %% loses the state's error between steps tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_c = np.zeros_like(x), np.zeros_like(c0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in reversed(range(x.shape[1])):
        h_prev, c_prev = (h[:, t - 1], c[:, t - 1]) if t else (h0, c0)
        d_x[:, t], d_h0, d_c, step = lstm_step_backward(
            d_h[:, t], d_c, x[:, t], h_prev, c_prev, c[:, t], gates[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_h0, d_c, grads


# %% keeps the gradient of the first step only tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_next, d_c = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(c0)
    for t in reversed(range(x.shape[1])):
        h_prev, c_prev = (h[:, t - 1], c[:, t - 1]) if t else (h0, c0)
        d_x[:, t], d_next, d_c, grads = lstm_step_backward(
            d_h[:, t] + d_next, d_c, x[:, t], h_prev, c_prev, c[:, t], gates[:, t], params)
    return d_x, d_next, d_c, grads


# %% wraps around: the state before step 0 is the last one tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_next, d_c = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(c0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in reversed(range(x.shape[1])):
        d_x[:, t], d_next, d_c, step = lstm_step_backward(
            d_h[:, t] + d_next, d_c, x[:, t], h[:, t - 1], c[:, t - 1], c[:, t], gates[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, d_c, grads


# %% takes the state after the step for the one before tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_next, d_c = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(c0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in reversed(range(x.shape[1])):
        c_prev = c[:, t - 1] if t else c0
        d_x[:, t], d_next, d_c, step = lstm_step_backward(
            d_h[:, t] + d_next, d_c, x[:, t], h[:, t], c_prev, c[:, t], gates[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, d_c, grads


# %% walks forwards tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_next, d_c = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(c0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in range(x.shape[1]):
        h_prev, c_prev = (h[:, t - 1], c[:, t - 1]) if t else (h0, c0)
        d_x[:, t], d_next, d_c, step = lstm_step_backward(
            d_h[:, t] + d_next, d_c, x[:, t], h_prev, c_prev, c[:, t], gates[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, d_c, grads


# %% adds into d_h in place tags=["wrong", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    d_x, d_c = np.zeros_like(x), np.zeros_like(c0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_x", "W_h", "b")}
    for t in reversed(range(x.shape[1])):
        h_prev, c_prev = (h[:, t - 1], c[:, t - 1]) if t else (h0, c0)
        d_x[:, t], back, d_c, step = lstm_step_backward(
            d_h[:, t], d_c, x[:, t], h_prev, c_prev, c[:, t], gates[:, t], params)
        if t:
            d_h[:, t - 1] += back
        for key in grads:
            grads[key] += step[key]
    return d_x, back, d_c, grads


# %% errors of all steps first, one matrix product for the weights tags=["right", "id:lstm-backward"]
def lstm_backward(d_h, x, h0, c0, h, c, gates, params):
    B, T, H = h.shape
    past_h = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    past_c = np.concatenate([c0[:, None], c[:, :-1]], axis=1)
    i, f, new, o = np.split(gates, 4, axis=2)
    s = np.tanh(c)
    into = np.concatenate([new * i * (1 - i), past_c * f * (1 - f), i * (1 - new * new)], axis=2)
    d_a = np.zeros_like(gates)
    from_h, from_c = np.zeros((B, H)), np.zeros((B, H))
    for t in range(T - 1, -1, -1):
        total = d_h[:, t] + from_h
        memory = from_c + total * o[:, t] * (1 - s[:, t] ** 2)
        d_a[:, t, : 3 * H] = np.tile(memory, 3) * into[:, t]
        d_a[:, t, 3 * H :] = total * s[:, t] * o[:, t] * (1 - o[:, t])
        from_h, from_c = d_a[:, t] @ params["W_h"].T, memory * f[:, t]
    grads = {
        "W_x": np.tensordot(x, d_a, axes=((0, 1), (0, 1))),
        "W_h": np.tensordot(past_h, d_a, axes=((0, 1), (0, 1))),
        "b": d_a.sum(axis=(0, 1)),
    }
    return d_a @ params["W_x"].T, from_h, from_c, grads


# %% always resets before the matrix tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError("convention")
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    z = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    r = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    n = np.tanh(a[:, 2*H:] + (r * h_prev) @ W[:, 2*H:] + b[2*H:])
    s = z if z_is == "new" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% leaves the recurrent bias outside the reset gate tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError("convention")
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    z = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    r = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    q = (r * h_prev) @ W[:, 2*H:] if reset == "before" else r * (h_prev @ W[:, 2*H:])
    n = np.tanh(a[:, 2*H:] + q + b[2*H:])
    s = z if z_is == "new" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% reads z the other way round tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError("convention")
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    z = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    r = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    q = (r * h_prev) @ W[:, 2*H:] + b[2*H:] if reset == "before" else r * (h_prev @ W[:, 2*H:] + b[2*H:])
    n = np.tanh(a[:, 2*H:] + q)
    s = z if z_is == "kept" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% blocks in the order r, z, n tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError("convention")
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    r = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    z = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    q = (r * h_prev) @ W[:, 2*H:] + b[2*H:] if reset == "before" else r * (h_prev @ W[:, 2*H:] + b[2*H:])
    n = np.tanh(a[:, 2*H:] + q)
    s = z if z_is == "new" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% a misspelt convention chooses one tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    z = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    r = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    q = (r * h_prev) @ W[:, 2*H:] + b[2*H:] if reset == "before" else r * (h_prev @ W[:, 2*H:] + b[2*H:])
    n = np.tanh(a[:, 2*H:] + q)
    s = z if z_is == "new" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% the reset gate applied to the whole sum tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError("convention")
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    z = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    r = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    if reset == "before":
        n = np.tanh(a[:, 2*H:] + (r * h_prev) @ W[:, 2*H:] + b[2*H:])
    else:
        n = np.tanh(r * (a[:, 2*H:] + h_prev @ W[:, 2*H:] + b[2*H:]))
    s = z if z_is == "new" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% update gate in place of the reset gate tags=["wrong", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    if reset not in ("before", "after") or z_is not in ("new", "kept"):
        raise ValueError("convention")
    H = h_prev.shape[1]
    a = x @ params["W_x"] + params["b_x"]
    W, b = params["W_h"], params["b_h"]
    z = sigmoid(a[:, :H] + h_prev @ W[:, :H] + b[:H])
    r = sigmoid(a[:, H:2*H] + h_prev @ W[:, H:2*H] + b[H:2*H])
    q = (z * h_prev) @ W[:, 2*H:] + b[2*H:] if reset == "before" else z * (h_prev @ W[:, 2*H:] + b[2*H:])
    n = np.tanh(a[:, 2*H:] + q)
    s = z if z_is == "new" else 1 - z
    return (1 - s) * h_prev + s * n, np.concatenate([z, r, n], axis=1)


# %% blocks split into dicts, the mean written as a correction tags=["right", "id:gru-step"]
def gru_step(x, h_prev, params, reset, z_is):
    places = {"before": 0, "after": 1}
    signs = {"new": 1.0, "kept": -1.0}
    if reset not in places or z_is not in signs:
        raise ValueError((reset, z_is))
    from_x = dict(zip("zrn", np.split(x @ params["W_x"] + params["b_x"], 3, axis=1)))
    W = dict(zip("zrn", np.split(params["W_h"], 3, axis=1)))
    b = dict(zip("zrn", np.split(params["b_h"], 3)))
    r = sigmoid(from_x["r"] + h_prev @ W["r"] + b["r"])
    a_z = from_x["z"] + h_prev @ W["z"] + b["z"]
    if places[reset]:
        n = np.tanh(from_x["n"] + (h_prev @ W["n"] + b["n"]) * r)
    else:
        n = np.tanh(from_x["n"] + np.einsum("bi,bi,ij->bj", r, h_prev, W["n"]) + b["n"])
    share = sigmoid(signs[z_is] * a_z)
    return h_prev + share * (n - h_prev), np.hstack([sigmoid(a_z), r, n])


# %% every step starts from h0 tags=["wrong", "id:gru-forward"]
def gru_forward(x, h0, params, reset, z_is):
    steps = [gru_step(x[:, t], h0, params, reset, z_is) for t in range(x.shape[1])]
    return np.stack([s[0] for s in steps], axis=1), np.stack([s[1] for s in steps], axis=1)


# %% starts from zeros tags=["wrong", "id:gru-forward"]
def gru_forward(x, h0, params, reset, z_is):
    h_t, h, gates = np.zeros_like(h0), [], []
    for t in range(x.shape[1]):
        h_t, g = gru_step(x[:, t], h_t, params, reset, z_is)
        h.append(h_t)
        gates.append(g)
    return np.stack(h, axis=1), np.stack(gates, axis=1)


# %% ignores the conventions asked for tags=["wrong", "id:gru-forward"]
def gru_forward(x, h0, params, reset, z_is):
    h_t, h, gates = h0, [], []
    for t in range(x.shape[1]):
        h_t, g = gru_step(x[:, t], h_t, params, "before", "new")
        h.append(h_t)
        gates.append(g)
    return np.stack(h, axis=1), np.stack(gates, axis=1)


# %% time is the first axis tags=["wrong", "id:gru-forward"]
def gru_forward(x, h0, params, reset, z_is):
    h_t, h, gates = h0, [], []
    for t in range(x.shape[1]):
        h_t, g = gru_step(x[:, t], h_t, params, reset, z_is)
        h.append(h_t)
        gates.append(g)
    return np.array(h), np.array(gates)


# %% swaps the two conventions' arguments tags=["wrong", "id:gru-forward"]
def gru_forward(x, h0, params, reset, z_is):
    h_t, h, gates = h0, [], []
    other = {"new": "kept", "kept": "new"}[z_is]
    for t in range(x.shape[1]):
        h_t, g = gru_step(x[:, t], h_t, params, reset, other)
        h.append(h_t)
        gates.append(g)
    return np.stack(h, axis=1), np.stack(gates, axis=1)


# %% filled into arrays over the time axis tags=["right", "id:gru-forward"]
def gru_forward(x, h0, params, reset, z_is):
    B, T, _ = x.shape
    H = h0.shape[1]
    h, gates = np.empty((B, T + 1, H)), np.empty((B, T, 3 * H))
    h[:, 0] = h0
    for t, x_t in enumerate(x.swapaxes(0, 1)):
        h[:, t + 1], gates[:, t] = gru_step(x_t, h[:, t], params, reset, z_is)
    return h[:, 1:], gates


# %% the update gate's sign ignores the convention tags=["wrong", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    H = h_prev.shape[1]
    W_n, b_n = params["W_h"][:, 2*H:], params["b_h"][2*H:]
    z, r, n = np.split(gates, 3, axis=1)
    s = z if z_is == "new" else 1 - z
    d_z, d_n = d_h * (n - h_prev), d_h * s * (1 - n**2)
    if reset == "before":
        u = d_n @ W_n.T
        d_r, to_h, g_W, g_b = u * h_prev, u * r, (r * h_prev).T @ d_n, d_n
    else:
        v = d_n * r
        d_r, to_h, g_W, g_b = d_n * (h_prev @ W_n + b_n), v @ W_n.T, h_prev.T @ v, v
    zr = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r)], axis=1)
    d_a = np.concatenate([zr, d_n], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": np.concatenate([h_prev.T @ zr, g_W], axis=1),
             "b_x": d_a.sum(0), "b_h": np.concatenate([zr, g_b], axis=1).sum(0)}
    return d_a @ params["W_x"].T, d_h * (1 - s) + to_h + zr @ params["W_h"][:, :2*H].T, grads


# %% forgets the share that was kept tags=["wrong", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    H = h_prev.shape[1]
    W_n, b_n = params["W_h"][:, 2*H:], params["b_h"][2*H:]
    z, r, n = np.split(gates, 3, axis=1)
    s = z if z_is == "new" else 1 - z
    d_z, d_n = d_h * (n - h_prev) * (1 if z_is == "new" else -1), d_h * s * (1 - n**2)
    if reset == "before":
        u = d_n @ W_n.T
        d_r, to_h, g_W, g_b = u * h_prev, u * r, (r * h_prev).T @ d_n, d_n
    else:
        v = d_n * r
        d_r, to_h, g_W, g_b = d_n * (h_prev @ W_n + b_n), v @ W_n.T, h_prev.T @ v, v
    zr = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r)], axis=1)
    d_a = np.concatenate([zr, d_n], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": np.concatenate([h_prev.T @ zr, g_W], axis=1),
             "b_x": d_a.sum(0), "b_h": np.concatenate([zr, g_b], axis=1).sum(0)}
    return d_a @ params["W_x"].T, to_h + zr @ params["W_h"][:, :2*H].T, grads


# %% one matrix product for all blocks, right only without a reset tags=["wrong", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    H = h_prev.shape[1]
    W_n, b_n = params["W_h"][:, 2*H:], params["b_h"][2*H:]
    z, r, n = np.split(gates, 3, axis=1)
    s = z if z_is == "new" else 1 - z
    d_z, d_n = d_h * (n - h_prev) * (1 if z_is == "new" else -1), d_h * s * (1 - n**2)
    d_r = (d_n @ W_n.T) * h_prev if reset == "before" else d_n * (h_prev @ W_n + b_n)
    d_a = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r), d_n], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": h_prev.T @ d_a, "b_x": d_a.sum(0), "b_h": d_a.sum(0)}
    return d_a @ params["W_x"].T, d_h * (1 - s) + d_a @ params["W_h"].T, grads


# %% the bias inside the reset gate is treated as if outside tags=["wrong", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    H = h_prev.shape[1]
    W_n = params["W_h"][:, 2*H:]
    z, r, n = np.split(gates, 3, axis=1)
    s = z if z_is == "new" else 1 - z
    d_z, d_n = d_h * (n - h_prev) * (1 if z_is == "new" else -1), d_h * s * (1 - n**2)
    if reset == "before":
        u = d_n @ W_n.T
        d_r, to_h, g_W = u * h_prev, u * r, (r * h_prev).T @ d_n
    else:
        v = d_n * r
        d_r, to_h, g_W = d_n * (h_prev @ W_n), v @ W_n.T, h_prev.T @ v
    zr = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r)], axis=1)
    d_a = np.concatenate([zr, d_n], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": np.concatenate([h_prev.T @ zr, g_W], axis=1),
             "b_x": d_a.sum(0), "b_h": d_a.sum(0)}
    return d_a @ params["W_x"].T, d_h * (1 - s) + to_h + zr @ params["W_h"][:, :2*H].T, grads


# %% goes back only through the proposal and the mean tags=["wrong", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    H = h_prev.shape[1]
    W_n, b_n = params["W_h"][:, 2*H:], params["b_h"][2*H:]
    z, r, n = np.split(gates, 3, axis=1)
    s = z if z_is == "new" else 1 - z
    d_z, d_n = d_h * (n - h_prev) * (1 if z_is == "new" else -1), d_h * s * (1 - n**2)
    if reset == "before":
        u = d_n @ W_n.T
        d_r, to_h, g_W, g_b = u * h_prev, u * r, (r * h_prev).T @ d_n, d_n
    else:
        v = d_n * r
        d_r, to_h, g_W, g_b = d_n * (h_prev @ W_n + b_n), v @ W_n.T, h_prev.T @ v, v
    zr = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r)], axis=1)
    d_a = np.concatenate([zr, d_n], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": np.concatenate([h_prev.T @ zr, g_W], axis=1),
             "b_x": d_a.sum(0), "b_h": np.concatenate([zr, g_b], axis=1).sum(0)}
    return d_a @ params["W_x"].T, d_h * (1 - s) + to_h, grads


# %% n in place of n - h_prev tags=["wrong", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    H = h_prev.shape[1]
    W_n, b_n = params["W_h"][:, 2*H:], params["b_h"][2*H:]
    z, r, n = np.split(gates, 3, axis=1)
    s = z if z_is == "new" else 1 - z
    d_z, d_n = d_h * n * (1 if z_is == "new" else -1), d_h * s * (1 - n**2)
    if reset == "before":
        u = d_n @ W_n.T
        d_r, to_h, g_W, g_b = u * h_prev, u * r, (r * h_prev).T @ d_n, d_n
    else:
        v = d_n * r
        d_r, to_h, g_W, g_b = d_n * (h_prev @ W_n + b_n), v @ W_n.T, h_prev.T @ v, v
    zr = np.concatenate([d_z * z * (1 - z), d_r * r * (1 - r)], axis=1)
    d_a = np.concatenate([zr, d_n], axis=1)
    grads = {"W_x": x.T @ d_a, "W_h": np.concatenate([h_prev.T @ zr, g_W], axis=1),
             "b_x": d_a.sum(0), "b_h": np.concatenate([zr, g_b], axis=1).sum(0)}
    return d_a @ params["W_x"].T, d_h * (1 - s) + to_h + zr @ params["W_h"][:, :2*H].T, grads


# %% gradients collected per block in dicts tags=["right", "id:gru-step-backward"]
def gru_step_backward(d_h, x, h_prev, gates, params, reset, z_is):
    W = dict(zip("zrn", np.split(params["W_h"], 3, axis=1)))
    b = dict(zip("zrn", np.split(params["b_h"], 3)))
    q = dict(zip("zrn", np.split(gates, 3, axis=1)))
    sign = {"new": 1, "kept": -1}[z_is]
    share = q["z"] if sign == 1 else 1 - q["z"]
    e = {"n": d_h * share * (1 + q["n"]) * (1 - q["n"])}
    e["z"] = sign * d_h * (q["n"] - h_prev) * q["z"] * (1 - q["z"])
    read = {"z": h_prev, "r": h_prev, "n": q["r"] * h_prev if reset == "before" else h_prev}
    inner = {"n": e["n"] if reset == "before" else e["n"] * q["r"]}
    back = np.einsum("bk,jk->bj", inner["n"], W["n"])
    if reset == "before":
        d_r, back = back * h_prev, back * q["r"]
    else:
        d_r = e["n"] * (h_prev @ W["n"] + b["n"])
    e["r"] = d_r * q["r"] * (1 - q["r"])
    inner |= {"z": e["z"], "r": e["r"]}
    d_h_prev = d_h - d_h * share + back + e["z"] @ W["z"].T + e["r"] @ W["r"].T
    grads = {
        "W_x": np.hstack([x.T @ e[k] for k in "zrn"]),
        "W_h": np.hstack([read[k].T @ inner[k] for k in "zrn"]),
        "b_x": np.hstack([e[k].sum(0) for k in "zrn"]),
        "b_h": np.hstack([inner[k].sum(0) for k in "zrn"]),
    }
    return np.hstack([e[k] for k in "zrn"]) @ params["W_x"].T, d_h_prev, grads


# %% forgets to move the blocks tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError("convention")
    sign = -1 if z_is == "new" else 1
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    out = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        out[theirs] = np.concatenate([sign * z, r, n], axis=-1).T.copy()
    return out


# %% forgets the sign of z tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError("convention")
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    out = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        out[theirs] = np.concatenate([r, z, n], axis=-1).T.copy()
    return out


# %% changes the sign of the weights but not of the biases tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError("convention")
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    out = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        sign = -1 if z_is == "new" and ours.startswith("W") else 1
        out[theirs] = np.concatenate([r, sign * z, n], axis=-1).T.copy()
    return out


# %% converts what cannot be converted tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    sign = -1 if z_is == "new" else 1
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    out = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        out[theirs] = np.concatenate([r, sign * z, n], axis=-1).T.copy()
    return out


# %% flips the sign in place tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError("convention")
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    out = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        if z_is == "new":
            z *= -1
        out[theirs] = np.concatenate([r, z, n], axis=-1).T.copy()
    return out


# %% reverses all three signs tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError("convention")
    sign = -1 if z_is == "new" else 1
    names = {"W_x": "weight_ih_l0", "W_h": "weight_hh_l0", "b_x": "bias_ih_l0", "b_h": "bias_hh_l0"}
    out = {}
    for ours, theirs in names.items():
        z, r, n = np.split(params[ours], 3, axis=-1)
        out[theirs] = sign * np.concatenate([r, z, n], axis=-1).T
    return out


# %% merges both biases into one tags=["wrong", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after" or z_is not in ("new", "kept"):
        raise ValueError("convention")
    sign = -1 if z_is == "new" else 1
    move = lambda v: np.concatenate([np.split(v, 3, -1)[1], sign * np.split(v, 3, -1)[0], np.split(v, 3, -1)[2]], -1)
    both = move(params["b_x"]) + move(params["b_h"])
    return {"weight_ih_l0": move(params["W_x"]).T.copy(), "weight_hh_l0": move(params["W_h"]).T.copy(),
            "bias_ih_l0": both, "bias_hh_l0": 0 * both}


# %% by an index of columns and a vector of signs tags=["right", "id:convert-gru-weights"]
def convert_gru_weights(params, reset, z_is):
    if reset != "after":
        raise ValueError("the reset gate acts before the matrix: another function")
    if z_is not in {"new", "kept"}:
        raise ValueError(z_is)
    H = params["W_h"].shape[0]
    take = np.r_[H : 2 * H, 0:H, 2 * H : 3 * H]
    sign = np.ones(3 * H)
    if z_is == "new":
        sign[H : 2 * H] = -1
    out = {}
    for kind, letter in (("ih", "x"), ("hh", "h")):
        out[f"weight_{kind}_l0"] = (params[f"W_{letter}"][:, take] * sign).T
        out[f"bias_{kind}_l0"] = params[f"b_{letter}"][take] * sign
    return out


# %% the upper layers read the input tags=["wrong", "id:count-parameters"]
def count_parameters(cell, D, H, layers=1, biases=1, bidirectional=False):
    blocks = {"rnn": 1, "gru": 3, "simplified-lstm": 3, "lstm": 4}
    if cell not in blocks:
        raise ValueError(cell)
    return (2 if bidirectional else 1) * layers * blocks[cell] * (D * H + H * H + biases * H)


# %% the simplified LSTM counted with four blocks tags=["wrong", "id:count-parameters"]
def count_parameters(cell, D, H, layers=1, biases=1, bidirectional=False):
    blocks = {"rnn": 1, "gru": 3, "simplified-lstm": 4, "lstm": 4}
    if cell not in blocks:
        raise ValueError(cell)
    d, total = (2 if bidirectional else 1), 0
    for _ in range(layers):
        total += d * blocks[cell] * (D * H + H * H + biases * H)
        D = d * H
    return total


# %% the upper layers read one direction only tags=["wrong", "id:count-parameters"]
def count_parameters(cell, D, H, layers=1, biases=1, bidirectional=False):
    blocks = {"rnn": 1, "gru": 3, "simplified-lstm": 3, "lstm": 4}
    if cell not in blocks:
        raise ValueError(cell)
    d, total = (2 if bidirectional else 1), 0
    for _ in range(layers):
        total += d * blocks[cell] * (D * H + H * H + biases * H)
        D = H
    return total


# %% always two biases tags=["wrong", "id:count-parameters"]
def count_parameters(cell, D, H, layers=1, biases=1, bidirectional=False):
    blocks = {"rnn": 1, "gru": 3, "simplified-lstm": 3, "lstm": 4}
    if cell not in blocks:
        raise ValueError(cell)
    d, total = (2 if bidirectional else 1), 0
    for _ in range(layers):
        total += d * blocks[cell] * (D * H + H * H + 2 * H)
        D = d * H
    return total


# %% an unknown cell counts as an RNN tags=["wrong", "id:count-parameters"]
def count_parameters(cell, D, H, layers=1, biases=1, bidirectional=False):
    blocks = {"gru": 3, "simplified-lstm": 3, "lstm": 4}
    d, total = (2 if bidirectional else 1), 0
    for _ in range(layers):
        total += d * blocks.get(cell, 1) * (D * H + H * H + biases * H)
        D = d * H
    return total


# %% first layer and the rest in closed form tags=["right", "id:count-parameters"]
def count_parameters(cell, D, H, layers=1, biases=1, bidirectional=False):
    try:
        k = dict(rnn=1, gru=3, lstm=4, **{"simplified-lstm": 3})[cell]
    except KeyError:
        raise ValueError(f"unknown cell {cell}") from None
    d = 1 + bool(bidirectional)
    upper = (layers - 1) * (d * H + H + biases) * H
    return d * k * ((D + H + biases) * H + upper)


# %% the output gate half open, k as if it were open tags=["wrong", "id:adding-by-hand"]
def adding_by_hand():
    W_x = np.array([[0.0, 0.0, 0.01, 0.0], [40.0, 0.0, 0.0, 0.0]])
    return {"W_x": W_x, "W_h": np.zeros((1, 4)), "b": np.array([-20.0, 20.0, 0.0, 0.0])}, 100.0


# %% the forget gate leaks tags=["wrong", "id:adding-by-hand"]
def adding_by_hand():
    W_x = np.array([[0.0, 0.0, 0.01, 0.0], [40.0, 0.0, 0.0, 0.0]])
    return {"W_x": W_x, "W_h": np.zeros((1, 4)), "b": np.array([-20.0, 3.0, 0.0, 20.0])}, 100.0


# %% outside the linear range of the tanh tags=["wrong", "id:adding-by-hand"]
def adding_by_hand():
    W_x = np.array([[0.0, 0.0, 1.0, 0.0], [40.0, 0.0, 0.0, 0.0]])
    return {"W_x": W_x, "W_h": np.zeros((1, 4)), "b": np.array([-20.0, 20.0, 0.0, 20.0])}, 1.0


# %% the input gate does not close tags=["wrong", "id:adding-by-hand"]
def adding_by_hand():
    W_x = np.array([[0.0, 0.0, 0.01, 0.0], [10.0, 0.0, 0.0, 0.0]])
    return {"W_x": W_x, "W_h": np.zeros((1, 4)), "b": np.array([-5.0, 20.0, 0.0, 20.0])}, 100.0


# %% an output gate left at one half, k doubled tags=["right", "id:adding-by-hand"]
def adding_by_hand():
    W_x = np.zeros((2, 4))
    W_x[0, 2], W_x[1, 0] = 5e-3, 60.0
    b = np.zeros(4)
    b[:2] = -30.0, 25.0
    return dict(W_x=W_x, W_h=np.zeros((1, 4)), b=b), 2 / 5e-3
