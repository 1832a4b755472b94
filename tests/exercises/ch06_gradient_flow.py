# Wrong and right answers to solutions/ch06_gradient_flow.py. Data, never imported: each cell
# replaces one exercise cell, see bank_harness.py.
# ruff: noqa

# %% W_hh not transposed tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return (1 - h**2)[:, :, None] * W_hh


# %% the slopes scale the columns tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return (1 - h**2)[:, None, :] * W_hh.T


# %% slope 1 - h without the square tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return (1 - h)[:, :, None] * W_hh.T


# %% forgets the slope tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return np.tile(W_hh.T, (len(h), 1, 1))


# %% applies the tanh a second time tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return (1 - np.tanh(h) ** 2)[:, :, None] * W_hh.T


# %% mean over the batch tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return np.diag((1 - h**2).mean(axis=0)) @ W_hh.T


# %% slope of the first example for all tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    return np.stack([np.diag(1 - h[0] ** 2) @ W_hh.T for _ in h])


# %% squares h in place tags=["wrong", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    h *= h
    return (1 - h)[:, :, None] * W_hh.T


# %% a diagonal matrix for each example tags=["right", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    out = []
    for state in h:
        out.append(np.diag((1 + state) * (1 - state)).dot(W_hh.transpose()))
    return np.array(out)


# %% einsum tags=["right", "id:step-jacobian"]
def step_jacobian(h, W_hh):
    slope = 1 / np.cosh(np.arctanh(h)) ** 2
    return np.einsum("bi,ji->bij", slope, W_hh)


# %% factors in reverse order tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    product = np.stack([np.eye(H)] * B)
    for i in range(k + 1, t + 1):
        product = product @ step_jacobian(h[:, i], W_hh)
    return product


# %% steps k to t - 1 tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    product = np.stack([np.eye(H)] * B)
    for i in range(k, t):
        product = step_jacobian(h[:, i], W_hh) @ product
    return product


# %% includes step k tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    product = np.stack([np.eye(H)] * B)
    for i in range(k, t + 1):
        product = step_jacobian(h[:, i], W_hh) @ product
    return product


# %% leaves out step t tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    product = np.stack([np.eye(H)] * B)
    for i in range(k + 1, t):
        product = step_jacobian(h[:, i], W_hh) @ product
    return product


# %% multiplies entry by entry tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    if t == k:
        return np.stack([np.eye(H)] * B)
    product = np.ones((B, H, H))
    for i in range(k + 1, t + 1):
        product = step_jacobian(h[:, i], W_hh) * product
    return product


# %% pulls the power of W_hh out of the product tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    slopes = np.prod(1 - h[:, k + 1 : t + 1] ** 2, axis=1)
    return slopes[:, :, None] * np.linalg.matrix_power(W_hh.T, t - k)


# %% zeros instead of the identity for t = k tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    if not 0 <= k <= t < T:
        raise ValueError("bad indices")
    if t == k:
        return np.zeros((B, H, H))
    product = step_jacobian(h[:, t], W_hh)
    for i in range(t - 1, k, -1):
        product = product @ step_jacobian(h[:, i], W_hh)
    return product


# %% accepts t < k tags=["wrong", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    B, T, H = h.shape
    product = np.stack([np.eye(H)] * B)
    for i in range(k + 1, t + 1):
        product = step_jacobian(h[:, i], W_hh) @ product
    return product


# %% from the left, without the earlier part tags=["right", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    if k < 0 or t < k or t > h.shape[1] - 1:
        raise ValueError(f"t={t} k={k}")
    out = np.empty((h.shape[0], h.shape[2], h.shape[2]))
    for b, states in enumerate(h):
        M = np.identity(h.shape[2])
        for i in reversed(range(k + 1, t + 1)):
            M = M.dot(np.diag(1 - states[i] ** 2)).dot(W_hh.T)
        out[b] = M
    return out


# %% recursion tags=["right", "id:jacobian-product"]
def jacobian_product(h, W_hh, t, k):
    if t < k or k < 0 or t >= h.shape[1]:
        raise ValueError("0 <= k <= t < T")
    if t == k:
        return np.repeat(np.eye(h.shape[2])[None], len(h), axis=0)
    latest = np.einsum("bi,ji->bij", 1 - h[:, t] ** 2, W_hh)
    return np.einsum("bij,bjk->bik", latest, jacobian_product(h, W_hh, t - 1, k))


# %% slope of the step it arrives at tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms, g = np.zeros((B, T)), d_last
    norms[:, -1] = np.linalg.norm(g, axis=1)
    for t in reversed(range(T - 1)):
        g = (g * (1 - h[:, t] ** 2)) @ W_hh.T
        norms[:, t] = np.linalg.norm(g, axis=1)
    return norms


# %% W_hh not transposed on the way back tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms, g = np.zeros((B, T)), d_last
    for t in reversed(range(T)):
        norms[:, t] = np.linalg.norm(g, axis=1)
        g = (g * (1 - h[:, t] ** 2)) @ W_hh
    return norms


# %% slope applied after the matrix tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms, g = np.zeros((B, T)), d_last
    for t in reversed(range(T)):
        norms[:, t] = np.linalg.norm(g, axis=1)
        g = (g @ W_hh.T) * (1 - h[:, t] ** 2)
    return norms


# %% reversed order tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    g, norms = d_last, []
    for t in reversed(range(h.shape[1])):
        norms.append(np.linalg.norm(g, axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_hh.T
    return np.stack(norms, axis=1)


# %% one norm for the whole batch tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms, g = np.zeros((B, T)), d_last
    for t in reversed(range(T)):
        norms[:, t] = np.linalg.norm(g)
        g = (g * (1 - h[:, t] ** 2)) @ W_hh.T
    return norms


# %% first step back before the first norm tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms, g = np.zeros((B, T)), d_last
    for t in reversed(range(T)):
        g = (g * (1 - h[:, t] ** 2)) @ W_hh.T
        norms[:, t] = np.linalg.norm(g, axis=1)
    return norms


# %% norm of the Jacobian product instead tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms = np.zeros((B, T))
    for k in range(T):
        M = jacobian_product(h, W_hh, T - 1, k)
        norms[:, k] = np.linalg.norm(M, 2, axis=(1, 2)) * np.linalg.norm(d_last, axis=1)
    return norms


# %% overwrites d_last tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    B, T, _ = h.shape
    norms = np.zeros((B, T))
    for t in reversed(range(T)):
        norms[:, t] = np.linalg.norm(d_last, axis=1)
        d_last[:] = (d_last * (1 - h[:, t] ** 2)) @ W_hh.T
    return norms


# %% the gradient as a column tags=["wrong", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    T = h.shape[1]
    rows = [jacobian_product(h, W_hh, T - 1, k) @ d_last[:, :, None] for k in range(T)]
    return np.stack([np.sqrt((row[:, :, 0] ** 2).sum(axis=1)) for row in rows], axis=1)


# %% by Jacobian products, row by row tags=["right", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    T = h.shape[1]
    columns = []
    for k in range(T):
        row = d_last[:, None, :] @ jacobian_product(h, W_hh, T - 1, k)
        columns.append(np.sqrt((row[:, 0] ** 2).sum(-1)))
    return np.column_stack(columns)


# %% one example at a time tags=["right", "id:gradient-norms"]
def gradient_norms(d_last, h, W_hh):
    out = []
    for g, states in zip(d_last, h):
        lengths = [np.sqrt(g @ g)]
        for state in states[:0:-1]:
            g = W_hh @ (g - g * state * state)
            lengths.insert(0, np.sqrt(g @ g))
        out.append(lengths)
    return np.array(out)


# %% largest singular value tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.linalg.norm(W, 2)
    if largest == 0 or np.abs(np.linalg.eigvals(W)).max() <= 1e-10 * largest:
        raise ValueError("zero")
    return W * radius / largest


# %% no absolute value tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.linalg.eigvals(W).max()
    if abs(largest) <= 1e-10 * np.linalg.norm(W):
        raise ValueError("zero")
    return (W * (radius / largest)).real


# %% real part of the eigenvalues tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.abs(np.linalg.eigvals(W).real).max()
    if largest <= 1e-10 * np.linalg.norm(W):
        raise ValueError("zero")
    return W * (radius / largest)


# %% multiplies by the radius tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    if np.abs(np.linalg.eigvals(W)).max() <= 1e-10 * np.linalg.norm(W):
        raise ValueError("zero")
    return W * radius


# %% eigenvalues of the symmetric part tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.abs(np.linalg.eigvalsh((W + W.T) / 2)).max()
    if largest <= 1e-10 * np.linalg.norm(W):
        raise ValueError("zero")
    return W * (radius / largest)


# %% only the zero matrix is refused tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.abs(np.linalg.eigvals(W)).max()
    if not W.any():
        raise ValueError("zero")
    return W * (radius / largest) if largest > 0 else W


# %% an absolute threshold tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.abs(np.linalg.eigvals(W)).max()
    if largest < 1e-10:
        raise ValueError("zero")
    return W * (radius / largest)


# %% in place tags=["wrong", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    largest = np.abs(np.linalg.eigvals(W)).max()
    if largest <= 1e-10 * np.linalg.norm(W):
        raise ValueError("zero")
    W *= radius / largest
    return W


# %% divides first tags=["right", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    values, _ = np.linalg.eig(W)
    rho = max(np.hypot(v.real, v.imag) for v in values)
    if rho <= 1e-10 * np.linalg.norm(W, 2):
        raise ValueError(f"spectral radius {rho}")
    return radius * (W / rho)


# %% eigenvalues of the transpose tags=["right", "id:rescale-spectral-radius"]
def rescale_spectral_radius(W, radius):
    size = np.abs(W).sum()
    rho = np.sqrt(np.max((np.linalg.eigvals(W.T) * np.conj(np.linalg.eigvals(W.T))).real))
    if not rho > 1e-10 * size:
        raise ValueError("nilpotent")
    return np.array([[w * radius / rho for w in row] for row in W])


# %% spectral radius instead of the singular value tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.abs(np.linalg.eigvals(W_hh)).max() * (1 - h**2).max(axis=2)
    bound = np.ones(stretch.shape)
    for t in reversed(range(h.shape[1] - 1)):
        bound[:, t] = bound[:, t + 1] * stretch[:, t + 1]
    return bound


# %% Frobenius norm tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.linalg.norm(W_hh) * (1 - h**2).max(axis=2)
    bound = np.ones(stretch.shape)
    for t in reversed(range(h.shape[1] - 1)):
        bound[:, t] = bound[:, t + 1] * stretch[:, t + 1]
    return bound


# %% mean slope tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.linalg.norm(W_hh, 2) * (1 - h**2).mean(axis=2)
    bound = np.ones(stretch.shape)
    for t in reversed(range(h.shape[1] - 1)):
        bound[:, t] = bound[:, t + 1] * stretch[:, t + 1]
    return bound


# %% without the slopes tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    B, T, _ = h.shape
    return np.tile(np.linalg.norm(W_hh, 2) ** np.arange(T)[::-1], (B, 1))


# %% slopes shifted by one step tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.linalg.norm(W_hh, 2) * (1 - h**2).max(axis=2)
    bound = np.ones(stretch.shape)
    for t in reversed(range(h.shape[1] - 1)):
        bound[:, t] = bound[:, t + 1] * stretch[:, t]
    return bound


# %% the last column is not 1 tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.linalg.norm(W_hh, 2) * (1 - h**2).max(axis=2)
    return np.cumprod(stretch[:, ::-1], axis=1)[:, ::-1]


# %% in reverse order tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.linalg.norm(W_hh, 2) * (1 - h**2).max(axis=2)
    ones = np.ones((len(h), 1))
    return np.cumprod(np.concatenate([ones, stretch[:, :0:-1]], axis=1), axis=1)


# %% one slope for the whole batch tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    stretch = np.linalg.norm(W_hh, 2) * np.tile((1 - h**2).max(axis=(0, 2)), (len(h), 1))
    bound = np.ones(stretch.shape)
    for t in reversed(range(h.shape[1] - 1)):
        bound[:, t] = bound[:, t + 1] * stretch[:, t + 1]
    return bound


# %% norms of whole Jacobians tags=["wrong", "id:decay-bound"]
def decay_bound(h, W_hh):
    B, T, _ = h.shape
    bound = np.ones((B, T))
    for t in reversed(range(T - 1)):
        J = step_jacobian(h[:, t + 1], W_hh)
        bound[:, t] = bound[:, t + 1] * np.linalg.norm(J, 2, axis=(1, 2))
    return bound


# %% cumulative product from the end tags=["right", "id:decay-bound"]
def decay_bound(h, W_hh):
    top = np.linalg.svd(W_hh, compute_uv=False)[0]
    slope = 1 - np.abs(h).min(axis=-1) ** 2
    factors = np.concatenate([top * slope[:, 1:], np.ones((len(h), 1))], axis=1)
    return np.flip(np.cumprod(np.flip(factors, 1), axis=1), 1)


# %% example by example tags=["right", "id:decay-bound"]
def decay_bound(h, W_hh):
    top = np.sqrt(np.max(np.linalg.eigvalsh(W_hh.T @ W_hh)))
    rows = []
    for states in h:
        row = [1.0]
        for state in states[:0:-1]:
            row.append(row[-1] * top * max(1 - v * v for v in state))
        rows.append(row[::-1])
    return np.array(rows)


# %% each parameter by its own norm tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    clipped = {}
    for key, g in grads.items():
        own = np.sqrt((g**2).sum())
        clipped[key] = g * (max_norm / own if own > max_norm else 1.0)
    return clipped, norm


# %% each entry by itself tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    return {key: np.clip(g, -max_norm, max_norm) for key, g in grads.items()}, norm


# %% always normalises tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    factor = max_norm / norm if norm > 0 else 1.0
    return {key: factor * g for key, g in grads.items()}, norm


# %% returns the norm after clipping tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    factor = max_norm / norm if norm > max_norm else 1.0
    return {key: factor * g for key, g in grads.items()}, min(norm, max_norm)


# %% in place tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    if norm > max_norm:
        for g in grads.values():
            g *= max_norm / norm
    return grads, norm


# %% sum of the norms tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(sum(np.sqrt((g**2).sum()) for g in grads.values()))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    factor = max_norm / norm if norm > max_norm else 1.0
    return {key: factor * g for key, g in grads.items()}, norm


# %% divides by zero tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    factor = np.minimum(1.0, np.float64(max_norm) / (norm or np.float64(np.nan)))
    return {key: factor * g for key, g in grads.items()}, norm


# %% a constant added to the norm tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    factor = min(1.0, max_norm / (norm + 1e-6))
    return {key: factor * g for key, g in grads.items()}, norm


# %% lets NaN through tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0:
        raise ValueError("bad")
    factor = max_norm / norm if norm > max_norm else 1.0
    return {key: factor * g for key, g in grads.items()}, norm


# %% divides by the norm and forgets the threshold tags=["wrong", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = float(np.sqrt(sum((g**2).sum() for g in grads.values())))
    if max_norm <= 0 or not np.isfinite(norm):
        raise ValueError("bad")
    factor = 1 / norm if norm > max_norm else 1.0
    return {key: factor * g for key, g in grads.items()}, norm


# %% one long vector tags=["right", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    whole = np.concatenate([np.ravel(g) for g in grads.values()])
    norm = np.linalg.norm(whole)
    if not (np.isfinite(norm) and max_norm > 0):
        raise ValueError(f"norm {norm}, max_norm {max_norm}")
    scale = 1.0 if norm <= max_norm else norm / max_norm
    return {key: np.asarray(g / scale) for key, g in grads.items()}, float(norm)


# %% with hypot, one entry after the other tags=["right", "id:clip-by-global-norm"]
def clip_by_global_norm(grads, max_norm):
    norm = 0.0
    for g in grads.values():
        for entry in g.flat:
            norm = np.hypot(norm, entry)
    if np.isnan(norm) or np.isinf(norm) or max_norm <= 0:
        raise ValueError("cannot clip")
    out = {}
    for key in grads:
        out[key] = grads[key].copy()
        if norm > max_norm:
            out[key] = np.asarray(out[key] * max_norm / norm)
    return out, norm


# %% without the signs of R tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    return gain * np.linalg.qr(rng.normal(size=(H, H)))[0]


# %% not orthogonal tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    return gain * rng.normal(size=(H, H)) / np.sqrt(H)


# %% columns of length one, not orthogonal tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    A = rng.normal(size=(H, H))
    return gain * A / np.linalg.norm(A, axis=0)


# %% ignores the gain tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    Q, R = np.linalg.qr(rng.normal(size=(H, H)))
    return Q * np.sign(np.diag(R))


# %% always the identity tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    return gain * np.eye(H)


# %% a generator of its own tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    rng = np.random.default_rng(0)
    Q, R = np.linalg.qr(rng.normal(size=(H, H)))
    return gain * Q * np.sign(np.diag(R))


# %% multiplies by R's diagonal instead of its sign tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    Q, R = np.linalg.qr(rng.normal(size=(H, H)))
    return gain * Q * np.diag(R)


# %% always a rotation tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    Q, R = np.linalg.qr(rng.normal(size=(H, H)))
    Q = Q * np.sign(np.diag(R))
    return gain * Q * np.sign(np.linalg.det(Q))


# %% uniform entries tags=["wrong", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    Q, R = np.linalg.qr(rng.uniform(size=(H, H)))
    return gain * Q * np.sign(np.diag(R))


# %% Gram and Schmidt by hand tags=["right", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    rows = []
    for _ in range(H):
        v = rng.standard_normal(H)
        for _ in range(2):
            for row in rows:
                v = v - (v @ row) * row
        rows.append(v / np.linalg.norm(v))
    return gain * np.array(rows)


# %% polar factor by the singular value decomposition tags=["right", "id:orthogonal-init"]
def orthogonal_init(H, rng, gain=1.0):
    U, _, V = np.linalg.svd(rng.normal(size=(H, H)))
    return gain * (U @ V)


# %% goes back one step too far tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(x.shape[1]):
        far = states[t - skip] if t >= skip else np.zeros_like(h0)
        z = x[:, t] @ params["W_xh"] + states[-1] @ params["W_hh"] + far @ params["W_sh"]
        states.append(np.tanh(z + params["b_h"]))
    return np.stack(states[1:], axis=1)


# %% h0 also before the start tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        far = states[max(t - skip, 0)]
        z = x[:, t - 1] @ params["W_xh"] + states[-1] @ params["W_hh"] + far @ params["W_sh"]
        states.append(np.tanh(z + params["b_h"]))
    return np.stack(states[1:], axis=1)


# %% negative index wraps around tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    h, prev = np.zeros((x.shape[0], x.shape[1], h0.shape[1])), h0
    for t in range(x.shape[1]):
        far = h[:, t - skip] if t >= skip else np.zeros_like(h0)
        z = x[:, t] @ params["W_xh"] + prev @ params["W_hh"] + far @ params["W_sh"]
        prev = np.tanh(z + params["b_h"])
        h[:, t] = prev
    return h


# %% the two matrices exchanged tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        far = states[t - skip] if t >= skip else np.zeros_like(h0)
        z = x[:, t - 1] @ params["W_xh"] + states[-1] @ params["W_sh"] + far @ params["W_hh"]
        states.append(np.tanh(z + params["b_h"]))
    return np.stack(states[1:], axis=1)


# %% the short-cut is added after the tanh tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        far = states[t - skip] if t >= skip else np.zeros_like(h0)
        z = x[:, t - 1] @ params["W_xh"] + states[-1] @ params["W_hh"] + params["b_h"]
        states.append(np.tanh(z) + far @ params["W_sh"])
    return np.stack(states[1:], axis=1)


# %% the short-cut replaces the short step tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        z = x[:, t - 1] @ params["W_xh"] + params["b_h"]
        z = z + (states[t - skip] @ params["W_sh"] if t >= skip else states[-1] @ params["W_hh"])
        states.append(np.tanh(z))
    return np.stack(states[1:], axis=1)


# %% the bias is forgotten tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        far = states[t - skip] if t >= skip else np.zeros_like(h0)
        z = x[:, t - 1] @ params["W_xh"] + states[-1] @ params["W_hh"] + far @ params["W_sh"]
        states.append(np.tanh(z))
    return np.stack(states[1:], axis=1)


# %% returns h0 as well tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip < 1:
        raise ValueError("skip")
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        far = states[t - skip] if t >= skip else np.zeros_like(h0)
        z = x[:, t - 1] @ params["W_xh"] + states[-1] @ params["W_hh"] + far @ params["W_sh"]
        states.append(np.tanh(z + params["b_h"]))
    return np.stack(states, axis=1)


# %% accepts a skip of zero tags=["wrong", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    states = [h0]
    for t in range(1, x.shape[1] + 1):
        far = states[t - max(skip, 1)] if t >= max(skip, 1) else np.zeros_like(h0)
        z = x[:, t - 1] @ params["W_xh"] + states[-1] @ params["W_hh"] + far @ params["W_sh"]
        states.append(np.tanh(z + params["b_h"]))
    return np.stack(states[1:], axis=1)


# %% a queue of the last states tags=["right", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    from collections import deque

    if not skip >= 1:
        raise ValueError(f"skip = {skip}")
    queue = deque([np.zeros(h0.shape)] * (skip - 1) + [h0], maxlen=skip)
    out = np.empty((*x.shape[:2], h0.shape[1]))
    for t in range(x.shape[1]):
        near, far = queue[-1], queue[0]
        joined = np.concatenate([x[:, t], near, far], axis=1)
        matrix = np.concatenate([params["W_xh"], params["W_hh"], params["W_sh"]])
        out[:, t] = np.tanh(joined @ matrix + params["b_h"])
        queue.append(out[:, t])
    return out


# %% a padded array and one example at a time tags=["right", "id:skip-rnn-forward"]
def skip_rnn_forward(x, h0, params, skip):
    if skip <= 0:
        raise ValueError("skip must be at least 1")
    B, T, _ = x.shape
    H = h0.shape[1]
    result = []
    for b in range(B):
        line = np.zeros((skip + T, H))
        line[skip - 1] = h0[b]
        for t in range(skip, skip + T):
            z = params["b_h"] + x[b, t - skip].dot(params["W_xh"])
            z += line[t - 1].dot(params["W_hh"]) + line[t - skip].dot(params["W_sh"])
            line[t] = np.tanh(z)
        result.append(line[skip:])
    return np.array(result)


# %% only the short step tags=["wrong", "id:skip-gradient-norms"]
def skip_gradient_norms(d_last, h, params, skip):
    return gradient_norms(d_last, h, params["W_hh"])


# %% the short-cut counts from the wrong step tags=["wrong", "id:skip-gradient-norms"]
def skip_gradient_norms(d_last, h, params, skip):
    B, T, H = h.shape
    norms, delta = np.zeros((B, T)), np.zeros((B, T + skip + 1, H))
    for t in reversed(range(T)):
        g = delta[:, t + 1] @ params["W_hh"].T + delta[:, t + skip + 1] @ params["W_sh"].T
        g = d_last if t == T - 1 else g
        norms[:, t] = np.linalg.norm(g, axis=1)
        delta[:, t] = g * (1 - h[:, t] ** 2)
    return norms


# %% the slope of the wrong step tags=["wrong", "id:skip-gradient-norms"]
def skip_gradient_norms(d_last, h, params, skip):
    B, T, H = h.shape
    norms, g = np.zeros((B, T)), np.zeros((B, T + skip, H))
    g[:, T - 1] = d_last
    for t in reversed(range(T)):
        if t < T - 1:
            slope = 1 - h[:, t] ** 2
            g[:, t] = (g[:, t + 1] * slope) @ params["W_hh"].T
            g[:, t] += (g[:, t + skip] * slope) @ params["W_sh"].T
        norms[:, t] = np.linalg.norm(g[:, t], axis=1)
    return norms


# %% pushes forward to the earlier steps tags=["right", "id:skip-gradient-norms"]
def skip_gradient_norms(d_last, h, params, skip):
    T = h.shape[1]
    g = [np.zeros_like(d_last) for _ in range(T)]
    g[-1] = d_last
    for t in range(T - 1, -1, -1):
        delta = g[t] * (1 - h[:, t] ** 2)
        if t >= 1:
            g[t - 1] = g[t - 1] + delta @ params["W_hh"].T
        if t >= skip:
            g[t - skip] = g[t - skip] + delta @ params["W_sh"].T
    return np.sqrt((np.stack(g, axis=1) ** 2).sum(axis=2))
