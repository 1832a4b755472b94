# Wrong and right answers to solutions/ch15_kernels.py. Data, never imported: each cell replaces one
# exercise cell, see bank_harness.py.
# ruff: noqa


# %% counts an addition and a multiplication as one tags=["wrong", "id:arithmetic-intensity"]
def arithmetic_intensity(rows: int, inner: int, columns: int, width: int = 4) -> float:
    operations = rows * inner * columns
    moved = width * (rows * inner + inner * columns + rows * columns)
    return operations / moved


# %% forgets to write the result tags=["wrong", "id:arithmetic-intensity"]
def arithmetic_intensity(rows: int, inner: int, columns: int, width: int = 4) -> float:
    operations = 2 * rows * inner * columns
    moved = width * (rows * inner + inner * columns)
    return operations / moved


# %% takes float32 for granted tags=["wrong", "id:arithmetic-intensity"]
def arithmetic_intensity(rows: int, inner: int, columns: int, width: int = 4) -> float:
    operations = 2 * rows * inner * columns
    moved = 4 * (rows * inner + inner * columns + rows * columns)
    return operations / moved


# %% bytes for every operation tags=["wrong", "id:arithmetic-intensity"]
def arithmetic_intensity(rows: int, inner: int, columns: int, width: int = 4) -> float:
    operations = 2 * rows * inner * columns
    moved = width * (rows * inner + inner * columns + rows * columns)
    return moved / operations


# %% adds the sizes instead of multiplying tags=["wrong", "id:arithmetic-intensity"]
def arithmetic_intensity(rows: int, inner: int, columns: int, width: int = 4) -> float:
    operations = 2 * rows * inner * columns
    moved = width * (rows + inner + columns)
    return operations / moved


# %% by the harmonic form tags=["right", "id:arithmetic-intensity"]
def arithmetic_intensity(rows, inner, columns, width=4):
    return 2 / (width * sum(1 / n for n in (rows, inner, columns)))


# %% the larger of the two tags=["wrong", "id:attainable"]
def attainable(
    intensity: float | Float[np.ndarray, "..."], peak: float, bandwidth: float
) -> float | Float[np.ndarray, "..."]:
    return np.maximum(peak, intensity * bandwidth)


# %% no roof tags=["wrong", "id:attainable"]
def attainable(
    intensity: float | Float[np.ndarray, "..."], peak: float, bandwidth: float
) -> float | Float[np.ndarray, "..."]:
    return intensity * bandwidth


# %% divides by the bandwidth tags=["wrong", "id:attainable"]
def attainable(
    intensity: float | Float[np.ndarray, "..."], peak: float, bandwidth: float
) -> float | Float[np.ndarray, "..."]:
    return np.minimum(peak, intensity / bandwidth)


# %% Python's min, which knows no arrays tags=["wrong", "id:attainable"]
def attainable(
    intensity: float | Float[np.ndarray, "..."], peak: float, bandwidth: float
) -> float | Float[np.ndarray, "..."]:
    return min(peak, intensity * bandwidth)


# %% by where the ridge lies tags=["right", "id:attainable"]
def attainable(intensity, peak, bandwidth):
    left = np.asarray(intensity) < peak / bandwidth
    return np.where(left, np.asarray(intensity) * bandwidth, peak)


# %% means instead of medians tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        q = np.quantile(kept, [0.25, 0.5, 0.75])
        quartiles.append([q[0], kept.mean(), q[2]])
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% best against best tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        q = np.quantile(kept, [0.25, 0.5, 0.75])
        quartiles.append([q[0], kept.min(), q[2]])
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% upside down tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(a2 / b2), float(b1 / a3), float(b3 / a1)


# %% keeps the warm-up tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% throws away one time whatever is asked tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[1:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% low and high exchanged tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b3 / a1), float(b1 / a3)


# %% quartile against the same quartile tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a1), float(b3 / a3)


# %% sorts before it drops the warm-up tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.sort(np.asarray(times, dtype=np.float64))[warm_up:]
        if kept.size == 0 or not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% no complaint about empty lists tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if not (kept > 0).all():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% lets times of zero pass tags=["wrong", "id:speedup"]
def speedup(
    before: Sequence[float], after: Sequence[float], warm_up: int = 1
) -> tuple[float, float, float]:
    quartiles = []
    for times in (before, after):
        kept = np.asarray(times, dtype=np.float64)[warm_up:]
        if kept.size == 0 or (kept < 0).any():
            raise ValueError("speedup: each list needs positive times after the warm-up")
        quartiles.append(np.quantile(kept, [0.25, 0.5, 0.75]))
    (b1, b2, b3), (a1, a2, a3) = quartiles
    return float(b2 / a2), float(b1 / a3), float(b3 / a1)


# %% with the statistics module tags=["right", "id:speedup"]
import statistics


def speedup(before, after, warm_up=1):
    sides = []
    for times in (before, after):
        kept = sorted(float(t) for t in list(times)[warm_up:])
        if not kept or not all(t > 0 for t in list(times)[warm_up:]):
            raise ValueError("no positive times are left")
        if len(kept) == 1:
            sides.append((kept[0], kept[0], kept[0]))
        else:
            sides.append(tuple(statistics.quantiles(kept, n=4, method="inclusive")))
    old, new = sides
    return old[1] / new[1], old[0] / new[2], old[2] / new[0]


# %% states on top of inputs tags=["wrong", "id:stack-gates"]
def stack_gates(params: Params) -> tuple[Float[Tensor, "DH G"], Float[Tensor, " G"]]:
    columns = [torch.cat([params[f"W_h{g}"], params[f"W_x{g}"]], dim=0) for g in "ifco"]
    return torch.cat(columns, dim=1), torch.cat([params[f"b_{g}"] for g in "ifco"])


# %% in alphabetical order tags=["wrong", "id:stack-gates"]
def stack_gates(params: Params) -> tuple[Float[Tensor, "DH G"], Float[Tensor, " G"]]:
    columns = [torch.cat([params[f"W_x{g}"], params[f"W_h{g}"]], dim=0) for g in "cfio"]
    return torch.cat(columns, dim=1), torch.cat([params[f"b_{g}"] for g in "cfio"])


# %% output gate third tags=["wrong", "id:stack-gates"]
def stack_gates(params: Params) -> tuple[Float[Tensor, "DH G"], Float[Tensor, " G"]]:
    columns = [torch.cat([params[f"W_x{g}"], params[f"W_h{g}"]], dim=0) for g in "ifoc"]
    return torch.cat(columns, dim=1), torch.cat([params[f"b_{g}"] for g in "ifoc"])


# %% biases in the order of the dict tags=["wrong", "id:stack-gates"]
def stack_gates(params: Params) -> tuple[Float[Tensor, "DH G"], Float[Tensor, " G"]]:
    columns = [torch.cat([params[f"W_x{g}"], params[f"W_h{g}"]], dim=0) for g in "ifco"]
    return torch.cat(columns, dim=1), torch.cat([v for key, v in params.items() if key.startswith("b_")])


# %% gates below each other tags=["wrong", "id:stack-gates"]
def stack_gates(params: Params) -> tuple[Float[Tensor, "DH G"], Float[Tensor, " G"]]:
    columns = [torch.cat([params[f"W_x{g}"], params[f"W_h{g}"]], dim=0) for g in "ifco"]
    return torch.cat(columns, dim=0), torch.cat([params[f"b_{g}"] for g in "ifco"])


# %% filled block by block tags=["right", "id:stack-gates"]
def stack_gates(params):
    D, H = params["W_xi"].shape
    W, b = params["W_xi"].new_empty(D + H, 4 * H), params["b_i"].new_empty(4 * H)
    for n, gate in enumerate(("i", "f", "c", "o")):
        here = slice(n * H, n * H + H)
        W[:D, here] = params["W_x" + gate]
        W[D:, here] = params["W_h" + gate]
        b[here] = params["b_" + gate]
    return W, b


# %% input and forget gate exchanged tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_f, a_i, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


# %% no tanh on the memory tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * c, c


# %% reads the old memory tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c_prev), c


# %% logistic proposal tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.sigmoid(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


# %% state before input tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([h_prev, x], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


# %% forgets the biases tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


# %% memory before state tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return c, torch.sigmoid(a_o) * torch.tanh(c)


# %% cuts the gradient tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(
    x: Float[Tensor, "B D"],
    h_prev: Float[Tensor, "B H"],
    c_prev: Float[Tensor, "B H"],
    W: Float[Tensor, "DH G"],
    b: Float[Tensor, " G"],
) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B H"]]:
    together = torch.cat([x, h_prev], dim=1) @ W + b  # (B D+H) (D+H 4H) -> (B 4H)
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    h_prev = h_prev.detach()
    together = together.detach()
    a_i, a_f, a_c, a_o = together.chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


# %% a product for every gate tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(x, h_prev, c_prev, W, b):
    u, H = torch.cat([x, h_prev], dim=1), h_prev.shape[1]
    a = [u @ W[:, n * H : (n + 1) * H] + b[n * H : (n + 1) * H] for n in range(4)]
    c = torch.sigmoid(a[1]) * c_prev + torch.sigmoid(a[0]) * torch.tanh(a[2])
    return torch.sigmoid(a[3]) * torch.tanh(c), c


# %% one product for x and one for h tags=["wrong", "id:fused-lstm-step"]
def fused_lstm_step(x, h_prev, c_prev, W, b):
    D = x.shape[1]
    a_i, a_f, a_c, a_o = (x @ W[:D] + h_prev @ W[D:] + b).chunk(4, dim=1)
    c = torch.sigmoid(a_f) * c_prev + torch.sigmoid(a_i) * torch.tanh(a_c)
    return torch.sigmoid(a_o) * torch.tanh(c), c


# %% with addmm and a view by gate tags=["right", "id:fused-lstm-step"]
def fused_lstm_step(x, h_prev, c_prev, W, b):
    B, H = h_prev.shape
    a = torch.addmm(b, torch.hstack((x, h_prev)), W).view(B, 4, H)
    i, f, o = (1 / (1 + torch.exp(-a[:, n])) for n in (0, 1, 3))
    c = torch.addcmul(f * c_prev, i, a[:, 2].tanh())
    return o * c.tanh(), c


# %% never rescales tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = torch.where(highest == -math.inf, 0.0, highest)
        pass
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total


# %% the factor upside down tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = torch.where(highest == -math.inf, 0.0, highest)
        total = total * torch.where(m == -math.inf, 0.0, torch.exp(reference - m))
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total


# %% subtracts nothing tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = torch.zeros_like(highest)
        total = total * torch.exp(m - reference)
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total


# %% not a number when a block is masked tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = highest
        total = total * torch.exp(m - reference)
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total


# %% starts from a maximum of zero tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_zeros(len(scores)), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = torch.where(highest == -math.inf, 0.0, highest)
        total = total * torch.exp(m - reference)
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total


# %% one maximum for the whole batch tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.max())
        reference = torch.where(highest == -math.inf, 0.0, highest)
        total = total * torch.exp(m - reference)
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m, total


# %% makes float32 of everything tags=["wrong", "id:online-softmax"]
def online_softmax(
    read: Callable[[int], Float[Tensor, "B C"]], count: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    m = total = None
    for n in range(count):
        scores = read(n)
        if m is None:
            m, total = scores.new_full(scores.shape[:1], -math.inf), scores.new_zeros(len(scores))
        highest = torch.maximum(m, scores.amax(dim=1))
        reference = torch.where(highest == -math.inf, 0.0, highest)
        total = total * torch.exp(m - reference)
        total = total + torch.exp(scores - reference[:, None]).sum(dim=1)
        m = highest
    return m.float(), total.float()


# %% reads every block twice tags=["wrong", "id:online-softmax"]
def online_softmax(read, count):
    m = torch.stack([read(n).amax(dim=1) for n in range(count)]).amax(dim=0)
    safe = torch.where(m == -math.inf, 0.0, m)
    total = sum(torch.exp(read(n) - safe[:, None]).sum(dim=1) for n in range(count))
    return m, total


# %% puts the row together first tags=["wrong", "id:online-softmax"]
def online_softmax(read, count):
    row = torch.cat([read(n) for n in range(count)], dim=1)
    m = row.amax(dim=1)
    safe = torch.where(m == -math.inf, 0.0, m)
    return m, torch.exp(row - safe[:, None]).sum(dim=1)


# %% uses the first block's maximum throughout tags=["wrong", "id:online-softmax"]
def online_softmax(read, count):
    first = read(0)
    m = first.amax(dim=1)
    total = torch.exp(first - m[:, None]).sum(dim=1)
    for n in range(1, count):
        total = total + torch.exp(read(n) - m[:, None]).sum(dim=1)
    return m, total


# %% merges the summaries of blocks, from the last to the first tags=["right", "id:online-softmax"]
def online_softmax(read, count):
    def summary(block):
        top = block.amax(1)
        return top, torch.nan_to_num(torch.exp(block - top[:, None]), nan=0.0).sum(1)

    def merge(a, b):
        top = torch.maximum(a[0], b[0])
        parts = [torch.where(m == -math.inf, torch.zeros_like(l), l * torch.exp(m - top)) for m, l in (a, b)]
        return top, parts[0] + parts[1]

    state = summary(read(count - 1))
    for n in range(count - 2, -1, -1):
        state = merge(summary(read(n)), state)
    return state


# %% carries the logarithm of the sum tags=["right", "id:online-softmax"]
def online_softmax(read, count):
    m = log_sum = None
    for n in range(count):
        block = read(n)
        top, log_part = block.amax(1), torch.logsumexp(block, 1)
        m = top if m is None else torch.maximum(m, top)
        log_sum = log_part if log_sum is None else torch.logaddexp(log_sum, log_part)
    total = torch.exp(log_sum - torch.where(m == -math.inf, 0.0, m))
    return m, total


# %% values are not rescaled tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% the sum is not rescaled tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% never divides tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc, (m + torch.log(total)).squeeze(2)


# %% no root of K tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop])
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% divides by K tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / K
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% leaves out the last, smaller tile tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, max(tile, k.shape[1] - tile + 1), tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% ignores causal tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if False:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% masks the present, too tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places - (places > 0).to(places.dtype), -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% counts places from the start of each tile tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(stop - start, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% returns the maximum for L tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, stop, device=q.device) > places, -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, m.squeeze(2)


# %% a mask of T by T tags=["wrong", "id:tiled-attention"]
def tiled_attention(
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B T"]]:
    B, T, K = q.shape
    m, total, acc = q.new_full((B, T, 1), -math.inf), q.new_zeros(B, T, 1), torch.zeros_like(q)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        stop = min(start + tile, k.shape[1])
        s = torch.einsum("btk,bsk->bts", q, k[:, start:stop]) / math.sqrt(K)
        everything = torch.arange(k.shape[1], device=q.device) > places
        if causal:
            s = s.masked_fill(everything[:, start:stop], -math.inf)
        highest = torch.maximum(m, s.amax(dim=2, keepdim=True))
        e = torch.exp(s - highest)
        repair = torch.exp(m - highest)
        total = total * repair + e.sum(dim=2, keepdim=True)
        acc = acc * repair + torch.einsum("bts,bsk->btk", e, v[:, start:stop])
        m = highest
    return acc / total, (m + torch.log(total)).squeeze(2)


# %% by the whole matrix tags=["wrong", "id:tiled-attention"]
def tiled_attention(q, k, v, tile, causal=False):
    s = q @ k.transpose(1, 2) / math.sqrt(q.shape[2])
    if causal:
        s = s.masked_fill(torch.ones_like(s, dtype=torch.bool).triu(1), -math.inf)
    return torch.softmax(s, dim=2) @ v, torch.logsumexp(s, dim=2)


# %% a softmax in every tile, then their mean tags=["wrong", "id:tiled-attention"]
def tiled_attention(q, k, v, tile, causal=False):
    outputs, sums = [], []
    for start in range(0, k.shape[1], tile):
        s = q @ k[:, start : start + tile].transpose(1, 2) / math.sqrt(q.shape[2])
        outputs.append(torch.softmax(s, dim=2) @ v[:, start : start + tile])
        sums.append(torch.logsumexp(s, dim=2))
    return torch.stack(outputs).mean(0), torch.stack(sums).logsumexp(0)


# %% without the maximum tags=["wrong", "id:tiled-attention"]
def tiled_attention(q, k, v, tile, causal=False):
    total, acc = 0.0, 0.0
    rows = torch.arange(q.shape[1], device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        e = torch.exp(q @ k[:, start : start + tile].transpose(1, 2) / math.sqrt(q.shape[2]))
        if causal:
            e = e * (torch.arange(start, start + e.shape[2], device=q.device) <= rows)
        total = total + e.sum(2, keepdim=True)
        acc = acc + e @ v[:, start : start + tile]
    return acc / total, torch.log(total)[..., 0]


# %% merges normalised tiles by their L tags=["right", "id:tiled-attention"]
def tiled_attention(q, k, v, tile, causal=False):
    o = L = None
    rows = torch.arange(q.shape[1], device=q.device)
    for start, (keys, values) in enumerate(zip(k.split(tile, 1), v.split(tile, 1))):
        s = (q * q.shape[2] ** -0.5) @ keys.mT
        if causal:
            columns = start * tile + torch.arange(keys.shape[1], device=q.device)
            s = torch.where(columns[None, :] <= rows[:, None], s, -math.inf)
        L_part = torch.logsumexp(s, 2)
        part = torch.exp(s - torch.where(L_part == -math.inf, 0.0, L_part)[..., None]) @ values
        if o is None:
            o, L = part, L_part
        else:
            both = torch.logaddexp(L, L_part)
            o = o * torch.exp(L - both)[..., None] + part * torch.exp(L_part - both)[..., None]
            L = both
    return o, L


# %% in bands of queries, each with its whole rows tags=["right", "id:tiled-attention"]
def tiled_attention(q, k, v, tile, causal=False):
    outputs, sums = [], []
    for start in range(0, q.shape[1], tile):
        band = q[:, start : start + tile]
        s = band @ k.transpose(1, 2) / q.shape[2] ** 0.5
        if causal:
            t = start + torch.arange(band.shape[1], device=q.device)
            s = s.masked_fill(torch.arange(k.shape[1], device=q.device) > t[:, None], -math.inf)
        outputs.append(torch.softmax(s, 2) @ v)
        sums.append(torch.logsumexp(s, 2))
    return torch.cat(outputs, 1), torch.cat(sums, 1)


# %% without D tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]))
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% scores' gradient without the weights tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% d_q of the last tile only tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q = torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% no root of K in d_k tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% no root of K in d_q tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here])
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% ignores causal tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if False:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% L counts for nothing tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - s.amax(dim=2, keepdim=True))
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% D from the values of the tile tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, q)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% d_k and d_v exchanged tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_v, d_k


# %% adds to the caller's gradient tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(
    d_o: Float[Tensor, "B T K"],
    q: Float[Tensor, "B T K"],
    k: Float[Tensor, "B S K"],
    v: Float[Tensor, "B S K"],
    o: Float[Tensor, "B T K"],
    L: Float[Tensor, "B T"],
    tile: int,
    causal: bool = False,
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B S K"], Float[Tensor, "B S K"]]:
    T, K = q.shape[1:]
    delta = torch.einsum("btk,btk->bt", d_o, o)
    d_q, d_k, d_v = d_o, torch.zeros_like(k), torch.zeros_like(v)
    places = torch.arange(T, device=q.device)[:, None]
    for start in range(0, k.shape[1], tile):
        here = slice(start, min(start + tile, k.shape[1]))
        s = torch.einsum("btk,bsk->bts", q, k[:, here]) / math.sqrt(K)
        if causal:
            s = s.masked_fill(torch.arange(start, here.stop, device=q.device) > places, -math.inf)
        p = torch.exp(s - L[:, :, None])
        d_s = p * (torch.einsum("btk,bsk->bts", d_o, v[:, here]) - delta[:, :, None])
        d_q += torch.einsum("bts,bsk->btk", d_s, k[:, here]) / math.sqrt(K)
        d_k[:, here] = torch.einsum("bts,btk->bsk", d_s, q) / math.sqrt(K)
        d_v[:, here] = torch.einsum("bts,btk->bsk", p, d_o)
    return d_q, d_k, d_v


# %% by the whole matrix tags=["wrong", "id:tiled-attention-backward"]
def tiled_attention_backward(d_o, q, k, v, o, L, tile, causal=False):
    root = math.sqrt(q.shape[2])
    s = q @ k.transpose(1, 2) / root
    if causal:
        s = s.masked_fill(torch.ones_like(s, dtype=torch.bool).triu(1), -math.inf)
    p = torch.exp(s - L[..., None])
    d_s = p * (d_o @ v.transpose(1, 2) - (d_o * o).sum(2, keepdim=True))
    return d_s @ k / root, d_s.transpose(1, 2) @ q / root, p.transpose(1, 2) @ d_o


# %% in bands of queries, adding to d_k and d_v tags=["right", "id:tiled-attention-backward"]
def tiled_attention_backward(d_o, q, k, v, o, L, tile, causal=False):
    d_q, d_k, d_v = [], torch.zeros_like(k), torch.zeros_like(v)
    scaled = k * k.shape[2] ** -0.5
    for start in range(0, q.shape[1], tile):
        rows = slice(start, start + tile)
        s = q[:, rows] @ scaled.mT
        p = torch.exp(s - L[:, rows, None])
        if causal:
            t = start + torch.arange(s.shape[1], device=q.device)
            seen = torch.arange(k.shape[1], device=q.device)[None, :] <= t[:, None]
            p = torch.where(seen, p, torch.zeros_like(p))
        inner = (d_o[:, rows] * o[:, rows]).sum(-1, keepdim=True)
        d_s = p * (d_o[:, rows] @ v.mT - inner)
        d_q.append(d_s @ scaled)
        d_k = d_k + d_s.mT @ q[:, rows] * k.shape[2] ** -0.5
        d_v = d_v + p.mT @ d_o[:, rows]
    return torch.cat(d_q, 1), d_k, d_v


# %% masked places count as zero scores tags=["wrong", "id:triton-softmax"]
def triton_softmax(x: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
    rows, columns = x.shape
    result = torch.empty_like(x)
    _softmax_row[(rows,)](x, result, columns, TILE=triton.next_power_of_2(columns))
    return result


@jit
def _softmax_row(x, result, columns, TILE: tl.constexpr):
    j = tl.arange(0, TILE)
    at = tl.program_id(0) * columns + j
    scores = tl.load(x + at, mask=j < columns, other=0.0)
    weights = tl.exp(scores - tl.max(scores, axis=0))
    tl.store(result + at, weights / tl.sum(weights, axis=0), mask=j < columns)


# %% never divides tags=["wrong", "id:triton-softmax"]
def triton_softmax(x: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
    rows, columns = x.shape
    result = torch.empty_like(x)
    _softmax_row[(rows,)](x, result, columns, TILE=triton.next_power_of_2(columns))
    return result


@jit
def _softmax_row(x, result, columns, TILE: tl.constexpr):
    j = tl.arange(0, TILE)
    at = tl.program_id(0) * columns + j
    scores = tl.load(x + at, mask=j < columns, other=-float("inf"))
    weights = tl.exp(scores - tl.max(scores, axis=0))
    tl.store(result + at, weights, mask=j < columns)


# %% no maximum tags=["wrong", "id:triton-softmax"]
def triton_softmax(x: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
    rows, columns = x.shape
    result = torch.empty_like(x)
    _softmax_row[(rows,)](x, result, columns, TILE=triton.next_power_of_2(columns))
    return result


@jit
def _softmax_row(x, result, columns, TILE: tl.constexpr):
    j = tl.arange(0, TILE)
    at = tl.program_id(0) * columns + j
    scores = tl.load(x + at, mask=j < columns, other=-float("inf"))
    weights = tl.exp(scores)
    tl.store(result + at, weights / tl.sum(weights, axis=0), mask=j < columns)


# %% every program does the first row tags=["wrong", "id:triton-softmax"]
def triton_softmax(x: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
    rows, columns = x.shape
    result = torch.empty_like(x)
    _softmax_row[(rows,)](x, result, columns, TILE=triton.next_power_of_2(columns))
    return result


@jit
def _softmax_row(x, result, columns, TILE: tl.constexpr):
    j = tl.arange(0, TILE)
    at = tl.program_id(0) * 0 + j
    scores = tl.load(x + at, mask=j < columns, other=-float("inf"))
    weights = tl.exp(scores - tl.max(scores, axis=0))
    tl.store(result + at, weights / tl.sum(weights, axis=0), mask=j < columns)


# %% with the exponential's base two and a mask by where tags=["right", "id:triton-softmax"]
@jit
def _rows(x, y, columns, TILE: tl.constexpr):
    row, j = tl.program_id(0), tl.arange(0, TILE)
    scores = tl.load(x + row * columns + j, mask=j < columns, other=0.0) * 1.4426950408889634
    scores = tl.where(j < columns, scores, -1e30)
    e = tl.where(j < columns, tl.exp2(scores - tl.max(scores, axis=0)), 0.0)
    tl.store(y + row * columns + j, e / tl.sum(e, axis=0), mask=j < columns)


def triton_softmax(x):
    if triton is None:
        return torch.softmax(x, dim=1)
    y = torch.empty_like(x)
    tile = 1
    while tile < x.shape[1]:
        tile *= 2
    _rows[(len(x),)](x, y, x.shape[1], TILE=tile)
    return y


# %% padding counts as keys of zero tags=["wrong", "id:triton-attention"]
def triton_attention(
    q: Float[Tensor, "B T K"], k: Float[Tensor, "B S K"], v: Float[Tensor, "B S K"]
) -> Float[Tensor, "B T K"]:
    B, T, K = q.shape
    o = torch.empty_like(q)
    grid = (triton.cdiv(T, 16), B)
    _attention_band[grid](q, k, v, o, K**-0.5, T, S=k.shape[1], K=K, TILE=16)
    return o


@jit
def _attention_band(q, k, v, o, scale, T, S: tl.constexpr, K: tl.constexpr, TILE: tl.constexpr):
    t = tl.program_id(0) * TILE + tl.arange(0, TILE)
    b = tl.program_id(1)
    width = tl.arange(0, K)
    at_q = (b * T + t)[:, None] * K + width[None, :]
    queries = tl.load(q + at_q, mask=t[:, None] < T, other=0.0)
    m = tl.full([TILE], -float("inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    acc = tl.zeros([TILE, K], tl.float32)
    for start in range(0, S, TILE):
        j = start + tl.arange(0, TILE)
        at_k = (b * S + j)[:, None] * K + width[None, :]
        keys = tl.load(k + at_k, mask=j[:, None] < S, other=0.0)
        values = tl.load(v + at_k, mask=j[:, None] < S, other=0.0)
        s = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
        pass
        highest = tl.maximum(m, tl.max(s, axis=1))
        e = tl.exp(s - highest[:, None])
        repair = tl.exp(m - highest)
        total = total * repair + tl.sum(e, axis=1)
        acc = acc * repair[:, None] + tl.dot(e, values, input_precision="ieee")
        m = highest
    tl.store(o + at_q, acc / total[:, None], mask=t[:, None] < T)


# %% values are not rescaled tags=["wrong", "id:triton-attention"]
def triton_attention(
    q: Float[Tensor, "B T K"], k: Float[Tensor, "B S K"], v: Float[Tensor, "B S K"]
) -> Float[Tensor, "B T K"]:
    B, T, K = q.shape
    o = torch.empty_like(q)
    grid = (triton.cdiv(T, 16), B)
    _attention_band[grid](q, k, v, o, K**-0.5, T, S=k.shape[1], K=K, TILE=16)
    return o


@jit
def _attention_band(q, k, v, o, scale, T, S: tl.constexpr, K: tl.constexpr, TILE: tl.constexpr):
    t = tl.program_id(0) * TILE + tl.arange(0, TILE)
    b = tl.program_id(1)
    width = tl.arange(0, K)
    at_q = (b * T + t)[:, None] * K + width[None, :]
    queries = tl.load(q + at_q, mask=t[:, None] < T, other=0.0)
    m = tl.full([TILE], -float("inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    acc = tl.zeros([TILE, K], tl.float32)
    for start in range(0, S, TILE):
        j = start + tl.arange(0, TILE)
        at_k = (b * S + j)[:, None] * K + width[None, :]
        keys = tl.load(k + at_k, mask=j[:, None] < S, other=0.0)
        values = tl.load(v + at_k, mask=j[:, None] < S, other=0.0)
        s = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
        s = tl.where(j[None, :] < S, s, -float("inf"))
        highest = tl.maximum(m, tl.max(s, axis=1))
        e = tl.exp(s - highest[:, None])
        repair = tl.exp(m - highest)
        total = total * repair + tl.sum(e, axis=1)
        acc = acc + tl.dot(e, values, input_precision="ieee")
        m = highest
    tl.store(o + at_q, acc / total[:, None], mask=t[:, None] < T)


# %% no scale tags=["wrong", "id:triton-attention"]
def triton_attention(
    q: Float[Tensor, "B T K"], k: Float[Tensor, "B S K"], v: Float[Tensor, "B S K"]
) -> Float[Tensor, "B T K"]:
    B, T, K = q.shape
    o = torch.empty_like(q)
    grid = (triton.cdiv(T, 16), B)
    _attention_band[grid](q, k, v, o, K**-0.5, T, S=k.shape[1], K=K, TILE=16)
    return o


@jit
def _attention_band(q, k, v, o, scale, T, S: tl.constexpr, K: tl.constexpr, TILE: tl.constexpr):
    t = tl.program_id(0) * TILE + tl.arange(0, TILE)
    b = tl.program_id(1)
    width = tl.arange(0, K)
    at_q = (b * T + t)[:, None] * K + width[None, :]
    queries = tl.load(q + at_q, mask=t[:, None] < T, other=0.0)
    m = tl.full([TILE], -float("inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    acc = tl.zeros([TILE, K], tl.float32)
    for start in range(0, S, TILE):
        j = start + tl.arange(0, TILE)
        at_k = (b * S + j)[:, None] * K + width[None, :]
        keys = tl.load(k + at_k, mask=j[:, None] < S, other=0.0)
        values = tl.load(v + at_k, mask=j[:, None] < S, other=0.0)
        s = tl.dot(queries, tl.trans(keys), input_precision="ieee")
        s = tl.where(j[None, :] < S, s, -float("inf"))
        highest = tl.maximum(m, tl.max(s, axis=1))
        e = tl.exp(s - highest[:, None])
        repair = tl.exp(m - highest)
        total = total * repair + tl.sum(e, axis=1)
        acc = acc * repair[:, None] + tl.dot(e, values, input_precision="ieee")
        m = highest
    tl.store(o + at_q, acc / total[:, None], mask=t[:, None] < T)


# %% every sequence is the first tags=["wrong", "id:triton-attention"]
def triton_attention(
    q: Float[Tensor, "B T K"], k: Float[Tensor, "B S K"], v: Float[Tensor, "B S K"]
) -> Float[Tensor, "B T K"]:
    B, T, K = q.shape
    o = torch.empty_like(q)
    grid = (triton.cdiv(T, 16), B)
    _attention_band[grid](q, k, v, o, K**-0.5, T, S=k.shape[1], K=K, TILE=16)
    return o


@jit
def _attention_band(q, k, v, o, scale, T, S: tl.constexpr, K: tl.constexpr, TILE: tl.constexpr):
    t = tl.program_id(0) * TILE + tl.arange(0, TILE)
    b = tl.program_id(1) * 0
    width = tl.arange(0, K)
    at_q = (b * T + t)[:, None] * K + width[None, :]
    queries = tl.load(q + at_q, mask=t[:, None] < T, other=0.0)
    m = tl.full([TILE], -float("inf"), tl.float32)
    total = tl.zeros([TILE], tl.float32)
    acc = tl.zeros([TILE, K], tl.float32)
    for start in range(0, S, TILE):
        j = start + tl.arange(0, TILE)
        at_k = (b * S + j)[:, None] * K + width[None, :]
        keys = tl.load(k + at_k, mask=j[:, None] < S, other=0.0)
        values = tl.load(v + at_k, mask=j[:, None] < S, other=0.0)
        s = tl.dot(queries, tl.trans(keys), input_precision="ieee") * scale
        s = tl.where(j[None, :] < S, s, -float("inf"))
        highest = tl.maximum(m, tl.max(s, axis=1))
        e = tl.exp(s - highest[:, None])
        repair = tl.exp(m - highest)
        total = total * repair + tl.sum(e, axis=1)
        acc = acc * repair[:, None] + tl.dot(e, values, input_precision="ieee")
        m = highest
    tl.store(o + at_q, acc / total[:, None], mask=t[:, None] < T)


# %% one query a program, without dot tags=["right", "id:triton-attention"]
@jit
def _one_query(q, k, v, o, scale, T, S: tl.constexpr, K: tl.constexpr):
    row = tl.program_id(0)
    b, width = row // T, tl.arange(0, K)
    query = tl.load(q + row * K + width)
    m = tl.full([1], -float("inf"), tl.float32)
    total = tl.zeros([1], tl.float32)
    acc = tl.zeros([K], tl.float32)
    for start in range(0, S, 32):
        j = start + tl.arange(0, 32)
        at = (b * S + j)[:, None] * K + width[None, :]
        s = tl.sum(tl.load(k + at, mask=j[:, None] < S, other=0.0) * query[None, :], axis=1) * scale
        s = tl.where(j < S, s, -float("inf"))
        top = tl.maximum(m, tl.max(s, axis=0))
        e, shrink = tl.exp(s - top), tl.exp(m - top)
        total = total * shrink + tl.sum(e, axis=0)
        values = tl.load(v + at, mask=j[:, None] < S, other=0.0)
        acc = acc * shrink + tl.sum(e[:, None] * values, axis=0)
        m = top
    tl.store(o + row * K + width, acc / total)


def triton_attention(q, k, v):
    if triton is None:
        return plain_attention(q, k, v)[0]
    B, T, K = q.shape
    o = torch.empty_like(q)
    _one_query[(B * T,)](q, k, v, o, K**-0.5, T, S=k.shape[1], K=K)
    return o
