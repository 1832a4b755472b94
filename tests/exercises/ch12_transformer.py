# Wrong and right answers to solutions/ch12_transformer.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% does not divide the scores tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1)
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights


# %% divides by the width instead of its root tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / q.shape[-1]
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights


# %% masks after the softmax tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        weights = weights * mask
    return weights @ v, weights


# %% mask the wrong way round tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        scores = scores.masked_fill(mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights


# %% softmax over the queries tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-2)
    return weights @ v, weights


# %% lets a row of nothing pass tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(-1)
    return weights @ v, weights


# %% a mild penalty for masked keys tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        scores = scores - 10.0 * ~mask
    weights = scores.softmax(-1)
    return weights @ v, weights


# %% exponentials without a shift tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    e = torch.exp(q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1]))
    if mask is not None:
        if not mask.any(-1).all():
            raise ValueError("a row of the mask is all False")
        e = e * mask
    weights = e / e.sum(-1, keepdim=True)
    return weights @ v, weights


# %% forgets the mask when it returns the weights tags=["wrong", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.softmax(-1)
    if mask is None:
        return weights @ v, weights
    if not mask.any(-1).all():
        raise ValueError("a row of the mask is all False")
    return scores.masked_fill(~mask, -math.inf).softmax(-1) @ v, weights


# %% scaled queries, einsum, where tags=["right", "id:scaled-dot-product-attention"]
def scaled_dot_product_attention(q, k, v, mask=None):
    if mask is not None and (mask.sum(-1) == 0).any():
        raise ValueError("nothing to attend to")
    scores = torch.einsum("...tk,...sk->...ts", q * q.shape[-1] ** -0.5, k)
    if mask is not None:
        scores = torch.where(mask, scores, scores.new_tensor(float("-inf")))
    e = torch.exp(scores - scores.max(-1, keepdim=True).values)
    weights = e / e.sum(-1, keepdim=True)
    return torch.einsum("...ts,...sm->...tm", weights, v), weights


# %% reshapes instead of transposing tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    B, T, D = x.shape
    if D % N:
        raise ValueError("heads do not divide the width")
    q = (x @ params["W_q"] + params["b_q"]).reshape(B, N, T, D // N)
    k = (source @ params["W_k"] + params["b_k"]).reshape(B, N, -1, D // N)
    v = (source @ params["W_v"] + params["b_v"]).reshape(B, N, -1, D // N)
    out, _ = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return out.reshape(B, T, D) @ params["W_o"] + params["b_o"]


# %% one wide head tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    if x.shape[-1] % N:
        raise ValueError("heads do not divide the width")
    q = x @ params["W_q"] + params["b_q"]
    k = source @ params["W_k"] + params["b_k"]
    v = source @ params["W_v"] + params["b_v"]
    return scaled_dot_product_attention(q, k, v, mask)[0] @ params["W_o"] + params["b_o"]


# %% forgets the output projection tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    if x.shape[-1] % N:
        raise ValueError("heads do not divide the width")
    q = rearrange(x @ params["W_q"] + params["b_q"], "B T (N K) -> B N T K", N=N)
    k = rearrange(source @ params["W_k"] + params["b_k"], "B T (N K) -> B N T K", N=N)
    v = rearrange(source @ params["W_v"] + params["b_v"], "B T (N K) -> B N T K", N=N)
    out, _ = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return rearrange(out, "B N T K -> B T (N K)")


# %% takes keys and values from x tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    if x.shape[-1] % N:
        raise ValueError("heads do not divide the width")
    q = rearrange(x @ params["W_q"] + params["b_q"], "B T (N K) -> B N T K", N=N)
    k = rearrange(x @ params["W_k"] + params["b_k"], "B T (N K) -> B N T K", N=N)
    v = rearrange(x @ params["W_v"] + params["b_v"], "B T (N K) -> B N T K", N=N)
    out, _ = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return rearrange(out, "B N T K -> B T (N K)") @ params["W_o"] + params["b_o"]


# %% interleaves the heads tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    if x.shape[-1] % N:
        raise ValueError("heads do not divide the width")
    q = rearrange(x @ params["W_q"] + params["b_q"], "B T (K N) -> B N T K", N=N)
    k = rearrange(source @ params["W_k"] + params["b_k"], "B T (K N) -> B N T K", N=N)
    v = rearrange(source @ params["W_v"] + params["b_v"], "B T (K N) -> B N T K", N=N)
    out, _ = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return rearrange(out, "B N T K -> B T (K N)") @ params["W_o"] + params["b_o"]


# %% ignores the mask tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    if x.shape[-1] % N:
        raise ValueError("heads do not divide the width")
    q = rearrange(x @ params["W_q"] + params["b_q"], "B T (N K) -> B N T K", N=N)
    k = rearrange(source @ params["W_k"] + params["b_k"], "B T (N K) -> B N T K", N=N)
    v = rearrange(source @ params["W_v"] + params["b_v"], "B T (N K) -> B N T K", N=N)
    out, _ = scaled_dot_product_attention(q, k, v)
    return rearrange(out, "B N T K -> B T (N K)") @ params["W_o"] + params["b_o"]


# %% joins the heads without transposing back tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    B, T, D = x.shape
    if D % N:
        raise ValueError("heads do not divide the width")
    q = rearrange(x @ params["W_q"] + params["b_q"], "B T (N K) -> B N T K", N=N)
    k = rearrange(source @ params["W_k"] + params["b_k"], "B T (N K) -> B N T K", N=N)
    v = rearrange(source @ params["W_v"] + params["b_v"], "B T (N K) -> B N T K", N=N)
    out, _ = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return out.reshape(B, T, D) @ params["W_o"] + params["b_o"]


# %% forgets the biases of the projections tags=["wrong", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    if x.shape[-1] % N:
        raise ValueError("heads do not divide the width")
    q = rearrange(x @ params["W_q"], "B T (N K) -> B N T K", N=N)
    k = rearrange(source @ params["W_k"], "B T (N K) -> B N T K", N=N)
    v = rearrange(source @ params["W_v"], "B T (N K) -> B N T K", N=N)
    out, _ = scaled_dot_product_attention(q, k, v, None if mask is None else mask.unsqueeze(-3))
    return rearrange(out, "B N T K -> B T (N K)") @ params["W_o"] + params["b_o"]


# %% the output as a sum over heads, with einsum tags=["right", "id:multi-head-attention"]
def multi_head_attention(x, source, params, N, mask=None):
    B, T, D = x.shape
    K, rest = divmod(D, N)
    if rest:
        raise ValueError("heads do not divide the width")
    W = {n: params[f"W_{n}"].reshape(D, N, K) for n in "qkv"}
    b = {n: params[f"b_{n}"].reshape(N, 1, K) for n in "qkv"}
    q = torch.einsum("btd,dnk->bntk", x, W["q"]) + b["q"]
    k = torch.einsum("bsd,dnk->bnsk", source, W["k"]) + b["k"]
    v = torch.einsum("bsd,dnk->bnsk", source, W["v"]) + b["v"]
    scores = torch.einsum("bntk,bnsk->bnts", q, k) / K**0.5
    if mask is not None:
        scores = scores + torch.zeros_like(scores).masked_fill(~mask[:, None], -math.inf)
    heads = scores.softmax(-1) @ v
    return torch.einsum("bntk,nkd->btd", heads, params["W_o"].reshape(N, K, D)) + params["b_o"]


# %% True where one may not attend tags=["wrong", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, past + T, dtype=torch.bool, device=device).triu(past + 1)


# %% cannot see itself tags=["wrong", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, past + T, dtype=torch.bool, device=device).tril(past - 1)


# %% the queries are the first positions tags=["wrong", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, past + T, dtype=torch.bool, device=device).tril()


# %% sees the future tags=["wrong", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, past + T, dtype=torch.bool, device=device).triu(past)


# %% ignores the past tags=["wrong", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()


# %% numbers instead of booleans tags=["wrong", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, past + T, device=device).tril(past)


# %% lower triangle tags=["right", "id:causal-mask"]
def causal_mask(T, past=0, device="cpu"):
    return torch.ones(T, past + T, dtype=torch.bool, device=device).tril(past)


# %% all sines first tags=["wrong", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2:
        raise ValueError("odd width")
    w = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64, device=positions.device) / D)
    angles = positions.double()[:, None] * w
    return torch.cat([angles.sin(), angles.cos()], dim=1)


# %% every column a frequency of its own tags=["wrong", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2:
        raise ValueError("odd width")
    j = torch.arange(D, dtype=torch.float64, device=positions.device)
    angles = positions.double()[:, None] / 10000.0 ** (j / D)
    return torch.where(j % 2 == 0, angles.sin(), angles.cos())


# %% the number of the pair over D tags=["wrong", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2:
        raise ValueError("odd width")
    i = torch.arange(D // 2, dtype=torch.float64, device=positions.device)
    angles = positions.double()[:, None] / 10000.0 ** (i / D)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


# %% counts positions from 1 tags=["wrong", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2:
        raise ValueError("odd width")
    w = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64, device=positions.device) / D)
    angles = (positions.double()[:, None] + 1) * w
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


# %% uses row numbers instead of the positions tags=["wrong", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2:
        raise ValueError("odd width")
    w = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64, device=positions.device) / D)
    angles = torch.arange(len(positions), device=positions.device).double()[:, None] * w
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


# %% float32 tags=["wrong", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2:
        raise ValueError("odd width")
    w = 10000.0 ** (-torch.arange(0, D, 2, device=positions.device) / D)
    angles = positions.float()[:, None] * w
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


# %% fills a table through exp and log tags=["right", "id:positional-encoding"]
def positional_encoding(positions, D):
    if D % 2 == 1:
        raise ValueError("odd width")
    table = torch.zeros(len(positions), D, dtype=torch.float64, device=positions.device)
    i = torch.arange(D // 2, dtype=torch.float64, device=positions.device)
    angles = torch.outer(positions.double(), torch.exp(-2 * i / D * math.log(10000)))
    table[:, 0::2] = torch.sin(angles)
    table[:, 1::2] = torch.sin(angles + math.pi / 2)
    return table


# %% divides by D - 1 tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return gain * centred / (x.var(-1, keepdim=True) + eps).sqrt() + bias


# %% epsilon outside the root tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    centred = x - x.mean(-1, keepdim=True)
    return gain * centred / (x.std(-1, keepdim=True, correction=0) + eps) + bias


# %% normalises over everything tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    return gain * (x - x.mean()) / (x.var(correction=0) + eps).sqrt() + bias


# %% forgets gain and bias tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + eps).sqrt()


# %% no epsilon tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    return gain * (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True, correction=0) + bias


# %% normalises over the batch tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    return gain * (x - x.mean(0)) / (x.var(0, correction=0) + eps).sqrt() + bias


# %% detaches the statistics tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    mean, var = x.detach().mean(-1, keepdim=True), x.detach().var(-1, keepdim=True, correction=0)
    return gain * (x - mean) / (var + eps).sqrt() + bias


# %% works in place tags=["wrong", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    x -= x.mean(-1, keepdim=True)
    return gain * x / (x.square().mean(-1, keepdim=True) + eps).sqrt() + bias


# %% mean of squares minus square of mean tags=["right", "id:layer-norm"]
def layer_norm(x, gain, bias, eps=1e-5):
    mean = x.sum(-1, keepdim=True) / x.shape[-1]
    variance = (x * x).mean(-1, keepdim=True) - mean * mean
    return torch.addcmul(bias, gain, (x - mean) * torch.rsqrt(variance + eps))


# %% the direct path only tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = (c.square().mean(-1, keepdim=True) + eps).sqrt()
    axes = tuple(range(x.ndim - 1))
    d_gain = (d_y * c / sigma).sum(axes) if axes else d_y * c / sigma
    return gain * d_y / sigma, d_gain, d_y.sum(axes) if axes else d_y


# %% forgets the path through sigma tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = (c.square().mean(-1, keepdim=True) + eps).sqrt()
    d_hat, D = gain * d_y, x.shape[-1]
    d_x = (d_hat - d_hat.mean(-1, keepdim=True)) / sigma
    return d_x, (d_y * c / sigma).reshape(-1, D).sum(0), d_y.reshape(-1, D).sum(0)


# %% forgets the gain tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = (c.square().mean(-1, keepdim=True) + eps).sqrt()
    x_hat, D = c / sigma, x.shape[-1]
    d_x = d_y - d_y.mean(-1, keepdim=True) - x_hat * (d_y * x_hat).mean(-1, keepdim=True)
    return d_x / sigma, (d_y * x_hat).reshape(-1, D).sum(0), d_y.reshape(-1, D).sum(0)


# %% sums where the formula has means tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = (c.square().mean(-1, keepdim=True) + eps).sqrt()
    x_hat, d_hat, D = c / sigma, gain * d_y, x.shape[-1]
    d_x = d_hat - d_hat.sum(-1, keepdim=True) - x_hat * (d_hat * x_hat).sum(-1, keepdim=True)
    return d_x / sigma, (d_y * x_hat).reshape(-1, D).sum(0), d_y.reshape(-1, D).sum(0)


# %% sums the parameters' gradients over the batch only tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = (c.square().mean(-1, keepdim=True) + eps).sqrt()
    x_hat, d_hat = c / sigma, gain * d_y
    d_x = d_hat - d_hat.mean(-1, keepdim=True) - x_hat * (d_hat * x_hat).mean(-1, keepdim=True)
    return d_x / sigma, (d_y * x_hat).sum(0), d_y.sum(0)


# %% x instead of its normalised form in the gain tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = (c.square().mean(-1, keepdim=True) + eps).sqrt()
    x_hat, d_hat, D = c / sigma, gain * d_y, x.shape[-1]
    d_x = d_hat - d_hat.mean(-1, keepdim=True) - x_hat * (d_hat * x_hat).mean(-1, keepdim=True)
    return d_x / sigma, (d_y * x).reshape(-1, D).sum(0), d_y.reshape(-1, D).sum(0)


# %% leaves epsilon out tags=["wrong", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    c = x - x.mean(-1, keepdim=True)
    sigma = c.square().mean(-1, keepdim=True).sqrt()
    x_hat, d_hat, D = c / sigma, gain * d_y, x.shape[-1]
    d_x = d_hat - d_hat.mean(-1, keepdim=True) - x_hat * (d_hat * x_hat).mean(-1, keepdim=True)
    return d_x / sigma, (d_y * x_hat).reshape(-1, D).sum(0), d_y.reshape(-1, D).sum(0)


# %% through the Jacobian of each position tags=["right", "id:layer-norm-backward"]
def layer_norm_backward(d_y, x, gain, eps=1e-5):
    D = x.shape[-1]
    rows, errors = x.reshape(-1, D), d_y.reshape(-1, D)
    eye = torch.eye(D, dtype=x.dtype, device=x.device)
    c = rows - rows.mean(1, keepdim=True)
    sigma = ((c * c).sum(1, keepdim=True) / D + eps) ** 0.5
    x_hat = c / sigma
    J = (eye - 1 / D - x_hat[:, :, None] * x_hat[:, None, :] / D) / sigma[:, :, None]
    d_x = torch.einsum("ri,rij->rj", errors * gain, J)
    return d_x.reshape(x.shape), torch.einsum("rd,rd->d", errors, x_hat), errors.sum(0)


# %% always post-norm tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    mask = real[:, None, :]
    x = layer_norm(x + multi_head_attention(x, x, params["self"], N, mask), **params["norm1"])
    return layer_norm(x + feed_forward(x, params["ff"]), **params["norm2"])


# %% always pre-norm tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    z = layer_norm(x, **params["norm1"])
    x = x + multi_head_attention(z, z, params["self"], N, real[:, None, :])
    return x + feed_forward(layer_norm(x, **params["norm2"]), params["ff"])


# %% forgets the residuals tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    mask = real[:, None, :]
    if pre_norm:
        z = layer_norm(x, **params["norm1"])
        x = multi_head_attention(z, z, params["self"], N, mask)
        return feed_forward(layer_norm(x, **params["norm2"]), params["ff"])
    x = layer_norm(multi_head_attention(x, x, params["self"], N, mask), **params["norm1"])
    return layer_norm(feed_forward(x, params["ff"]), **params["norm2"])


# %% attends to padding tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    if pre_norm:
        z = layer_norm(x, **params["norm1"])
        x = x + multi_head_attention(z, z, params["self"], N)
        return x + feed_forward(layer_norm(x, **params["norm2"]), params["ff"])
    x = layer_norm(x + multi_head_attention(x, x, params["self"], N), **params["norm1"])
    return layer_norm(x + feed_forward(x, params["ff"]), **params["norm2"])


# %% normalises queries but not keys and values tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    mask = real[:, None, :]
    if pre_norm:
        z = layer_norm(x, **params["norm1"])
        x = x + multi_head_attention(z, x, params["self"], N, mask)
        return x + feed_forward(layer_norm(x, **params["norm2"]), params["ff"])
    x = layer_norm(x + multi_head_attention(x, x, params["self"], N, mask), **params["norm1"])
    return layer_norm(x + feed_forward(x, params["ff"]), **params["norm2"])


# %% adds the normalised input tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    mask = real[:, None, :]
    if pre_norm:
        z = layer_norm(x, **params["norm1"])
        x = z + multi_head_attention(z, z, params["self"], N, mask)
        z = layer_norm(x, **params["norm2"])
        return z + feed_forward(z, params["ff"])
    x = layer_norm(x + multi_head_attention(x, x, params["self"], N, mask), **params["norm1"])
    return layer_norm(x + feed_forward(x, params["ff"]), **params["norm2"])


# %% the same normalisation twice tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    mask = real[:, None, :]
    if pre_norm:
        z = layer_norm(x, **params["norm1"])
        x = x + multi_head_attention(z, z, params["self"], N, mask)
        return x + feed_forward(layer_norm(x, **params["norm1"]), params["ff"])
    x = layer_norm(x + multi_head_attention(x, x, params["self"], N, mask), **params["norm1"])
    return layer_norm(x + feed_forward(x, params["ff"]), **params["norm1"])


# %% masks the queries instead of the keys tags=["wrong", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    mask = real[:, :, None] | ~real[:, :, None]
    if pre_norm:
        z = layer_norm(x, **params["norm1"])
        x = x + multi_head_attention(z, z, params["self"], N, mask)
        return x + feed_forward(layer_norm(x, **params["norm2"]), params["ff"])
    x = layer_norm(x + multi_head_attention(x, x, params["self"], N, mask), **params["norm1"])
    return layer_norm(x + feed_forward(x, params["ff"]), **params["norm2"])


# %% one loop over the two parts tags=["right", "id:encoder-layer"]
def encoder_layer(x, real, params, N, pre_norm=True):
    keys = real.unsqueeze(1).expand(-1, x.shape[1], -1)
    parts = [
        (params["norm1"], lambda z: multi_head_attention(z, z, params["self"], N, keys)),
        (params["norm2"], lambda z: feed_forward(z, params["ff"])),
    ]
    for norm, part in parts:
        first = layer_norm(x, norm["gain"], norm["bias"]) if pre_norm else x
        x = x + part(first)
        if not pre_norm:
            x = layer_norm(x, norm["gain"], norm["bias"])
    return x


# %% no causal mask tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, z, params["self"], N)
    z = layer_norm(y, **params["norm2"])
    y = y + multi_head_attention(z, memory, params["cross"], N, real[:, None])
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% attends to the padding of the memory tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, z, params["self"], N, causal_mask(y.shape[1], 0, y.device)[None])
    z = layer_norm(y, **params["norm2"])
    y = y + multi_head_attention(z, memory, params["cross"], N)
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% normalises the memory tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, z, params["self"], N, causal_mask(y.shape[1], 0, y.device)[None])
    z, m = layer_norm(y, **params["norm2"]), layer_norm(memory, **params["norm2"])
    y = y + multi_head_attention(z, m, params["cross"], N, real[:, None])
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% exchanges the two attentions tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, memory, params["cross"], N, real[:, None])
    z = layer_norm(y, **params["norm2"])
    y = y + multi_head_attention(z, z, params["self"], N, causal_mask(y.shape[1], 0, y.device)[None])
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% no residual around the cross-attention tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, z, params["self"], N, causal_mask(y.shape[1], 0, y.device)[None])
    z = layer_norm(y, **params["norm2"])
    y = multi_head_attention(z, memory, params["cross"], N, real[:, None])
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% detaches the memory tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, z, params["self"], N, causal_mask(y.shape[1], 0, y.device)[None])
    z = layer_norm(y, **params["norm2"])
    y = y + multi_head_attention(z, memory.detach(), params["cross"], N, real[:, None])
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% post-norm as in the paper tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    causal = causal_mask(y.shape[1], 0, y.device)[None]
    y = layer_norm(y + multi_head_attention(y, y, params["self"], N, causal), **params["norm1"])
    cross = multi_head_attention(y, memory, params["cross"], N, real[:, None])
    y = layer_norm(y + cross, **params["norm2"])
    return layer_norm(y + feed_forward(y, params["ff"]), **params["norm3"])


# %% the cross-attention sees the source up to its own position tags=["wrong", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    T, S = y.shape[1], memory.shape[1]
    z = layer_norm(y, **params["norm1"])
    y = y + multi_head_attention(z, z, params["self"], N, causal_mask(T, 0, y.device)[None])
    z = layer_norm(y, **params["norm2"])
    window = torch.ones(T, S, dtype=torch.bool, device=y.device).tril()
    y = y + multi_head_attention(z, memory, params["cross"], N, real[:, None] & window)
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])


# %% names for every intermediate, the mask by comparison tags=["right", "id:decoder-layer"]
def decoder_layer(y, memory, real, params, N):
    B, T, _ = y.shape
    steps = torch.arange(T, device=y.device)
    earlier = (steps[None, :, None] >= steps[None, None, :]).expand(B, T, T)
    words = real[:, None, :].expand(B, T, real.shape[1])
    norm = [layer_norm, params["norm1"], params["norm2"], params["norm3"]]
    a = norm[0](y, norm[1]["gain"], norm[1]["bias"])
    u = multi_head_attention(a, a, params["self"], N, earlier) + y
    b = norm[0](u, norm[2]["gain"], norm[2]["bias"])
    w = multi_head_attention(b, memory, params["cross"], N, words) + u
    c = norm[0](w, norm[3]["gain"], norm[3]["bias"])
    return feed_forward(c, params["ff"]) + w


# %% spreads over the other words tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs, V = logits.log_softmax(-1), logits.shape[-1]
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    others = (log_probs.sum(-1) - chosen) / (V - 1)
    return (-(1 - epsilon) * chosen - epsilon * others)[targets != pad].mean()


# %% counts the padding tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    return (-(1 - epsilon) * chosen - epsilon * log_probs.mean(-1)).mean()


# %% divides by all positions tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    losses = -(1 - epsilon) * chosen - epsilon * log_probs.mean(-1)
    return (losses * (targets != pad)).mean()


# %% epsilon for every word tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    return (-(1 - epsilon) * chosen - epsilon * log_probs.sum(-1))[targets != pad].mean()


# %% does not smooth tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    chosen = logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -chosen[targets != pad].mean()


# %% averages each sentence first tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs, words = logits.log_softmax(-1), targets != pad
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    losses = -(1 - epsilon) * chosen - epsilon * log_probs.mean(-1)
    return ((losses * words).sum(1) / words.sum(1).clamp(min=1)).mean()


# %% logarithm of the softmax tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs = logits.softmax(-1).log()
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    return (-(1 - epsilon) * chosen - epsilon * log_probs.mean(-1))[targets != pad].mean()


# %% padding is always word 0 tags=["wrong", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, targets[..., None])[..., 0]
    return (-(1 - epsilon) * chosen - epsilon * log_probs.mean(-1))[targets != 0].mean()


# %% writes the target distribution out tags=["right", "id:label-smoothed-loss"]
def label_smoothed_loss(logits, targets, epsilon, pad=0):
    V = logits.shape[-1]
    keep = (targets != pad).reshape(-1)
    o, y = logits.reshape(-1, V)[keep], targets.reshape(-1)[keep]
    q = torch.full_like(o, epsilon / V)
    q[torch.arange(len(y), device=y.device), y] += 1 - epsilon
    normaliser = torch.logsumexp(o, dim=1)
    return (q * (normaliser[:, None] - o)).sum() / len(y)


# %% larger of the two terms tags=["wrong", "id:warmup-learning-rate"]
def warmup_learning_rate(step, D, warmup):
    if step < 1:
        raise ValueError("steps count from 1")
    return D**-0.5 * max(step**-0.5, step * warmup**-1.5)


# %% forgets the width tags=["wrong", "id:warmup-learning-rate"]
def warmup_learning_rate(step, D, warmup):
    if step < 1:
        raise ValueError("steps count from 1")
    return min(step**-0.5, step * warmup**-1.5)


# %% divides by the warm-up alone tags=["wrong", "id:warmup-learning-rate"]
def warmup_learning_rate(step, D, warmup):
    if step < 1:
        raise ValueError("steps count from 1")
    return D**-0.5 * min(step**-0.5, step / warmup)


# %% counts from 0 tags=["wrong", "id:warmup-learning-rate"]
def warmup_learning_rate(step, D, warmup):
    step = step + 1
    return D**-0.5 * min(step**-0.5, step * warmup**-1.5)


# %% takes step 0 for a step tags=["wrong", "id:warmup-learning-rate"]
def warmup_learning_rate(step, D, warmup):
    return D**-0.5 * min(max(step, 1) ** -0.5, step * warmup**-1.5)


# %% the two sides of the peak tags=["right", "id:warmup-learning-rate"]
def warmup_learning_rate(step, D, warmup):
    if step <= 0:
        raise ValueError("steps count from 1")
    peak = 1 / math.sqrt(D * warmup)
    return peak * step / warmup if step <= warmup else peak * math.sqrt(warmup / step)


# %% sees only itself tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    z = layer_norm(y, **params["norm1"])
    k = torch.cat([cache["k"], z @ own["W_k"] + own["b_k"]], dim=1)
    v = torch.cat([cache["v"], z @ own["W_v"] + own["b_v"]], dim=1)
    y = y + multi_head_attention(z, z, own, N)
    split = lambda a: rearrange(a, "B T (N K) -> B N T K", N=N)
    q = split(layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"])
    out, _ = scaled_dot_product_attention(
        q, split(cache["memory_k"]), split(cache["memory_v"]), real[:, None, None]
    )
    y = y + rearrange(out, "B N T K -> B T (N K)") @ cross["W_o"] + cross["b_o"]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, cache | {"k": k, "v": v}


# %% does not see itself tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    split = lambda a: rearrange(a, "B T (N K) -> B N T K", N=N)
    z = layer_norm(y, **params["norm1"])
    new_k, new_v = z @ own["W_k"] + own["b_k"], z @ own["W_v"] + own["b_v"]
    k, v = cache["k"], cache["v"]
    if k.shape[1] == 0:
        k, v = new_k, new_v
    out, _ = scaled_dot_product_attention(split(z @ own["W_q"] + own["b_q"]), split(k), split(v))
    y = y + rearrange(out, "B N T K -> B T (N K)") @ own["W_o"] + own["b_o"]
    q = split(layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"])
    out, _ = scaled_dot_product_attention(
        q, split(cache["memory_k"]), split(cache["memory_v"]), real[:, None, None]
    )
    y = y + rearrange(out, "B N T K -> B T (N K)") @ cross["W_o"] + cross["b_o"]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    k, v = torch.cat([cache["k"], new_k], 1), torch.cat([cache["v"], new_v], 1)
    return y, cache | {"k": k, "v": v}


# %% changes the cache it was given tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    split = lambda a: rearrange(a, "B T (N K) -> B N T K", N=N)
    z = layer_norm(y, **params["norm1"])
    cache["k"] = torch.cat([cache["k"], z @ own["W_k"] + own["b_k"]], dim=1)
    cache["v"] = torch.cat([cache["v"], z @ own["W_v"] + own["b_v"]], dim=1)
    q = split(z @ own["W_q"] + own["b_q"])
    out, _ = scaled_dot_product_attention(q, split(cache["k"]), split(cache["v"]))
    y = y + rearrange(out, "B N T K -> B T (N K)") @ own["W_o"] + own["b_o"]
    q = split(layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"])
    out, _ = scaled_dot_product_attention(
        q, split(cache["memory_k"]), split(cache["memory_v"]), real[:, None, None]
    )
    y = y + rearrange(out, "B N T K -> B T (N K)") @ cross["W_o"] + cross["b_o"]
    return y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"]), cache


# %% attends to the padding of the memory tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    split = lambda a: rearrange(a, "B T (N K) -> B N T K", N=N)
    z = layer_norm(y, **params["norm1"])
    k = torch.cat([cache["k"], z @ own["W_k"] + own["b_k"]], dim=1)
    v = torch.cat([cache["v"], z @ own["W_v"] + own["b_v"]], dim=1)
    out, _ = scaled_dot_product_attention(split(z @ own["W_q"] + own["b_q"]), split(k), split(v))
    y = y + rearrange(out, "B N T K -> B T (N K)") @ own["W_o"] + own["b_o"]
    q = split(layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"])
    out, _ = scaled_dot_product_attention(q, split(cache["memory_k"]), split(cache["memory_v"]))
    y = y + rearrange(out, "B N T K -> B T (N K)") @ cross["W_o"] + cross["b_o"]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, cache | {"k": k, "v": v}


# %% puts the newest position first tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    split = lambda a: rearrange(a, "B T (N K) -> B N T K", N=N)
    z = layer_norm(y, **params["norm1"])
    k = torch.cat([z @ own["W_k"] + own["b_k"], cache["k"]], dim=1)
    v = torch.cat([z @ own["W_v"] + own["b_v"], cache["v"]], dim=1)
    out, _ = scaled_dot_product_attention(split(z @ own["W_q"] + own["b_q"]), split(k), split(v))
    y = y + rearrange(out, "B N T K -> B T (N K)") @ own["W_o"] + own["b_o"]
    q = split(layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"])
    out, _ = scaled_dot_product_attention(
        q, split(cache["memory_k"]), split(cache["memory_v"]), real[:, None, None]
    )
    y = y + rearrange(out, "B N T K -> B T (N K)") @ cross["W_o"] + cross["b_o"]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, cache | {"k": k, "v": v}


# %% caches keys of vectors that are not normalised tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    split = lambda a: rearrange(a, "B T (N K) -> B N T K", N=N)
    z = layer_norm(y, **params["norm1"])
    k = torch.cat([cache["k"], y @ own["W_k"] + own["b_k"]], dim=1)
    v = torch.cat([cache["v"], y @ own["W_v"] + own["b_v"]], dim=1)
    out, _ = scaled_dot_product_attention(split(z @ own["W_q"] + own["b_q"]), split(k), split(v))
    y = y + rearrange(out, "B N T K -> B T (N K)") @ own["W_o"] + own["b_o"]
    q = split(layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"])
    out, _ = scaled_dot_product_attention(
        q, split(cache["memory_k"]), split(cache["memory_v"]), real[:, None, None]
    )
    y = y + rearrange(out, "B N T K -> B T (N K)") @ cross["W_o"] + cross["b_o"]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, cache | {"k": k, "v": v}


# %% one wide head tags=["wrong", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    own, cross = params["self"], params["cross"]
    z = layer_norm(y, **params["norm1"])
    k = torch.cat([cache["k"], z @ own["W_k"] + own["b_k"]], dim=1)
    v = torch.cat([cache["v"], z @ own["W_v"] + own["b_v"]], dim=1)
    out, _ = scaled_dot_product_attention(z @ own["W_q"] + own["b_q"], k, v)
    y = y + out @ own["W_o"] + own["b_o"]
    q = layer_norm(y, **params["norm2"]) @ cross["W_q"] + cross["b_q"]
    out, _ = scaled_dot_product_attention(q, cache["memory_k"], cache["memory_v"], real[:, None])
    y = y + out @ cross["W_o"] + cross["b_o"]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, cache | {"k": k, "v": v}


# %% scores by einsum, all heads at once tags=["right", "id:cached-decode"]
def cached_decode(y, cache, real, params, N):
    B, _, D = y.shape
    own, cross = params["self"], params["cross"]
    z = layer_norm(y, params["norm1"]["gain"], params["norm1"]["bias"])
    new = {}
    for name in ("k", "v"):
        row = torch.addmm(own[f"b_{name}"], z[:, 0], own[f"W_{name}"])[:, None]
        new[name] = torch.cat((cache[name], row), 1)
    for norm, p, k, v, mask in (
        ("norm1", own, new["k"], new["v"], None),
        ("norm2", cross, cache["memory_k"], cache["memory_v"], real),
    ):
        q = (layer_norm(y, **params[norm]) @ p["W_q"] + p["b_q"]).view(B, N, D // N)
        scores = torch.einsum("bnk,bsnk->bns", q, k.view(B, -1, N, D // N)) / (D // N) ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -math.inf)
        heads = torch.einsum("bns,bsnk->bnk", scores.softmax(-1), v.view(B, -1, N, D // N))
        y = y + (heads.reshape(B, D) @ p["W_o"] + p["b_o"])[:, None]
    y = y + feed_forward(layer_norm(y, **params["norm3"]), params["ff"])
    return y, {**cache, **new}


# %% turns the other way tags=["wrong", "id:shift-matrix"]
def shift_matrix(k, D):
    w = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64, device=DEVICE) / D)
    c, s = (k * w).cos(), (k * w).sin()
    return torch.block_diag(*torch.stack([c, s, -s, c], -1).view(-1, 2, 2))


# %% one angle for all pairs tags=["wrong", "id:shift-matrix"]
def shift_matrix(k, D):
    c, s = math.cos(k), math.sin(k)
    block = torch.tensor([[c, -s], [s, c]], dtype=torch.float64, device=DEVICE)
    return torch.block_diag(*[block] * (D // 2))


# %% ignores the shift tags=["wrong", "id:shift-matrix"]
def shift_matrix(k, D):
    w = 10000.0 ** (-torch.arange(0, D, 2, dtype=torch.float64, device=DEVICE) / D)
    c, s = w.cos(), w.sin()
    return torch.block_diag(*torch.stack([c, -s, s, c], -1).view(-1, 2, 2))


# %% fills the blocks one by one tags=["right", "id:shift-matrix"]
def shift_matrix(k, D):
    M = torch.zeros(D, D, dtype=torch.float64, device=DEVICE)
    for i in range(0, D, 2):
        a = k / 10000.0 ** (i / D)
        M[i, i] = M[i + 1, i + 1] = math.cos(a)
        M[i + 1, i], M[i, i + 1] = math.sin(a), -math.sin(a)
    return M
