# Wrong and right answers to solutions/ch14_beyond_text.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% a reshape alone tags=["wrong", "id:image-grid"]
def image_grid(images, p):
    B, C, R, W = images.shape
    if R % p or W % p:
        raise ValueError("p does not divide")
    return images.reshape(B, (R // p) * (W // p), C * p * p)


# %% colours vary fastest tags=["wrong", "id:image-grid"]
def image_grid(images, p):
    B, C, R, W = images.shape
    if R % p or W % p:
        raise ValueError("p does not divide")
    x = images.reshape(B, C, R // p, p, W // p, p)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(B, -1, C * p * p)


# %% patches go down the columns tags=["wrong", "id:image-grid"]
def image_grid(images, p):
    B, C, R, W = images.shape
    if R % p or W % p:
        raise ValueError("p does not divide")
    x = images.reshape(B, C, R // p, p, W // p, p)
    return x.permute(0, 4, 2, 1, 3, 5).reshape(B, -1, C * p * p)


# %% cuts off what does not fit tags=["wrong", "id:image-grid"]
def image_grid(images, p):
    B, C, R, W = images.shape
    x = images[:, :, : R // p * p, : W // p * p].reshape(B, C, R // p, p, W // p, p)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * p * p)


# %% looks at the columns only tags=["wrong", "id:image-grid"]
def image_grid(images, p):
    B, C, R, W = images.shape
    if W % p:
        raise ValueError("p does not divide")
    x = images[:, :, : R // p * p].reshape(B, C, R // p, p, W // p, p)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(B, -1, C * p * p)


# %% with einops tags=["right", "id:image-grid"]
def image_grid(images, p):
    from einops import rearrange

    if images.shape[2] % p != 0 or images.shape[3] % p != 0:
        raise ValueError(f"{p} does not divide {tuple(images.shape[2:])}")
    return rearrange(images, "b c (r p) (w q) -> b (r w) (c p q)", p=p, q=p)


# %% slice by slice tags=["right", "id:image-grid"]
def image_grid(images, p):
    rows, columns = images.shape[2:]
    if rows % p or columns % p:
        raise ValueError("no")
    cut = [
        images[:, :, r : r + p, c : c + p].flatten(1)
        for r in range(0, rows, p)
        for c in range(0, columns, p)
    ]
    return torch.stack(cut, dim=1)


# %% sum instead of mean tags=["wrong", "id:init-from-image"]
def init_from_image(a, params):
    return torch.tanh(a.sum(dim=1) @ params["W_init"] + params["b_init"])


# %% no tanh tags=["wrong", "id:init-from-image"]
def init_from_image(a, params):
    return a.mean(dim=1) @ params["W_init"] + params["b_init"]


# %% mean after the tanh tags=["wrong", "id:init-from-image"]
def init_from_image(a, params):
    return torch.tanh(a @ params["W_init"] + params["b_init"]).mean(dim=1)


# %% mean over the features tags=["wrong", "id:init-from-image"]
def init_from_image(a, params):
    return torch.tanh(a[:, 0] @ params["W_init"] + params["b_init"])


# %% without gradient tags=["wrong", "id:init-from-image"]
def init_from_image(a, params):
    return torch.tanh(a.detach().mean(dim=1) @ params["W_init"] + params["b_init"])


# %% einsum with a weight of 1/S tags=["right", "id:init-from-image"]
def init_from_image(a, params):
    z = torch.einsum("bsd,dh->bh", a, params["W_init"]) / a.shape[1]
    return (z + params["b_init"]).tanh()


# %% no gate tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    e = torch.tanh(a @ params["W_ak"] + (state @ params["W_sk"])[:, None] + params["b_k"])
    alpha = torch.softmax(e @ params["v"], dim=1)
    z = torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([params["E"][word], z], 1), state, params)
    return torch.cat([new, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% softmax over the batch tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    e = torch.tanh(a @ params["W_ak"] + (state @ params["W_sk"])[:, None] + params["b_k"])
    alpha = torch.softmax(e @ params["v"], dim=0)
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    z = beta * torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([params["E"][word], z], 1), state, params)
    return torch.cat([new, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% looks with the new state tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    first = gru(torch.cat([params["E"][word], beta * a.mean(1)], 1), state, params)
    e = torch.tanh(a @ params["W_ak"] + (first @ params["W_sk"])[:, None] + params["b_k"])
    alpha = torch.softmax(e @ params["v"], dim=1)
    z = beta * torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([params["E"][word], z], 1), state, params)
    return torch.cat([new, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% picture before word tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    e = torch.tanh(a @ params["W_ak"] + (state @ params["W_sk"])[:, None] + params["b_k"])
    alpha = torch.softmax(e @ params["v"], dim=1)
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    z = beta * torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([z, params["E"][word]], 1), state, params)
    return torch.cat([new, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% scores with the old state tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    e = torch.tanh(a @ params["W_ak"] + (state @ params["W_sk"])[:, None] + params["b_k"])
    alpha = torch.softmax(e @ params["v"], dim=1)
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    z = beta * torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([params["E"][word], z], 1), state, params)
    return torch.cat([state, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% exponentials without the maximum tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    e = torch.tanh(a @ params["W_ak"] + (state @ params["W_sk"])[:, None] + params["b_k"])
    e = (e @ params["v"]).exp()
    alpha = e / e.sum(1, keepdim=True)
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    z = beta * torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([params["E"][word], z], 1), state, params)
    return torch.cat([new, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% forgets the bias of the key tags=["wrong", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    e = torch.tanh(a @ params["W_ak"] + (state @ params["W_sk"])[:, None])
    alpha = torch.softmax(e @ params["v"], dim=1)
    beta = torch.sigmoid(state @ params["W_beta"] + params["b_beta"])
    z = beta * torch.einsum("bs,bsd->bd", alpha, a)
    new = gru(torch.cat([params["E"][word], z], 1), state, params)
    return torch.cat([new, z], 1) @ params["W_hy"] + params["b_y"], new, alpha


# %% with bmm, log-softmax and split weights tags=["right", "id:caption-attention-step"]
def caption_attention_step(word, state, a, params):
    query = torch.addmm(params["b_k"], state, params["W_sk"]).unsqueeze(1)
    scores = torch.matmul(torch.tanh(torch.matmul(a, params["W_ak"]) + query), params["v"])
    alpha = F.log_softmax(scores, dim=-1).exp()
    seen = torch.bmm(alpha.unsqueeze(1), a).squeeze(1)
    seen = seen * torch.sigmoid(state.mm(params["W_beta"]) + params["b_beta"])
    new = gru(torch.cat((F.embedding(word, params["E"]), seen), dim=-1), state, params)
    H = new.shape[1]
    logits = new @ params["W_hy"][:H] + seen @ params["W_hy"][H:] + params["b_y"]
    return logits, new, alpha


# %% counts the padding tags=["wrong", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    return (1 - alpha.sum(dim=1)).square().sum(dim=1).mean()


# %% mean over the cells tags=["wrong", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    real = torch.arange(alpha.shape[1], device=alpha.device) < lengths[:, None]
    return (1 - (alpha * real[..., None]).sum(dim=1)).square().mean()


# %% sums over the cells tags=["wrong", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    real = torch.arange(alpha.shape[1], device=alpha.device) < lengths[:, None]
    return ((1 - alpha.sum(dim=2)) * real).square().sum(dim=1).mean()


# %% squares the sum of the differences tags=["wrong", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    real = torch.arange(alpha.shape[1], device=alpha.device) < lengths[:, None]
    return (1 - (alpha * real[..., None]).sum(dim=1)).sum(dim=1).square().mean()


# %% one word too many tags=["wrong", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    real = torch.arange(alpha.shape[1], device=alpha.device) <= lengths[:, None]
    return (1 - (alpha * real[..., None]).sum(dim=1)).square().sum(dim=1).mean()


# %% sum over the captions tags=["wrong", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    real = torch.arange(alpha.shape[1], device=alpha.device) < lengths[:, None]
    return (1 - (alpha * real[..., None]).sum(dim=1)).square().sum()


# %% from running sums tags=["right", "id:attention-penalty"]
def attention_penalty(alpha, lengths):
    B, T, S = alpha.shape
    sums = alpha.cumsum(dim=1)
    index = (lengths - 1).view(B, 1, 1).expand(B, 1, S)
    cover = sums.gather(1, index)[:, 0]
    return (cover**2 - 2 * cover + 1).sum() / B


# %% mean over the words tags=["wrong", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, total, maps = init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        o, state, alpha = caption_attention_step(words[:, t], state, a, params)
        error = F.cross_entropy(o, words[:, t + 1], reduction="none")
        total = total + (error * (t < lengths)).sum()
        maps.append(alpha)
    maps = torch.stack(maps, 1)
    return total / lengths.sum() + lam * attention_penalty(maps, lengths), maps


# %% padding counts tags=["wrong", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, total, maps = init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        o, state, alpha = caption_attention_step(words[:, t], state, a, params)
        total = total + F.cross_entropy(o, words[:, t + 1], reduction="none")
        maps.append(alpha)
    maps = torch.stack(maps, 1)
    return total.mean() + lam * attention_penalty(maps, lengths), maps


# %% predicts the word it reads tags=["wrong", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, total, maps = init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        o, state, alpha = caption_attention_step(words[:, t], state, a, params)
        error = F.cross_entropy(o, words[:, t], reduction="none")
        total = total + error * (t < lengths)
        maps.append(alpha)
    maps = torch.stack(maps, 1)
    return total.mean() + lam * attention_penalty(maps, lengths), maps


# %% the penalty is not scaled tags=["wrong", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, total, maps = init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        o, state, alpha = caption_attention_step(words[:, t], state, a, params)
        error = F.cross_entropy(o, words[:, t + 1], reduction="none")
        total = total + error * (t < lengths)
        maps.append(alpha)
    maps = torch.stack(maps, 1)
    return total.mean() + (attention_penalty(maps, lengths) if lam else 0.0), maps


# %% starts from zeros tags=["wrong", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, total, maps = 0 * init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        o, state, alpha = caption_attention_step(words[:, t], state, a, params)
        error = F.cross_entropy(o, words[:, t + 1], reduction="none")
        total = total + error * (t < lengths)
        maps.append(alpha)
    maps = torch.stack(maps, 1)
    return total.mean() + lam * attention_penalty(maps, lengths), maps


# %% the state is not carried on tags=["wrong", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, total, maps = init_from_image(a, params), 0.0, []
    for t in range(words.shape[1] - 1):
        o, _, alpha = caption_attention_step(words[:, t], state, a, params)
        error = F.cross_entropy(o, words[:, t + 1], reduction="none")
        total = total + error * (t < lengths)
        maps.append(alpha)
    maps = torch.stack(maps, 1)
    return total.mean() + lam * attention_penalty(maps, lengths), maps


# %% all scores first, then the loss tags=["right", "id:caption-loss"]
def caption_loss(images, words, lengths, params, p, lam=0.0):
    a = features(image_grid(images, p), params)
    state, steps = init_from_image(a, params), []
    for word in words[:, :-1].unbind(dim=1):
        o, state, alpha = caption_attention_step(word, state, a, params)
        steps.append((o, alpha))
    scores = torch.stack([o for o, _ in steps], dim=1).log_softmax(dim=-1)
    maps = torch.stack([alpha for _, alpha in steps], dim=1)
    chosen = scores.gather(2, words[:, 1:, None])[..., 0]
    real = torch.arange(chosen.shape[1], device=chosen.device)[None] < lengths[:, None]
    likelihood = chosen.masked_fill(~real, 0.0).sum() / len(images)
    return lam * attention_penalty(maps, lengths) - likelihood, maps


# %% all words wait for the longest film tags=["wrong", "id:s2vt-inputs"]
def s2vt_inputs(u, n_frames, x, n_words):
    B, N, D = u.shape
    T = x.shape[1]
    shown = torch.arange(N, device=u.device) < n_frames[:, None]
    real = torch.arange(T, device=u.device) < n_words[:, None]
    upper = F.pad(torch.where(shown[..., None], u, 0.0), (0, 0, 0, T))
    lower = F.pad(torch.where(real[..., None], x, 0.0), (0, 0, N, 0))
    return upper, lower, F.pad(real, (N, 0))


# %% shows the padding of the film tags=["wrong", "id:s2vt-inputs"]
def s2vt_inputs(u, n_frames, x, n_words):
    N, T = u.shape[1], x.shape[1]
    steps = torch.arange(N + T, device=u.device)
    k = steps - n_frames[:, None]
    reading = (k >= 0) & (k < n_words[:, None])
    index = k.clamp(0, T - 1)[..., None].expand(-1, -1, x.shape[2])
    return F.pad(u, (0, 0, 0, T)), torch.where(reading[..., None], x.gather(1, index), 0.0), reading


# %% repeats the last word tags=["wrong", "id:s2vt-inputs"]
def s2vt_inputs(u, n_frames, x, n_words):
    N, T = u.shape[1], x.shape[1]
    steps = torch.arange(N + T, device=u.device)
    k = steps - n_frames[:, None]
    reading = k >= 0
    k = torch.minimum(k, n_words[:, None] - 1).clamp(min=0)
    lower = torch.where(reading[..., None], x.gather(1, k[..., None].expand(-1, -1, x.shape[2])), 0.0)
    shown = steps < n_frames[:, None]
    return torch.where(shown[..., None], F.pad(u, (0, 0, 0, T)), 0.0), lower, reading


# %% multiplies by the mask tags=["wrong", "id:s2vt-inputs"]
def s2vt_inputs(u, n_frames, x, n_words):
    N, T = u.shape[1], x.shape[1]
    steps = torch.arange(N + T, device=u.device)
    k = steps - n_frames[:, None]
    reading = (k >= 0) & (k < n_words[:, None])
    lower = x.gather(1, k.clamp(0, T - 1)[..., None].expand(-1, -1, x.shape[2])) * reading[..., None]
    upper = F.pad(u, (0, 0, 0, T)) * (steps < n_frames[:, None])[..., None]
    return upper, lower, reading


# %% words begin one step late tags=["wrong", "id:s2vt-inputs"]
def s2vt_inputs(u, n_frames, x, n_words):
    N, T = u.shape[1], x.shape[1]
    steps = torch.arange(N + T, device=u.device)
    k = steps - n_frames[:, None] - 1
    reading = (k >= 0) & (k < n_words[:, None])
    lower = torch.where(
        reading[..., None], x.gather(1, k.clamp(0, T - 1)[..., None].expand(-1, -1, x.shape[2])), 0.0
    )
    shown = steps < n_frames[:, None]
    return torch.where(shown[..., None], F.pad(u, (0, 0, 0, T)), 0.0), lower, reading


# %% by a matrix of places tags=["right", "id:s2vt-inputs"]
def s2vt_inputs(u, n_frames, x, n_words):
    (B, N, D), T = u.shape, x.shape[1]
    t = torch.arange(N + T, device=u.device).view(1, -1, 1)
    j = torch.arange(T, device=u.device).view(1, 1, -1)
    real = j < n_words.view(-1, 1, 1)
    place = (t == n_frames.view(-1, 1, 1) + j) & real
    clean_x = x.masked_fill(~real[:, 0, :, None], 0.0)
    lower = place.to(x.dtype) @ clean_x
    k = torch.arange(N, device=u.device)[None, :, None]
    shown = u.masked_fill(k >= n_frames[:, None, None], 0.0)
    upper = torch.cat([shown, u.new_zeros(B, T, D)], dim=1)
    return upper, lower, place.any(dim=2)


# %% joins the padding tags=["wrong", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    h = F.pad(h, (0, 0, 0, h.shape[1] % 2))
    return h.reshape(len(h), -1, 2 * h.shape[2]), (lengths + 1) // 2


# %% drops the odd frame tags=["wrong", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    real = torch.arange(h.shape[1], device=h.device) < (lengths // 2 * 2)[:, None]
    h = F.pad(torch.where(real[..., None], h, 0.0), (0, 0, 0, h.shape[1] % 2))
    return h.reshape(len(h), -1, 2 * h.shape[2]), lengths // 2


# %% rounds the length down tags=["wrong", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    real = torch.arange(h.shape[1], device=h.device) < lengths[:, None]
    h = F.pad(torch.where(real[..., None], h, 0.0), (0, 0, 0, h.shape[1] % 2))
    return h.reshape(len(h), -1, 2 * h.shape[2]), lengths // 2


# %% joins the halves tags=["wrong", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    real = torch.arange(h.shape[1], device=h.device) < lengths[:, None]
    h = F.pad(torch.where(real[..., None], h, 0.0), (0, 0, 0, h.shape[1] % 2))
    half = h.shape[1] // 2
    return torch.cat([h[:, :half], h[:, half:]], dim=2), (lengths + 1) // 2


# %% adds instead of joining tags=["wrong", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    real = torch.arange(h.shape[1], device=h.device) < lengths[:, None]
    h = F.pad(torch.where(real[..., None], h, 0.0), (0, 0, 0, h.shape[1] % 2))
    return h[:, ::2] + h[:, 1::2], (lengths + 1) // 2


# %% cannot do an odd T tags=["wrong", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    real = torch.arange(h.shape[1], device=h.device) < lengths[:, None]
    h = torch.where(real[..., None], h, 0.0)
    return h.reshape(len(h), -1, 2 * h.shape[2]), (lengths + 1) // 2


# %% every second frame, joined tags=["right", "id:pyramid-reduce"]
def pyramid_reduce(h, lengths):
    steps = torch.arange(h.shape[1], device=h.device)[None, :, None]
    h = h.masked_fill(steps >= lengths[:, None, None], 0.0)
    if h.shape[1] % 2:
        h = torch.cat([h, torch.zeros_like(h[:, :1])], dim=1)
    return torch.cat([h[:, 0::2], h[:, 1::2]], dim=-1), lengths.add(1).div(2, rounding_mode="floor")


# %% drops blanks first tags=["wrong", "id:collapse"]
def collapse(paths, n_frames, blank):
    out = []
    for row, n in zip(paths.tolist(), n_frames.tolist()):
        row = [s for s in row[:n] if s != blank]
        out.append([s for i, s in enumerate(row) if i == 0 or s != row[i - 1]])
    return out


# %% merges nothing tags=["wrong", "id:collapse"]
def collapse(paths, n_frames, blank):
    rows = zip(paths.tolist(), n_frames.tolist())
    return [[s for s in row[:n] if s != blank] for row, n in rows]


# %% ignores the lengths tags=["wrong", "id:collapse"]
def collapse(paths, n_frames, blank):
    out = []
    for row in paths.tolist():
        merged = [s for i, s in enumerate(row) if i == 0 or s != row[i - 1]]
        out.append([s for s in merged if s != blank])
    return out


# %% takes 0 for the blank tags=["wrong", "id:collapse"]
def collapse(paths, n_frames, blank):
    out = []
    for row, n in zip(paths.tolist(), n_frames.tolist()):
        row = row[:n]
        merged = [s for i, s in enumerate(row) if i == 0 or s != row[i - 1]]
        out.append([s for s in merged if s != 0])
    return out


# %% each symbol once tags=["wrong", "id:collapse"]
def collapse(paths, n_frames, blank):
    out = []
    for row, n in zip(paths.tolist(), n_frames.tolist()):
        out.append([s for s in dict.fromkeys(row[:n]) if s != blank])
    return out


# %% with unique_consecutive tags=["right", "id:collapse"]
def collapse(paths, n_frames, blank):
    said = []
    for row, n in zip(paths, n_frames.tolist()):
        merged = torch.unique_consecutive(row[:n])
        said.append(merged[merged != blank].tolist())
    return said


# %% with groupby tags=["right", "id:collapse"]
def collapse(paths, n_frames, blank):
    from itertools import groupby

    rows = zip(paths.tolist(), n_frames.tolist())
    return [[key for key, _ in groupby(row[:n]) if key != blank] for row, n in rows]


# %% always skips tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -1e30
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = places != blank
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        b = torch.stack([a, one, two]).logsumexp(0) + emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    last = 2 * n_symbols[:, None]
    first = torch.where(last > 0, a.gather(1, (last - 1).clamp(min=0)), never)
    total = torch.logaddexp(a.gather(1, last), first)[:, 0]
    return torch.where(total < never / 2, torch.inf, -total)


# %% never skips tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -1e30
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        b = torch.logaddexp(a, one) + emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    last = 2 * n_symbols[:, None]
    first = torch.where(last > 0, a.gather(1, (last - 1).clamp(min=0)), never)
    total = torch.logaddexp(a.gather(1, last), first)[:, 0]
    return torch.where(total < never / 2, torch.inf, -total)


# %% ends on the last blank only tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -1e30
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = F.pad((places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank), (2, 0))
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        b = torch.stack([a, one, two]).logsumexp(0) + emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    total = a.gather(1, 2 * n_symbols[:, None])[:, 0]
    return torch.where(total < never / 2, torch.inf, -total)


# %% ignores the true lengths tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -1e30
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = F.pad((places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank), (2, 0))
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        a = torch.stack([a, one, two]).logsumexp(0) + emit[:, t]
    total = torch.logaddexp(a[:, -1], a[:, -2])
    return torch.where(total < never / 2, torch.inf, -total)


# %% multiplies probabilities tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = F.pad((places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank), (2, 0))
    emit = log_y.exp().gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2))
    for t in range(1, T):
        b = (a + F.pad(a[:, :-1], (1, 0)) + F.pad(a[:, :-2], (2, 0)) * skip) * emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    last = 2 * n_symbols[:, None]
    first = torch.where(last > 0, a.gather(1, (last - 1).clamp(min=0)), 0.0)
    return -(a.gather(1, last) + first)[:, 0].log()


# %% minus infinity in the log-sum-exp tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -torch.inf
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = F.pad((places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank), (2, 0))
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        b = torch.stack([a, one, two])
        b = (b - b.max(0).values).exp().sum(0).log() + b.max(0).values + emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    last = 2 * n_symbols[:, None]
    first = torch.where(last > 0, a.gather(1, (last - 1).clamp(min=0)), never)
    return -torch.logaddexp(a.gather(1, last), first)[:, 0]


# %% takes the best path tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -1e30
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = F.pad((places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank), (2, 0))
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        b = torch.stack([a, one, two]).amax(0) + emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    last = 2 * n_symbols[:, None]
    first = torch.where(last > 0, a.gather(1, (last - 1).clamp(min=0)), never)
    total = torch.maximum(a.gather(1, last), first)[:, 0]
    return torch.where(total < never / 2, torch.inf, -total)


# %% an empty target ends twice tags=["wrong", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    never = -1e30
    B, T, V = log_y.shape
    places = targets.new_full((B, 2 * targets.shape[1] + 1), blank)
    places[:, 1::2] = targets
    skip = F.pad((places[:, 2:] != places[:, :-2]) & (places[:, 2:] != blank), (2, 0))
    emit = log_y.gather(2, places[:, None].expand(-1, T, -1))
    a = F.pad(emit[:, 0, :2], (0, places.shape[1] - 2), value=never)
    for t in range(1, T):
        one = F.pad(a[:, :-1], (1, 0), value=never)
        two = F.pad(a[:, :-2], (2, 0), value=never).masked_fill(~skip, never)
        b = torch.stack([a, one, two]).logsumexp(0) + emit[:, t]
        a = torch.where((t < n_frames)[:, None], b, a)
    last = 2 * n_symbols[:, None]
    total = torch.logaddexp(a.gather(1, last), a.gather(1, (last - 1).clamp(min=0)))[:, 0]
    return torch.where(total < never / 2, torch.inf, -total)


# %% by a matrix of moves, backward in time tags=["right", "id:ctc-loss"]
def ctc_loss(log_y, targets, n_frames, n_symbols, blank=0):
    B, T, _ = log_y.shape
    P = 2 * targets.shape[1] + 1
    low = torch.tensor(-1e30, dtype=log_y.dtype, device=log_y.device)
    s = torch.arange(P, device=log_y.device)
    spelt = torch.where(
        s % 2 == 1, targets.gather(1, (s // 2).clamp(max=targets.shape[1] - 1).expand(B, P)), blank
    )
    step = s[None, :] - s[:, None]  # to - from
    free = (spelt[:, None, :] != spelt[:, :, None]) & (s % 2 == 1)
    allowed = (step == 0) | (step == 1) | ((step == 2) & free)
    moves = torch.where(allowed, 0.0, low)
    inside = s <= 2 * n_symbols[:, None]
    final = inside & (s >= 2 * n_symbols[:, None] - 1)
    rest = torch.where(final, 0.0, low)
    for t in range(T - 1, 0, -1):
        told = log_y[:, t].gather(1, spelt) + rest
        before = torch.logsumexp(moves + told[:, None, :], dim=2)
        rest = torch.where((t < n_frames)[:, None], before, rest)
    start = torch.where(s < 2, log_y[:, 0].gather(1, spelt) + rest, low)
    total = torch.logsumexp(start, dim=1)
    return torch.where(total < -1e29, -low * torch.inf, -total)


# %% the best symbol of every frame tags=["wrong", "id:best-alignment"]
def best_alignment(log_y, target, blank=0):
    if len(target) > len(log_y):
        raise ValueError
    return log_y.argmax(dim=1).tolist()


# %% never skips a blank tags=["wrong", "id:best-alignment"]
def best_alignment(log_y, target, blank=0):
    places = [blank] + [s for symbol in target for s in (symbol, blank)]
    T, n = len(log_y), len(places)
    best = {(s,): log_y[0, places[s]].item() for s in range(min(2, n))}
    for t in range(1, T):
        grown = {}
        for way, score in best.items():
            for s in (way[-1], way[-1] + 1):
                if s < n:
                    value = score + log_y[t, places[s]].item()
                    old = next((w for w in grown if w[-1] == s), None)
                    if old is None or grown[old] < value:
                        grown.pop(old, None)
                        grown[(*way, s)] = value
        best = grown
    best = {way: score for way, score in best.items() if way[-1] >= n - 2}
    if not best:
        raise ValueError
    return [places[s] for s in max(best, key=best.get)]


# %% does not notice what does not fit tags=["wrong", "id:best-alignment"]
def best_alignment(log_y, target, blank=0):
    places = [blank] + [s for symbol in target for s in (symbol, blank)]
    T, n = len(log_y), len(places)
    best = {(s,): log_y[0, places[s]].item() for s in range(min(2, n))}
    for t in range(1, T):
        grown = {}
        for way, score in best.items():
            for s in (way[-1], way[-1] + 1, way[-1] + 2):
                if s < n and (s < way[-1] + 2 or places[s] not in (blank, places[s - 2])):
                    value = score + log_y[t, places[s]].item()
                    old = next((w for w in grown if w[-1] == s), None)
                    if old is None or grown[old] < value:
                        grown.pop(old, None)
                        grown[(*way, s)] = value
        best = grown
    return [places[s] for s in max(best, key=lambda w: (w[-1] >= n - 2, best[w]))]


# %% the best path for each place, kept whole tags=["right", "id:best-alignment"]
def best_alignment(log_y, target, blank=0):
    places = [blank] + [s for symbol in target for s in (symbol, blank)]
    ways = {s: (log_y[0, places[s]].item(), [s]) for s in range(min(2, len(places)))}
    for row in log_y[1:].tolist():
        grown = {}
        for s in range(len(places)):
            sources = {s, s - 1} | ({s - 2} if s > 1 and places[s] not in (blank, places[s - 2]) else set())
            known = [ways[r] for r in sources if r in ways]
            if known:
                score, way = max(known)
                grown[s] = (score + row[places[s]], [*way, s])
        ways = grown
    ends = [ways[s] for s in range(max(0, len(places) - 2), len(places)) if s in ways]
    if not ends:
        raise ValueError("the target does not fit")
    return [places[s] for s in max(ends)[1]]
