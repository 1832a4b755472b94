# Wrong and right answers to solutions/ch05_bptt.py. Data, never imported: each cell replaces one
# exercise cell, see bank_harness.py.
# ruff: noqa

# %% absolute instead of relative tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    return float(np.linalg.norm((a - b).ravel()))


# %% divides by the sum of the norms tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    total = np.linalg.norm(a.ravel()) + np.linalg.norm(b.ravel())
    return float(np.linalg.norm((a - b).ravel()) / total) if total else 0.0


# %% adds an epsilon to the denominator tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    largest = max(np.linalg.norm(a.ravel()), np.linalg.norm(b.ravel()))
    return float(np.linalg.norm((a - b).ravel()) / (largest + 1e-8))


# %% zero by zero tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    largest = max(np.linalg.norm(a.ravel()), np.linalg.norm(b.ravel()))
    return np.linalg.norm((a - b).ravel()) / largest


# %% lets numpy broadcast tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    largest = max(np.sqrt((a**2).sum()), np.sqrt((b**2).sum()))
    return float(np.sqrt(((a - b) ** 2).sum()) / largest) if largest else 0.0


# %% mean of the entrywise errors tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    largest = np.maximum(np.abs(a), np.abs(b))
    return float(np.mean(np.abs(a - b) / np.where(largest == 0, 1, largest)))


# %% spectral norm for matrices tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    size = lambda v: np.linalg.norm(v, 2) if v.ndim == 2 else np.sqrt((v**2).sum())
    largest = max(size(a), size(b))
    return float(size(a - b) / largest) if largest else 0.0


# %% subtracts in place tags=["wrong", "id:relative-error"]
def relative_error(a, b):
    if a.shape != b.shape:
        raise ValueError("shapes differ")
    largest = max(np.linalg.norm(a.ravel()), np.linalg.norm(b.ravel()))
    a -= b
    return float(np.linalg.norm(a.ravel()) / largest) if largest else 0.0


# %% with sums of squares and no norm tags=["right", "id:relative-error"]
def relative_error(a, b):
    if np.shape(a) != np.shape(b):
        raise ValueError(f"cannot compare {np.shape(a)} with {np.shape(b)}")
    top = np.einsum("i,i->", (a - b).ravel(), (a - b).ravel())
    bottom = max(np.vdot(a, a), np.vdot(b, b))
    if bottom == 0:
        return 0
    return np.sqrt(top / bottom)


# %% one-sided difference tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    moved = np.array(x, dtype=np.float64)
    gradient = np.zeros(moved.shape)
    here = f(moved)
    for index in np.ndindex(moved.shape):
        moved[index] += eps
        gradient[index] = (f(moved) - here) / eps
        moved[index] -= eps
    return gradient


# %% divides by eps instead of 2 eps tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    moved = np.array(x, dtype=np.float64)
    gradient = np.zeros(moved.shape)
    for index in np.ndindex(moved.shape):
        middle = moved[index]
        moved[index] = middle + eps
        above = f(moved)
        moved[index] = middle - eps
        gradient[index] = (above - f(moved)) / eps
        moved[index] = middle
    return gradient


# %% forgets to move the entry back tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    moved = np.array(x, dtype=np.float64)
    gradient = np.zeros(moved.shape)
    for index in np.ndindex(moved.shape):
        moved[index] += eps
        above = f(moved)
        moved[index] -= 2 * eps
        gradient[index] = (above - f(moved)) / (2 * eps)
    return gradient


# %% leaves the caller's array changed tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        middle = float(x[index])
        x[index] = middle + eps
        above = f(x)
        x[index] = middle - eps
        gradient[index] = (above - f(x)) / (2 * eps)
    return gradient


# %% truncates integers tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    moved = x.copy()
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        middle = x[index]
        moved[index] = middle + eps
        above = f(moved)
        moved[index] = middle - eps
        gradient[index] = (above - f(moved)) / (2 * eps)
        moved[index] = middle
    return gradient


# %% moves all entries at once tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    slope = (f(x + eps) - f(x - eps)) / (2 * eps)
    return np.full(x.shape, slope) / x.size


# %% ignores the argument eps tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    eps = 1e-5
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[index] = eps
        gradient[index] = (f(x + step) - f(x - step)) / (2 * eps)
    return gradient


# %% gives f a flat array tags=["wrong", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    flat = np.array(x, dtype=np.float64).ravel()
    steps = eps * np.eye(flat.size)
    values = [(f(flat + step) - f(flat - step)) / (2 * eps) for step in steps]
    return np.array(values).reshape(x.shape)


# %% one basis vector at a time tags=["right", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    base = np.asarray(x).astype(float)
    values = []
    for direction in np.eye(base.size):
        step = eps * direction.reshape(base.shape)
        values.append(0.5 * (f(base + step) - f(base - step)) / eps)
    return np.array(values).reshape(base.shape)


# %% in place, with restoring, in a generator tags=["right", "id:numerical-gradient"]
def numerical_gradient(f, x, eps=1e-5):
    work = x.astype(np.float64)

    def at(index, value):
        old, work[index] = work[index], value
        result = f(work)
        work[index] = old
        return result

    out = np.empty(work.shape)
    for index in np.ndindex(*work.shape):
        out[index] = (at(index, work[index] + eps) - at(index, work[index] - eps)) / eps / 2
    return out


# %% the gradient of the sum, not of the mean tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) - np.eye(logits.shape[-1])[targets]


# %% averages over the batch only tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return (p - np.eye(logits.shape[-1])[targets]) / len(targets)


# %% true minus predicted tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    return (np.eye(logits.shape[-1])[targets] - p) / targets.size


# %% overflows for large logits tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits)
    p = e / e.sum(axis=-1, keepdims=True)
    return (p - np.eye(logits.shape[-1])[targets]) / targets.size


# %% softmax over the time axis tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return (p - np.eye(logits.shape[-1])[targets]) / targets.size


# %% forgets the target tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) / targets.size


# %% subtracts the maximum in place tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    logits -= logits.max(axis=-1, keepdims=True)
    e = np.exp(logits)
    p = e / e.sum(axis=-1, keepdims=True)
    return (p - np.eye(logits.shape[-1])[targets]) / targets.size


# %% one maximum for the whole batch tags=["wrong", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    e = np.exp(logits - logits.max())
    p = e / e.sum(axis=-1, keepdims=True)
    return (p - np.eye(logits.shape[-1])[targets]) / targets.size


# %% subtracts 1 at the target by index tags=["right", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    B, T, V = logits.shape
    z = logits.reshape(B * T, V)
    z = z - z.max(1)[:, None]
    p = np.exp(z - np.log(np.exp(z).sum(1))[:, None])
    p[np.arange(B * T), targets.ravel()] -= 1
    return (p / (B * T)).reshape(B, T, V)


# %% loops over batch and time tags=["right", "id:softmax-cross-entropy-backward"]
def softmax_cross_entropy_backward(logits, targets):
    out = np.zeros(logits.shape)
    B, T = targets.shape
    for b in range(B):
        for t in range(T):
            o = [float(v) for v in logits[b, t]]
            e = [np.exp(v - max(o)) for v in o]
            for v in range(len(o)):
                out[b, t, v] = (e[v] / sum(e) - (v == targets[b, t])) / (B * T)
    return out


# %% forgets the slope of the tanh tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% slope 1 - h without the square tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% applies the tanh a second time tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - np.tanh(h) ** 2)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% W_hh not transposed on the way back tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"], grads


# %% gradient of W_hh transposed tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": d_z.T @ h_prev, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% h in place of h_prev tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% bias not summed over the batch tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% averages over the batch instead of summing tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    n = len(x)
    grads = {"W_xh": x.T @ d_z / n, "W_hh": h_prev.T @ d_z / n, "b_h": d_z.mean(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% overwrites d_h tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_h *= 1 - h * h
    grads = {"W_xh": x.T @ d_h, "W_hh": h_prev.T @ d_h, "b_h": d_h.sum(axis=0)}
    return d_h @ params["W_xh"].T, d_h @ params["W_hh"].T, grads


# %% returns the results in another order tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b_h": d_z.sum(axis=0)}
    return d_z @ params["W_hh"].T, d_z @ params["W_xh"].T, grads


# %% calls the gradient of the bias b tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_z = d_h * (1 - h * h)
    grads = {"W_xh": x.T @ d_z, "W_hh": h_prev.T @ d_z, "b": d_z.sum(axis=0)}
    return d_z @ params["W_xh"].T, d_z @ params["W_hh"].T, grads


# %% by finite differences tags=["wrong", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    params = {key: params[key] for key in ("W_xh", "W_hh", "b_h")}
    d_x = numerical_gradient(lambda v: (d_h * rnn_step(v, h_prev, params)).sum(), x)
    d_h_prev = numerical_gradient(lambda v: (d_h * rnn_step(x, v, params)).sum(), h_prev)
    grads = {}
    for key in params:
        f = lambda v: (d_h * rnn_step(x, h_prev, {**params, key: v})).sum()
        grads[key] = numerical_gradient(f, params[key])
    return d_x, d_h_prev, grads


# %% einsum, and the state recomputed tags=["right", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    z = np.einsum("bd,dh->bh", x, params["W_xh"])
    z += np.einsum("bg,gh->bh", h_prev, params["W_hh"]) + params["b_h"]
    d_z = d_h / np.cosh(z) ** 2
    return (
        np.einsum("bh,dh->bd", d_z, params["W_xh"]),
        np.einsum("bh,gh->bg", d_z, params["W_hh"]),
        {
            "b_h": np.ones(len(x)) @ d_z,
            "W_hh": np.einsum("bg,bh->gh", h_prev, d_z),
            "W_xh": np.einsum("bd,bh->dh", x, d_z),
        },
    )


# %% one example at a time tags=["right", "id:rnn-step-backward"]
def rnn_step_backward(d_h, x, h_prev, h, params):
    d_x, d_h_prev = np.zeros(x.shape), np.zeros(h.shape)
    W, U, b = (np.zeros(params[key].shape) for key in ("W_xh", "W_hh", "b_h"))
    for i in range(x.shape[0]):
        slope = (1 + h[i]) * (1 - h[i])
        d_z = slope * d_h[i]
        d_x[i] = params["W_xh"].dot(d_z)
        d_h_prev[i] = params["W_hh"].dot(d_z)
        W += np.outer(x[i], d_z)
        U += np.outer(h_prev[i], d_z)
        b += d_z
    return d_x, d_h_prev, dict(W_xh=W, W_hh=U, b_h=b)


# %% forgets the gradient that comes from the next step tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_h0, step = rnn_step_backward(d_h[:, t], x[:, t], h_prev, h[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_h0, grads


# %% assigns where it must add up tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_next, grads = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h_prev, h[:, t], params
        )
    return d_x, d_next, grads


# %% goes forward in time tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in range(x.shape[1]):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_next, step = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h_prev, h[:, t], params
        )
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, grads


# %% zeros in place of h0 tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else np.zeros_like(h0)
        d_x[:, t], d_next, step = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h_prev, h[:, t], params
        )
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, grads


# %% h[:, -1] in place of h0 tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        d_x[:, t], d_next, step = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h[:, t - 1], h[:, t], params
        )
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, grads


# %% stops before the first step tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in range(x.shape[1] - 1, 0, -1):
        d_x[:, t], d_next, step = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h[:, t - 1], h[:, t], params
        )
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, grads


# %% d_h0 misses the last multiplication tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_state = d_h[:, t] + d_next
        d_x[:, t], d_next, step = rnn_step_backward(d_state, x[:, t], h_prev, h[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_state, grads


# %% adds into d_h tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_h0, step = rnn_step_backward(d_h[:, t], x[:, t], h_prev, h[:, t], params)
        if t > 0:
            d_h[:, t - 1] += d_h0
        for key in grads:
            grads[key] += step[key]
    return d_x, d_h0, grads


# %% the flow back replaces the step's own loss tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = d_h[:, -1]
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_next, step = rnn_step_backward(d_next, x[:, t], h_prev, h[:, t], params)
        for key in grads:
            grads[key] += step[key]
    return d_x, d_next, grads


# %% averages the parameter gradients over time tags=["wrong", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    d_x = np.zeros_like(x)
    d_next = np.zeros_like(h0)
    grads = {key: np.zeros_like(params[key]) for key in ("W_xh", "W_hh", "b_h")}
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        d_x[:, t], d_next, step = rnn_step_backward(
            d_h[:, t] + d_next, x[:, t], h_prev, h[:, t], params
        )
        for key in grads:
            grads[key] += step[key] / x.shape[1]
    return d_x, d_next, grads


# %% first all d_z, then one product over batch and time tags=["right", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    T = h.shape[1]
    h_prev = np.concatenate([h0[:, None], h[:, :-1]], axis=1)
    d_z = np.empty(h.shape)
    back = 0.0
    for t in range(T - 1, -1, -1):
        d_z[:, t] = (d_h[:, t] + back) * (1 - h[:, t] ** 2)
        back = d_z[:, t] @ params["W_hh"].T
    grads = {
        "W_xh": np.tensordot(x, d_z, axes=((0, 1), (0, 1))),
        "W_hh": np.tensordot(h_prev, d_z, axes=((0, 1), (0, 1))),
        "b_h": d_z.sum((0, 1)),
    }
    return d_z @ params["W_xh"].T, back, grads


# %% recursive tags=["right", "id:rnn-backward"]
def rnn_backward(d_h, x, h0, h, params):
    *_, T, H = h.shape
    if T == 0:
        zeros = {key: 0 * params[key] for key in ("W_xh", "W_hh", "b_h")}
        return np.zeros_like(x), np.zeros_like(h0), zeros
    h_prev = h0 if T == 1 else h[:, -2]
    d_last, d_prev, grads = rnn_step_backward(d_h[:, -1], x[:, -1], h_prev, h[:, -1], params)
    if T == 1:
        return d_last[:, None], d_prev, grads
    rest = d_h[:, :-1].copy()
    rest[:, -1] += d_prev
    d_x, d_h0, earlier = rnn_backward(rest, x[:, :-1], h0, h[:, :-1], params)
    total = {key: grads[key] + earlier[key] for key in grads}
    return np.concatenate([d_x, d_last[:, None]], axis=1), d_h0, total


# %% repeated words overwrite each other in E tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    grads["E"] = np.zeros_like(params["E"])
    grads["E"][tokens] += d_x
    return softmax_cross_entropy(logits, targets), grads


# %% no gradient for E tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    return softmax_cross_entropy(logits, targets), grads


# %% output bias summed over the batch only tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=0)
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], tokens, d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% only the last step has a loss tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_logits[:, :-1] = 0
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], tokens, d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% divides by B T a second time tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets) / tokens.size
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], tokens, d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% scatters the gradient of E by target instead of by token tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], targets, d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% ignores h0 tags=["wrong", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    h0 = np.zeros_like(h0)
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_x, _, grads = rnn_backward(d_logits @ params["W_hy"].T, x, h0, h, params)
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], tokens, d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% with one-hot matrices in place of look-ups tags=["right", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    V = len(params["E"])
    words = np.eye(V)[tokens].reshape(-1, V)
    x, h, logits = lm_forward(tokens, h0, params)
    d_o = softmax_cross_entropy_backward(logits, targets)
    flat_o, flat_h = d_o.reshape(-1, V), h.reshape(-1, h.shape[-1])
    d_x, _, recurrent = rnn_backward(d_o @ params["W_hy"].T, x, h0, h, params)
    grads = {
        **recurrent,
        "E": words.T @ d_x.reshape(len(words), -1),
        "W_hy": flat_h.T @ flat_o,
        "b_y": flat_o.sum(0),
    }
    p = np.exp(logits - logits.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    loss = -np.log((p.reshape(-1, V) * np.eye(V)[targets.ravel()]).sum(1)).mean()
    return loss, grads


# %% without the earlier parts tags=["right", "id:lm-backward"]
def lm_backward(tokens, targets, h0, params):
    B, T = tokens.shape
    x, h, logits = lm_forward(tokens, h0, params)
    grads = {key: np.zeros(value.shape) for key, value in params.items()}
    back = np.zeros(h0.shape)
    for t in reversed(range(T)):
        o = np.exp(logits[:, t] - logits[:, t].max(1, keepdims=True))
        d_o = o / o.sum(1, keepdims=True)
        d_o[range(B), targets[:, t]] -= 1
        d_o /= B * T
        d_z = (d_o @ params["W_hy"].T + back) * (1 - h[:, t] ** 2)
        previous = h0 if t == 0 else h[:, t - 1]
        back = d_z @ params["W_hh"].T
        grads["W_hy"] += h[:, t].T @ d_o
        grads["b_y"] += d_o.sum(0)
        grads["W_hh"] += previous.T @ d_z
        grads["W_xh"] += x[:, t].T @ d_z
        grads["b_h"] += d_z.sum(0)
        for b in range(B):
            grads["E"][tokens[b, t]] += params["W_xh"] @ d_z[b]
    return softmax_cross_entropy(logits, targets), grads


# %% forgets the slope of the tanh on the way back tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    if k > t:
        return np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(t, k, -1):
        g = g @ params["W_hh"].T
    h_prev = h[:, k - 1] if k > 0 else h0
    return h_prev.T @ (g * (1 - h[:, k] ** 2))


# %% one step too many tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    if k > t:
        return np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(t, k - 1, -1):
        g = (g * (1 - h[:, i] ** 2)) @ params["W_hh"].T
    h_prev = h[:, k - 1] if k > 0 else h0
    return h_prev.T @ (g * (1 - h[:, k] ** 2))


# %% the slopes of the wrong steps tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    if k > t:
        return np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(k, t):
        g = (g * (1 - h[:, i] ** 2)) @ params["W_hh"].T
    h_prev = h[:, k - 1] if k > 0 else h0
    return h_prev.T @ (g * (1 - h[:, k] ** 2))


# %% h[:, -1] before the first step tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    if k > t:
        return np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(t, k, -1):
        g = (g * (1 - h[:, i] ** 2)) @ params["W_hh"].T
    return h[:, k - 1].T @ (g * (1 - h[:, k] ** 2))


# %% not zero for k > t tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    g = d_h_t
    for i in range(t, k, -1):
        g = (g * (1 - h[:, i] ** 2)) @ params["W_hh"].T
    h_prev = h[:, k - 1] if k > 0 else h0
    return h_prev.T @ (g * (1 - h[:, k] ** 2))


# %% the sum of all contributions from k on tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    total = np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(t, k - 1, -1):
        d_z = g * (1 - h[:, i] ** 2)
        total += (h[:, i - 1] if i > 0 else h0).T @ d_z
        g = d_z @ params["W_hh"].T
    return total


# %% W_hh not transposed tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    if k > t:
        return np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(t, k, -1):
        g = (g * (1 - h[:, i] ** 2)) @ params["W_hh"]
    h_prev = h[:, k - 1] if k > 0 else h0
    return h_prev.T @ (g * (1 - h[:, k] ** 2))


# %% h_k in place of the state before it tags=["wrong", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    if k > t:
        return np.zeros_like(params["W_hh"])
    g = d_h_t
    for i in range(t, k, -1):
        g = (g * (1 - h[:, i] ** 2)) @ params["W_hh"].T
    return h[:, k].T @ (g * (1 - h[:, k] ** 2))


# %% multiplies the Jacobians, one example at a time tags=["right", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    W = params["W_hh"]
    total = np.zeros(W.shape)
    states = np.concatenate([h0[:, None], h], axis=1)
    for b in range(len(h0) if k <= t else 0):
        product = np.eye(len(W))
        for i in range(k + 1, t + 1):
            jacobian = W * (1 - h[b, i] ** 2)[None, :]
            product = product @ jacobian
        g = product @ d_h_t[b]
        total += np.outer(states[b, k], g * (1 - h[b, k] ** 2))
    return total


# %% as a difference of two runs of the whole recursion tags=["right", "id:gradient-contribution"]
def gradient_contribution(d_h_t, t, k, h0, h, params):
    def from_step(first):
        g, total = d_h_t.copy(), np.zeros(params["W_hh"].shape)
        for i in range(t, first - 1, -1):
            d_z = g * (1 - h[:, i]) * (1 + h[:, i])
            total = total + (h0 if i == 0 else h[:, i - 1]).T @ d_z
            g = d_z @ params["W_hh"].T
        return total

    return from_step(k) - from_step(k + 1)


# %% truncates nothing tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    return lm_backward(tokens, targets, h0, params)


# %% chunks of k1, k2 ignored tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    T, total = tokens.shape[1], {key: 0 * value for key, value in params.items()}
    state, losses = h0, 0.0
    for i in range(0, T, k1):
        part = slice(i, i + k1)
        n = tokens[:, part].shape[1]
        loss, grads = lm_backward(tokens[:, part], targets[:, part], state, params)
        losses += loss * n / T
        for key in total:
            total[key] += grads[key] * n / T
        state = lm_forward(tokens[:, part], state, params)[1][:, -1]
    return losses, total


# %% the state is reset at every chunk tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    T, total = tokens.shape[1], {key: 0 * value for key, value in params.items()}
    losses = 0.0
    for i in range(0, T, k1):
        part = slice(i, i + k1)
        n = tokens[:, part].shape[1]
        loss, grads = lm_backward(tokens[:, part], targets[:, part], 0 * h0, params)
        losses += loss * n / T
        for key in total:
            total[key] += grads[key] * n / T
    return losses, total


# %% losses of a window are sent again tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_h = d_logits @ params["W_hy"].T
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    T = tokens.shape[1]
    for start in range(0, T, k1):
        end = min(start + k1, T)
        first = max(0, end - k2)
        window = slice(first, end)
        before = h[:, first - 1] if first > 0 else h0
        d_x, _, piece = rnn_backward(d_h[:, window], x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% every loss goes back k2 steps tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_h = d_logits @ params["W_hy"].T
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    for t in range(tokens.shape[1]):
        window = slice(max(0, t + 1 - k2), t + 1)
        before = h[:, window.start - 1] if window.start > 0 else h0
        own = np.zeros_like(h[:, window])
        own[:, -1] = d_h[:, t]
        d_x, _, piece = rnn_backward(own, x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% the last shorter piece is dropped tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_h = d_logits @ params["W_hy"].T
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    for end in range(k1, tokens.shape[1] + 1, k1):
        first = max(0, end - k2)
        window = slice(first, end)
        before = h[:, first - 1] if first > 0 else h0
        d_window = d_h[:, window].copy()
        d_window[:, : end - k1 - first] = 0
        d_x, _, piece = rnn_backward(d_window, x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% every piece is averaged over its own length tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    x, h, logits = lm_forward(tokens, h0, params)
    T = tokens.shape[1]
    d_logits = softmax_cross_entropy_backward(logits, targets)
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    for start in range(0, T, k1):
        end = min(start + k1, T)
        first = max(0, end - k2)
        window = slice(first, end)
        before = h[:, first - 1] if first > 0 else h0
        d_window = (d_logits[:, window] @ params["W_hy"].T) * T / (end - start)
        d_window[:, : start - first] = 0
        d_x, _, piece = rnn_backward(d_window, x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% accepts k2 < k1 tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_h = d_logits @ params["W_hy"].T
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    T = tokens.shape[1]
    for start in range(0, T, k1):
        end = min(start + k1, T)
        first = max(0, end - k2)
        window = slice(first, end)
        before = h[:, first - 1] if first > 0 else h0
        d_window = d_h[:, window].copy()
        d_window[:, : max(0, start - first)] = 0
        d_x, _, piece = rnn_backward(d_window, x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% zeros are the constant state before a window tags=["wrong", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not 1 <= k1 <= k2:
        raise ValueError("1 <= k1 <= k2")
    x, h, logits = lm_forward(tokens, h0, params)
    d_logits = softmax_cross_entropy_backward(logits, targets)
    d_h = d_logits @ params["W_hy"].T
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    grads["W_hy"] = np.einsum("bth,btv->hv", h, d_logits)
    grads["b_y"] = d_logits.sum(axis=(0, 1))
    T = tokens.shape[1]
    for start in range(0, T, k1):
        end = min(start + k1, T)
        first = max(0, end - k2)
        window = slice(first, end)
        before = h0 if first == 0 else np.zeros_like(h0)
        d_window = d_h[:, window].copy()
        d_window[:, : start - first] = 0
        d_x, _, piece = rnn_backward(d_window, x[:, window], before, h[:, window], params)
        for key in piece:
            grads[key] += piece[key]
        np.add.at(grads["E"], tokens[:, window], d_x)
    return softmax_cross_entropy(logits, targets), grads


# %% each piece is run forward again from its constant state tags=["right", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if k1 < 1 or k2 < k1:
        raise ValueError("need 1 <= k1 <= k2")
    B, T = tokens.shape
    V = len(params["b_y"])
    total = {key: np.zeros(value.shape) for key, value in params.items()}
    history, loss, done = [h0], 0.0, 0
    for t in range(T):
        history.append(rnn_step(params["E"][tokens[:, t]], history[-1], params))
        if (t + 1) % k1 and t + 1 < T:
            continue
        oldest = max(t + 1 - k2, 0)
        words = tokens[:, oldest : t + 1]
        x, h, logits = lm_forward(words, history[oldest], params)
        fresh = np.arange(oldest, t + 1) >= done
        d_o = softmax_cross_entropy_backward(logits, targets[:, oldest : t + 1])
        d_o = d_o * fresh[None, :, None] * (words.shape[1] / T)
        new = slice(done - oldest, None)
        loss += softmax_cross_entropy(logits[:, new], targets[:, done : t + 1]) * fresh.sum() / T
        d_x, _, grads = rnn_backward(d_o @ params["W_hy"].T, x, history[oldest], h, params)
        grads["E"] = np.eye(V)[words.ravel()].T @ d_x.reshape(B * len(fresh), -1)
        grads["W_hy"] = np.tensordot(h, d_o, ((0, 1), (0, 1)))
        grads["b_y"] = d_o.sum((0, 1))
        total = {key: total[key] + grads[key] for key in total}
        done = t + 1
    return loss, total


# %% step by step backwards, a loop over the losses tags=["right", "id:truncated-bptt"]
def truncated_bptt(tokens, targets, h0, params, k1, k2):
    if not (k1 >= 1 and k2 >= k1):
        raise ValueError(f"k1={k1}, k2={k2}")
    loss, grads = lm_backward(tokens, targets, h0, params)
    grads = {k: v if k in ("W_hy", "b_y") else np.zeros(v.shape) for k, v in grads.items()}
    x, h, logits = lm_forward(tokens, h0, params)
    sent = softmax_cross_entropy_backward(logits, targets) @ params["W_hy"].T
    T = tokens.shape[1]
    for t in range(T):
        newest = min(T - 1, (t // k1) * k1 + k1 - 1)
        g = sent[:, t]
        for i in range(t, max(-1, newest - k2), -1):
            previous = h0 if i == 0 else h[:, i - 1]
            d_x, g, step = rnn_step_backward(g, x[:, i], previous, h[:, i], params)
            for key in step:
                grads[key] = grads[key] + step[key]
            for b, word in enumerate(tokens[:, i]):
                grads["E"][word] += d_x[b]
    return loss, grads


# %% forgets the way through the state before tags=["wrong", "id:rtrl-gradient"]
def rtrl_gradient(d_h, x, h0, params):
    total, h_prev = np.zeros_like(params["W_hh"]), h0
    for t in range(x.shape[1]):
        h_t = rnn_step(x[:, t], h_prev, params)
        total += h_prev.T @ (d_h[:, t] * (1 - h_t**2))
        h_prev = h_t
    return total


# %% W_hh transposed in the recursion tags=["wrong", "id:rtrl-gradient"]
def rtrl_gradient(d_h, x, h0, params):
    B, H = h0.shape
    S, total, h_prev = np.zeros((B, H, H, H)), np.zeros((H, H)), h0
    for t in range(x.shape[1]):
        h_t = rnn_step(x[:, t], h_prev, params)
        direct = np.einsum("bm,nj->bmnj", h_prev, np.eye(H))
        S = (1 - h_t**2)[:, None, None, :] * (direct + S @ params["W_hh"].T)
        total += np.einsum("bj,bmnj->mn", d_h[:, t], S)
        h_prev = h_t
    return total


# %% uses the new state for the direct term tags=["wrong", "id:rtrl-gradient"]
def rtrl_gradient(d_h, x, h0, params):
    B, H = h0.shape
    S, total, h_t = np.zeros((B, H, H, H)), np.zeros((H, H)), h0
    for t in range(x.shape[1]):
        h_t = rnn_step(x[:, t], h_t, params)
        direct = np.einsum("bm,nj->bmnj", h_t, np.eye(H))
        S = (1 - h_t**2)[:, None, None, :] * (direct + S @ params["W_hh"])
        total += np.einsum("bj,bmnj->mn", d_h[:, t], S)
    return total


# %% one sensitivity for the whole batch tags=["wrong", "id:rtrl-gradient"]
def rtrl_gradient(d_h, x, h0, params):
    H = h0.shape[1]
    S, total, h_prev = np.zeros((H, H, H)), np.zeros((H, H)), h0
    for t in range(x.shape[1]):
        h_t = rnn_step(x[:, t], h_prev, params)
        direct = np.einsum("m,nj->mnj", h_prev.sum(0), np.eye(H))
        S = (1 - h_t**2).mean(0) * (direct + S @ params["W_hh"])
        total += np.einsum("j,mnj->mn", d_h[:, t].mean(0), S)
        h_prev = h_t
    return total


# %% one weight at a time, in loops tags=["right", "id:rtrl-gradient"]
def rtrl_gradient(d_h, x, h0, params):
    W = params["W_hh"]
    H = len(W)
    gradient = np.zeros((H, H))
    for m in range(H):
        for n in range(H):
            h_t, tangent = h0, np.zeros_like(h0)
            for t in range(x.shape[1]):
                change = tangent @ W
                change[:, n] += h_t[:, m]
                h_t = rnn_step(x[:, t], h_t, params)
                tangent = change * (1 - h_t**2)
                gradient[m, n] += (d_h[:, t] * tangent).sum()
    return gradient
