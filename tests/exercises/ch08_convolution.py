# Wrong and right answers to solutions/ch08_convolution.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% taps in reverse order tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    return sum(x[:, j : j + places] @ W[k - 1 - j] for j in range(k)) + b


# %% forgets the bias tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    return sum(x[:, j : j + places] @ W[j] for j in range(k))


# %% adds the bias at every tap tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    return sum(x[:, j : j + places] @ W[j] + b for j in range(k))


# %% one place too few tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0]
    if places < 0:
        raise ValueError("too short")
    return sum(x[:, j : j + places] @ W[j] for j in range(k)) + b


# %% no error for a short sequence tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    return sum(x[:, j : j + places] @ W[j] for j in range(k)) + b


# %% keeps only the last tap tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    for j in range(k):
        y = x[:, j : j + places] @ W[j]
    return y + b


# %% slides over the batch tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    return sum(x[j : j + places] @ W[j] for j in range(k)) + b


# %% cuts the graph tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    y = torch.zeros(x.shape[0], places, W.shape[2], dtype=x.dtype, device=x.device)
    for j in range(k):
        y += (x[:, j : j + places] @ W[j]).detach()
    return y + b


# %% always float32 tags=["wrong", "id:conv1d"]
def conv1d(x, W, b):
    k, places = W.shape[0], x.shape[1] - W.shape[0] + 1
    if places < 1:
        raise ValueError("too short")
    y = torch.zeros(x.shape[0], places, W.shape[2])
    for j in range(k):
        y = y + (x[:, j : j + places] @ W[j]).float()
    return y + b.float()


# %% windows with unfold and einsum tags=["right", "id:conv1d"]
def conv1d(x, W, b):
    if x.size(1) < len(W):
        raise ValueError(f"T={x.size(1)} is shorter than k={len(W)}")
    return torch.einsum("btdk,kdh->bth", x.unfold(1, len(W), 1), W) + b


# %% one window at a time, joined into one long row tags=["right", "id:conv1d"]
def conv1d(x, W, b):
    k, D, H = W.shape
    T = x.shape[1]
    if k > T:
        raise ValueError("window")
    rows = [x[:, t : t + k].reshape(-1, k * D) @ W.reshape(k * D, H) for t in range(T - k + 1)]
    return torch.stack(rows, dim=1) + b[None, None]


# %% pads behind and looks ahead tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    padded = torch.cat([x, x.new_zeros(B, (k - 1) * dilation, D)], dim=1)
    return sum(padded[:, j * dilation : j * dilation + T] @ W[j] for j in range(k)) + b


# %% pads on both sides tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    left = (k - 1) * dilation // 2
    right = (k - 1) * dilation - left
    padded = torch.cat([x.new_zeros(B, left, D), x, x.new_zeros(B, right, D)], dim=1)
    return sum(padded[:, j * dilation : j * dilation + T] @ W[j] for j in range(k)) + b


# %% taps in reverse order tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    padded = torch.cat([x.new_zeros(B, (k - 1) * dilation, D), x], dim=1)
    return sum(padded[:, j * dilation : j * dilation + T] @ W[k - 1 - j] for j in range(k)) + b


# %% ignores the dilation tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    padded = torch.cat([x.new_zeros(B, k - 1, D), x], dim=1)
    return sum(padded[:, j : j + T] @ W[j] for j in range(k)) + b


# %% pads k - 1 steps whatever the dilation tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    padded = torch.cat([x.new_zeros(B, k - 1, D), x], dim=1)
    places = T - (k - 1) * (dilation - 1)
    return sum(padded[:, j * dilation : j * dilation + places] @ W[j] for j in range(k)) + b


# %% goes round the end with roll tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    k = W.shape[0]
    return sum(x.roll(i * dilation, dims=1) @ W[k - 1 - i] for i in range(k)) + b


# %% repeats the first step before the start tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    T, k = x.shape[1], W.shape[0]
    steps = torch.arange(T, device=x.device)
    y = b
    for i in range(k):
        y = y + x[:, (steps - i * dilation).clamp(min=0)] @ W[k - 1 - i]
    return y


# %% zeros in float64 whatever the input tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    zeros = torch.zeros(B, (k - 1) * dilation, D, dtype=torch.float64)
    padded = torch.cat([zeros, x], dim=1)
    return sum(padded[:, j * dilation : j * dilation + T] @ W[j].double() for j in range(k)) + b


# %% breaks when the sequence is shorter than the reach tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation")
    (B, T, D), k = x.shape, W.shape[0]
    y = x @ W[-1] + b
    for i in range(1, k):
        lag = i * dilation
        shifted = torch.cat([x.new_zeros(B, lag, D), x[:, :-lag]], dim=1)
        y = y + shifted @ W[k - 1 - i]
    return y


# %% silent about a dilation of zero tags=["wrong", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    (B, T, D), k = x.shape, W.shape[0]
    padded = torch.cat([x.new_zeros(B, (k - 1) * dilation, D), x], dim=1)
    return sum(padded[:, j * dilation : j * dilation + T] @ W[j] for j in range(k)) + b


# %% writes the shifted products into place tags=["right", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if not dilation >= 1:
        raise ValueError(dilation)
    k, _, H = W.shape
    B, T, _ = x.shape
    y = b.expand(B, T, H).clone()
    for i in range(k):
        lag = i * dilation
        if lag < T:
            y[:, lag:] += x[:, : T - lag] @ W[k - 1 - i]
    return y


# %% part 1 on a window with zeros between its taps tags=["right", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation < 1:
        raise ValueError("dilation must be positive")
    k, D, H = W.shape
    wide = W.new_zeros((k - 1) * dilation + 1, D, H)
    wide[::dilation] = W
    front = torch.zeros_like(x[:, :1]).expand(-1, len(wide) - 1, -1)
    windows = torch.cat([front, x], dim=1).unfold(1, len(wide), 1)
    return torch.einsum("btdk,kdh->bth", windows, wide) + b


# %% a big lower-triangular matrix over time tags=["right", "id:causal-conv1d"]
def causal_conv1d(x, W, b, dilation=1):
    if dilation <= 0:
        raise ValueError("dilation")
    T, k, y = x.shape[1], W.shape[0], b
    for i in range(k):
        shift = torch.eye(T, dtype=x.dtype, device=x.device)
        lag = min(i * dilation, T)
        shift = torch.cat([shift.new_zeros(lag, T), shift[: T - lag]])
        y = y + torch.einsum("ts,bsd,dh->bth", shift, x, W[-1 - i])
    return y


# %% the history, without the present tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return (k - 1) * sum(dilations)


# %% k times the dilations tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return 1 + k * sum(dilations)


# %% the last layer only tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return 1 + (k - 1) * max(dilations, default=0)


# %% takes doubling for granted tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return 1 + (k - 1) * (2 ** len(dilations) - 1)


# %% counts two convolutions for each entry tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return 1 + 2 * (k - 1) * sum(dilations)


# %% equal dilations once tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return 1 + (k - 1) * sum(set(dilations))


# %% counts the present at every layer tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    return sum((k - 1) * d + 1 for d in dilations) or 1


# %% checks nothing tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    return 1 + (k - 1) * sum(dilations)


# %% empties the list of dilations tags=["wrong", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1 or any(d < 1 for d in dilations):
        raise ValueError("too small")
    field, dilations = 1, dilations if isinstance(dilations, list) else list(dilations)
    while dilations:
        field += (k - 1) * dilations.pop()
    return field


# %% layer by layer tags=["right", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if k < 1:
        raise ValueError("k")
    oldest = 0
    for d in dilations:
        if d < 1:
            raise ValueError("dilation")
        oldest -= (k - 1) * d
    return 1 - oldest


# %% with sets of lags tags=["right", "id:dilated-receptive-field"]
def dilated_receptive_field(k, dilations):
    if min([k, *dilations]) < 1:
        raise ValueError("at least 1")
    lags = {0}
    for d in dilations:
        lags = {lag + i * d for lag in lags for i in range(k)}
    return max(lags) + 1


# %% rounds the logarithm down tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    import math

    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    if T == 1:
        return 0
    if base == 1:
        return (T - 1) // (convs * (k - 1))
    return math.floor(math.log(1 + (T - 1) * (base - 1) / (convs * (k - 1)), base))


# %% rounds a floating-point logarithm up tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    import math

    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    if T == 1:
        return 0
    if base == 1:
        return math.ceil((T - 1) / (convs * (k - 1)))
    return math.ceil(math.log(1 + (T - 1) * (base - 1) / (convs * (k - 1)), base))


# %% one convolution a level whatever convs says tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    L, R = 0, 1
    while R < T:
        R += (k - 1) * base**L
        L += 1
    return L


# %% wants a field greater than T tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    L, R = 0, 1
    while R <= T and k > 1:
        R += convs * (k - 1) * base**L
        L += 1
    return L


# %% forgets the present tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    L, R = 0, 0
    while R < T and k > 1:
        R += convs * (k - 1) * base**L
        L += 1
    return L


# %% only the last level counts tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    L = 0
    while L < 80 and (1 + convs * (k - 1) * base ** (L - 1) if L else 1) < T:
        L += 1
    return L


# %% base fixed at 2 tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if min(T, k, base, convs) < 1 or (k == 1 and T > 1):
        raise ValueError("never")
    L = 0
    while 1 + convs * (k - 1) * (2**L - 1) < T:
        L += 1
    return L


# %% never returns for windows of one step tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    L, R = 0, 1
    while R < T:
        R += convs * (k - 1) * base**L
        L += 1
    return L


# %% refuses k = 1 always tags=["wrong", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if T < 1 or k < 2 or base < 1 or convs < 1:
        raise ValueError("never")
    L, R = 0, 1
    while R < T:
        R += convs * (k - 1) * base**L
        L += 1
    return L


# %% by the field of part 3 tags=["right", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if T < 1 or k < 1 or base < 1 or convs < 1:
        raise ValueError("at least 1")
    if T == 1:
        return 0
    if k == 1:
        raise ValueError("a window of one step sees the present only")
    for L in range(T + 1):
        if dilated_receptive_field(k, [base**n for n in range(L)] * convs) >= T:
            return L


# %% by recursion on what is still missing tags=["right", "id:layers-needed"]
def layers_needed(T, k, base=2, convs=2):
    if not all(n >= 1 for n in (T, k, base, convs)):
        raise ValueError("arguments")

    def more(missing, step):
        return 0 if missing <= 0 else 1 + more(missing - step, step * base)

    if k == 1:
        if T > 1:
            raise ValueError("k = 1")
        return 0
    return more(T - 1, convs * (k - 1))


# %% filter and gate exchanged tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    g = causal_conv1d(x, params["W_g"], params["b_g"], dilation)
    return torch.sigmoid(f) * torch.tanh(g)


# %% adds where it should multiply tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    g = causal_conv1d(x, params["W_g"], params["b_g"], dilation)
    return torch.tanh(f) + torch.sigmoid(g)


# %% the same weights twice tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    return torch.tanh(f) * torch.sigmoid(f)


# %% forgets the dilation tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"])
    g = causal_conv1d(x, params["W_g"], params["b_g"])
    return torch.tanh(f) * torch.sigmoid(g)


# %% dilates the filter only tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    g = causal_conv1d(x, params["W_g"], params["b_g"])
    return torch.tanh(f) * torch.sigmoid(g)


# %% a linear unit under the gate tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    g = causal_conv1d(x, params["W_g"], params["b_g"], dilation)
    return f * torch.sigmoid(g)


# %% sigmoid typed as its formula tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = causal_conv1d(x, params["W_f"], params["b_f"], dilation)
    g = causal_conv1d(x, params["W_g"], params["b_g"], dilation)
    return torch.tanh(f) * (1 / (1 + torch.exp(-g)))


# %% mixes like a GRU tags=["wrong", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f = torch.tanh(causal_conv1d(x, params["W_f"], params["b_f"], dilation))
    g = torch.sigmoid(causal_conv1d(x, params["W_g"], params["b_g"], dilation))
    return g * f + (1 - g) * x


# %% both convolutions in one, then split tags=["right", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    W = torch.cat([params["W_f"], params["W_g"]], dim=2)
    b = torch.cat([params["b_f"], params["b_g"]])
    f, g = causal_conv1d(x, W, b, dilation).chunk(2, dim=-1)
    return f.tanh() * g.sigmoid()


# %% the gate as a tanh tags=["right", "id:wavenet-gate"]
def wavenet_gate(x, params, dilation=1):
    f, g = (causal_conv1d(x, params["W_" + n], params["b_" + n], dilation) for n in "fg")
    gate = 0.5 + 0.5 * torch.tanh(g / 2)
    return gate * torch.tanh(f)


# %% no short cut tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    return torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))


# %% no ReLU after the sum tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    s = x @ params["W_s"] + params["b_s"] if "W_s" in params else x
    return s + v


# %% no ReLU after the second convolution tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = causal_conv1d(u, params["W_2"], params["b_2"], dilation)
    s = x @ params["W_s"] + params["b_s"] if "W_s" in params else x
    return torch.relu(s + v)


# %% no ReLU after the first convolution tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = causal_conv1d(x, params["W_1"], params["b_1"], dilation)
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    s = x @ params["W_s"] + params["b_s"] if "W_s" in params else x
    return torch.relu(s + v)


# %% second convolution not dilated tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"]))
    s = x @ params["W_s"] + params["b_s"] if "W_s" in params else x
    return torch.relu(s + v)


# %% second convolution with twice the dilation tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], 2 * dilation))
    s = x @ params["W_s"] + params["b_s"] if "W_s" in params else x
    return torch.relu(s + v)


# %% uses the short cut's weights only when the widths differ tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    s = x if x.shape == v.shape else x @ params["W_s"] + params["b_s"]
    return torch.relu(s + v)


# %% forgets the short cut's bias tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    s = x @ params["W_s"] if "W_s" in params else x
    return torch.relu(s + v)


# %% always wants W_s tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    return torch.relu(x @ params["W_s"] + params["b_s"] + v)


# %% adds the sequence in place tags=["wrong", "id:tcn-block"]
def tcn_block(x, params, dilation):
    u = torch.relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation))
    v = torch.relu(causal_conv1d(u, params["W_2"], params["b_2"], dilation))
    if "W_s" not in params:
        x += v
        return torch.relu(x)
    params["b_1"] += 0.1
    return torch.relu(x @ params["W_s"] + params["b_s"] + v)


# %% the short cut as a convolution of one tap tags=["right", "id:tcn-block"]
def tcn_block(x, params, dilation):
    inner = x
    for n in ("1", "2"):
        inner = causal_conv1d(inner, params[f"W_{n}"], params[f"b_{n}"], dilation).clamp(min=0)
    if "W_s" in params:
        x = causal_conv1d(x, params["W_s"][None], params["b_s"])
    return (x + inner).clamp(min=0)


# %% all in one expression with where tags=["right", "id:tcn-block"]
def tcn_block(x, params, dilation):
    def relu(a):
        return torch.where(a > 0, a, torch.zeros_like(a))

    first = relu(causal_conv1d(x, params["W_1"], params["b_1"], dilation=dilation))
    second = relu(causal_conv1d(first, params["W_2"], params["b_2"], dilation=dilation))
    if params.get("W_s") is None:
        return relu(second + x)
    return relu(torch.einsum("btd,dh->bth", x, params["W_s"]) + params["b_s"] + second)


# %% all dilations one tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for block in params["blocks"]:
        h = tcn_block(h, block, 1)
    return h @ params["W_hy"] + params["b_y"]


# %% dilations 1, 2, 3 tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level, block in enumerate(params["blocks"], start=1):
        h = tcn_block(h, block, level)
    return h @ params["W_hy"] + params["b_y"]


# %% dilations start at 2 tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level, block in enumerate(params["blocks"], start=1):
        h = tcn_block(h, block, 2**level)
    return h @ params["W_hy"] + params["b_y"]


# %% reads the last step only tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level, block in enumerate(params["blocks"]):
        h = tcn_block(h, block, 2**level)
    return h[:, -1] @ params["W_hy"] + params["b_y"]


# %% every block reads the input tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level, block in enumerate(params["blocks"]):
        h = tcn_block(x if "W_s" in block else h, block, 2 ** (len(params["blocks"]) - 1 - level))
    return h @ params["W_hy"] + params["b_y"]


# %% ReLU on the scores tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level, block in enumerate(params["blocks"]):
        h = tcn_block(h, block, 2**level)
    return torch.relu(h @ params["W_hy"] + params["b_y"])


# %% leaves out the last block tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level in range(max(1, len(params["blocks"]) - 1)):
        h = tcn_block(h, params["blocks"][level], 2**level)
    return h @ params["W_hy"] + params["b_y"]


# %% takes the blocks out of the list tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h, d = x, 1
    while params["blocks"]:
        h = tcn_block(h, params["blocks"].pop(0), d)
        d *= 2
    return h @ params["W_hy"] + params["b_y"]


# %% forgets the output bias tags=["wrong", "id:tcn-forward"]
def tcn_forward(x, params):
    h = x
    for level, block in enumerate(params["blocks"]):
        h = tcn_block(h, block, 2**level)
    return h @ params["W_hy"]


# %% recursive, from the last block tags=["right", "id:tcn-forward"]
def tcn_forward(x, params):
    def states(level):
        return x if level == 0 else tcn_block(states(level - 1), params["blocks"][level - 1], 1 << (level - 1))

    return torch.einsum("bth,hv->btv", states(len(params["blocks"])), params["W_hy"]) + params["b_y"]


# %% with a doubling variable and an output of one tap tags=["right", "id:tcn-forward"]
def tcn_forward(x, params):
    d = 1
    for block in params["blocks"]:
        x = tcn_block(x, block, d)
        d = d + d
    return causal_conv1d(x, params["W_hy"].unsqueeze(0), params["b_y"])


# %% taps not reversed tags=["wrong", "id:causal-conv1d-backward"]
def causal_conv1d_backward(d_y, x, W, dilation=1):
    k, T = W.shape[0], x.shape[1]
    d_x, d_W = torch.zeros_like(x), torch.zeros_like(W)
    for i in range(k):
        lag = min(i * dilation, T)
        d_W[i] = torch.einsum("btd,bth->dh", x[:, : T - lag], d_y[:, lag:])
        d_x[:, : T - lag] += d_y[:, lag:] @ W[i].T
    return d_x, d_W, d_y.sum(dim=(0, 1))


# %% the gradient of the input flows forward in time tags=["wrong", "id:causal-conv1d-backward"]
def causal_conv1d_backward(d_y, x, W, dilation=1):
    k, T = W.shape[0], x.shape[1]
    d_x, d_W = torch.zeros_like(x), torch.zeros_like(W)
    for i in range(k):
        lag = min(i * dilation, T)
        d_W[k - 1 - i] = torch.einsum("btd,bth->dh", x[:, : T - lag], d_y[:, lag:])
        d_x[:, lag:] += d_y[:, : T - lag] @ W[k - 1 - i].T
    return d_x, d_W, d_y.sum(dim=(0, 1))


# %% bias summed over time only tags=["wrong", "id:causal-conv1d-backward"]
def causal_conv1d_backward(d_y, x, W, dilation=1):
    k, T = W.shape[0], x.shape[1]
    d_x, d_W = torch.zeros_like(x), torch.zeros_like(W)
    for i in range(k):
        lag = min(i * dilation, T)
        d_W[k - 1 - i] = torch.einsum("btd,bth->dh", x[:, : T - lag], d_y[:, lag:])
        d_x[:, : T - lag] += d_y[:, lag:] @ W[k - 1 - i].T
    return d_x, d_W, d_y.sum(dim=1)


# %% a forward convolution of the reversed sequence tags=["right", "id:causal-conv1d-backward"]
def causal_conv1d_backward(d_y, x, W, dilation=1):
    none = torch.zeros(x.shape[2], dtype=x.dtype, device=x.device)
    d_x = causal_conv1d(d_y.flip(1), W.transpose(1, 2), none, dilation).flip(1)
    k, T = len(W), x.shape[1]
    front = x.new_zeros(x.shape[0], (k - 1) * dilation, x.shape[2])
    padded = torch.cat([front, x], dim=1)
    d_W = torch.stack(
        [
            padded[:, j * dilation : j * dilation + T].flatten(0, 1).T @ d_y.flatten(0, 1)
            for j in range(k)
        ]
    )
    return d_x, d_W, d_y.flatten(0, 1).sum(0)
