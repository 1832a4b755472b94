# Wrong and right answers to solutions/ch11_attention.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% divides by the width, not by its root tags=["wrong", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    if W_qk is None and q.shape[-1] != k.shape[-1]:
        raise ValueError("widths differ")
    moved = q if W_qk is None else q @ W_qk
    scores = moved @ k.transpose(1, 2)
    return scores / k.shape[-1] if scaled else scores


# %% scales by the width of the query tags=["wrong", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    if W_qk is None and q.shape[-1] != k.shape[-1]:
        raise ValueError("widths differ")
    moved = q if W_qk is None else q @ W_qk
    scores = moved @ k.transpose(1, 2)
    return scores / math.sqrt(q.shape[-1]) if scaled else scores


# %% always scales tags=["wrong", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    if W_qk is None and q.shape[-1] != k.shape[-1]:
        raise ValueError("widths differ")
    moved = q if W_qk is None else q @ W_qk
    return moved @ k.transpose(1, 2) / math.sqrt(k.shape[-1])


# %% transposes W_qk tags=["wrong", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    if W_qk is None:
        if q.shape[-1] != k.shape[-1]:
            raise ValueError("widths differ")
        scores = q @ k.transpose(1, 2)
    else:
        W = W_qk if W_qk.shape[0] != W_qk.shape[1] else W_qk.T
        scores = q @ W @ k.transpose(1, 2)
    return scores / math.sqrt(k.shape[-1]) if scaled else scores


# %% no ValueError tags=["wrong", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    moved = q if W_qk is None else q @ W_qk
    D = min(moved.shape[-1], k.shape[-1])
    scores = moved[..., :D] @ k[..., :D].transpose(1, 2)
    return scores / math.sqrt(k.shape[-1]) if scaled else scores


# %% scales the query in place tags=["wrong", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    if W_qk is None and q.shape[-1] != k.shape[-1]:
        raise ValueError("widths differ")
    if scaled:
        q /= math.sqrt(k.shape[-1])
    moved = q if W_qk is None else q @ W_qk
    return moved @ k.transpose(1, 2)


# %% with einsum, the matrix on the side of the keys tags=["right", "id:dot-scores"]
def dot_scores(q, k, W_qk=None, scaled=False):
    if W_qk is not None:
        k_seen = torch.einsum("hd,bsd->bsh", W_qk, k)
    else:
        if q.size(-1) != k.size(-1):
            raise ValueError("query and key need one width")
        k_seen = k
    factor = k.size(-1) ** -0.5 if scaled else 1
    return torch.einsum("bth,bsh->bts", q, k_seen) * factor


# %% forgets the tanh tags=["wrong", "id:additive-scores"]
def additive_scores(q, k, params):
    z = (q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None]
    return z @ params["w_a"]


# %% squashes query and key one by one tags=["wrong", "id:additive-scores"]
def additive_scores(q, k, params):
    z = torch.tanh(q @ params["W_qa"])[:, :, None] + torch.tanh(k @ params["W_ka"])[:, None]
    return z @ params["w_a"]


# %% sums instead of weighing with w_a tags=["wrong", "id:additive-scores"]
def additive_scores(q, k, params):
    z = (q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None]
    return torch.tanh(z).sum(-1)


# %% first query only tags=["wrong", "id:additive-scores"]
def additive_scores(q, k, params):
    z = (q[:, :1] @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None]
    return (torch.tanh(z) @ params["w_a"]).expand(-1, q.shape[1], -1)


# %% queries and keys on each other's axis tags=["wrong", "id:additive-scores"]
def additive_scores(q, k, params):
    z = (q @ params["W_qa"])[:, None] + (k @ params["W_ka"])[:, :, None]
    return torch.tanh(z) @ params["w_a"]


# %% detached projection of the keys tags=["wrong", "id:additive-scores"]
def additive_scores(q, k, params):
    z = (q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"]).detach()[:, None]
    return torch.tanh(z) @ params["w_a"]


# %% joined as on the slide, repeated query tags=["right", "id:additive-scores"]
def additive_scores(q, k, params):
    T, S = q.shape[1], k.shape[1]
    pairs = torch.cat(
        [q.unsqueeze(2).expand(-1, -1, S, -1), k.unsqueeze(1).expand(-1, T, -1, -1)], dim=-1
    )
    W_a = torch.cat([params["W_qa"], params["W_ka"]])
    return (torch.tanh(pairs @ W_a) * params["w_a"]).sum(dim=-1)


# %% mask after the softmax tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    return torch.softmax(scores, dim=-1) * mask


# %% mask after the softmax, then normalised again tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    weights = torch.softmax(scores, dim=-1).masked_fill(~mask, 0.0)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-300)


# %% NaN where nothing may be attended to tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    return torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)


# %% adds minus infinity and repairs the result, so the gradient is NaN tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    cleaned = scores.nan_to_num(0.0, 0.0, 0.0)
    weights = torch.softmax(cleaned + torch.zeros_like(cleaned).masked_fill(~mask, -math.inf), dim=-1)
    return torch.where(mask, weights, torch.zeros_like(weights))


# %% masked scores become zero tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    weights = torch.softmax(scores.masked_fill(~mask, 0.0), dim=-1)
    return weights * mask.any(-1, keepdim=True)


# %% a fully masked row attends to everything tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    return torch.softmax(scores.masked_fill(~mask, -1e30), dim=-1)


# %% adds a large negative number, which NaN survives tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    open_scores = scores + torch.where(mask, 0.0, -1e30).to(scores.dtype)
    return torch.softmax(open_scores, dim=-1) * mask.any(-1, keepdim=True)


# %% exponentials without a shift tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    power = scores.masked_fill(~mask, 0.0).exp().masked_fill(~mask, 0.0)
    return power / power.sum(-1, keepdim=True).clamp(min=1e-30)


# %% mask the wrong way round tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    nothing = mask.all(dim=-1, keepdim=True)
    filled = scores.masked_fill(mask, -math.inf).masked_fill(nothing, 0.0)
    return torch.softmax(filled, dim=-1).masked_fill(mask, 0.0)


# %% masks the scores in place tags=["wrong", "id:masked-softmax"]
def masked_softmax(scores, mask):
    nothing = ~mask.any(dim=-1, keepdim=True)
    scores = scores.masked_fill_(~mask, -math.inf) if not scores.requires_grad else scores.masked_fill(~mask, -math.inf)
    return torch.softmax(scores.masked_fill(nothing, 0.0), dim=-1).masked_fill(~mask, 0.0)


# %% shifted exponentials, a safe denominator tags=["right", "id:masked-softmax"]
def masked_softmax(scores, mask):
    lowest = torch.finfo(scores.dtype).min
    cleaned = torch.where(mask, scores, torch.full_like(scores, lowest))
    top = cleaned.amax(dim=-1, keepdim=True).detach()
    power = torch.where(mask, (cleaned - top).clamp(min=-1e4).exp(), torch.zeros_like(scores))
    total = power.sum(dim=-1, keepdim=True)
    return power / torch.where(total > 0, total, torch.ones_like(total))


# %% with logsumexp over finite stand-ins tags=["right", "id:masked-softmax"]
def masked_softmax(scores, mask):
    mask = mask.expand_as(scores)
    some = mask.any(-1, keepdim=True)
    stand_in = scores.masked_fill(~mask, float("-inf")).masked_fill(~some, 0.0)
    weights = (stand_in - stand_in.logsumexp(-1, keepdim=True)).exp()
    return weights.where(mask, torch.zeros_like(weights))


# %% masked_fill stops the gradient, so a repair is enough tags=["right", "id:masked-softmax"]
def masked_softmax(scores, mask):
    weights = torch.softmax(scores.masked_fill(~mask, -math.inf), dim=-1)
    return torch.where(mask.any(-1, keepdim=True), weights, torch.zeros_like(weights))


# %% takes the best value only tags=["wrong", "id:attend"]
def attend(scores, v, mask):
    weights = masked_softmax(scores, mask)
    best = weights.argmax(-1)
    return v.gather(1, best[..., None].expand(-1, -1, v.shape[-1])), weights


# %% forgets the mask tags=["wrong", "id:attend"]
def attend(scores, v, mask):
    weights = torch.softmax(scores, dim=-1)
    return weights @ v, weights


# %% results the wrong way round tags=["wrong", "id:attend"]
def attend(scores, v, mask):
    weights = masked_softmax(scores, mask)
    return weights, weights @ v


# %% detached values tags=["wrong", "id:attend"]
def attend(scores, v, mask):
    weights = masked_softmax(scores, mask)
    return weights @ v.detach(), weights


# %% averages over the real places tags=["wrong", "id:attend"]
def attend(scores, v, mask):
    weights = masked_softmax(scores, mask)
    count = mask.sum(-1, keepdim=True).clamp(min=1)
    return (mask.double() @ v / count).expand(-1, scores.shape[1], -1), weights


# %% with broadcasting instead of a product tags=["right", "id:attend"]
def attend(scores, v, mask):
    weights = masked_softmax(scores, mask)
    return (weights[..., None] * v[:, None]).sum(dim=2), weights


# %% the diagonal of the Jacobian only tags=["wrong", "id:masked-softmax-backward"]
def masked_softmax_backward(d_weights, weights):
    return d_weights * weights * (1 - weights)


# %% forgets the mean tags=["wrong", "id:masked-softmax-backward"]
def masked_softmax_backward(d_weights, weights):
    return weights * d_weights


# %% plain mean instead of the weighted one tags=["wrong", "id:masked-softmax-backward"]
def masked_softmax_backward(d_weights, weights):
    return weights * (d_weights - d_weights.mean(dim=-1, keepdim=True))


# %% sums over the queries tags=["wrong", "id:masked-softmax-backward"]
def masked_softmax_backward(d_weights, weights):
    mean = (weights * d_weights).sum(dim=-1, keepdim=True)
    if mean.dim() > 1:
        mean = mean.sum(dim=-2, keepdim=True)
    return weights * (d_weights - mean)


# %% wrong sign tags=["wrong", "id:masked-softmax-backward"]
def masked_softmax_backward(d_weights, weights):
    mean = (weights * d_weights).sum(dim=-1, keepdim=True)
    return weights * (mean - d_weights)


# %% the whole Jacobian tags=["right", "id:masked-softmax-backward"]
def masked_softmax_backward(d_weights, weights):
    J = torch.diag_embed(weights) - weights[..., :, None] * weights[..., None, :]
    return torch.einsum("...i,...ij->...j", d_weights, J)


# %% stops at the weights tags=["wrong", "id:attend-backward"]
def attend_backward(d_context, weights, v):
    return d_context @ v.transpose(1, 2), weights.transpose(1, 2) @ d_context


# %% a value hears from the first query only tags=["wrong", "id:attend-backward"]
def attend_backward(d_context, weights, v):
    d_weights = d_context @ v.transpose(1, 2)
    d_v = weights[:, 0, :, None] * d_context[:, :1]
    return masked_softmax_backward(d_weights, weights), d_v


# %% forgets the weights in d_v tags=["wrong", "id:attend-backward"]
def attend_backward(d_context, weights, v):
    d_weights = d_context @ v.transpose(1, 2)
    d_v = (weights > 0).to(v.dtype).transpose(1, 2) @ d_context
    return masked_softmax_backward(d_weights, weights), d_v


# %% averages the values' gradient over the queries tags=["wrong", "id:attend-backward"]
def attend_backward(d_context, weights, v):
    d_weights = d_context @ v.transpose(1, 2)
    d_v = weights.transpose(1, 2) @ d_context / d_context.shape[1]
    return masked_softmax_backward(d_weights, weights), d_v


# %% with einsum, the value minus the context tags=["right", "id:attend-backward"]
def attend_backward(d_context, weights, v):
    context = torch.einsum("bts,bsd->btd", weights, v)
    surplus = v[:, None] - context[:, :, None]
    d_scores = weights * torch.einsum("btd,btsd->bts", d_context, surplus)
    return d_scores, torch.einsum("bts,btd->bsd", weights, d_context)


# %% forgets the scale tags=["wrong", "id:dot-scores-backward"]
def dot_scores_backward(d_scores, q, k, W_qk=None, scaled=False):
    moved = q if W_qk is None else q @ W_qk
    d_moved = d_scores @ k
    grads = {"q": d_moved, "k": d_scores.transpose(1, 2) @ moved}
    if W_qk is not None:
        grads |= {"q": d_moved @ W_qk.T, "W_qk": torch.einsum("bth,btd->hd", q, d_moved)}
    return grads


# %% forgets W_qk on the way to the keys tags=["wrong", "id:dot-scores-backward"]
def dot_scores_backward(d_scores, q, k, W_qk=None, scaled=False):
    if scaled:
        d_scores = d_scores / math.sqrt(k.shape[-1])
    d_moved = d_scores @ k
    if W_qk is None:
        return {"q": d_moved, "k": d_scores.transpose(1, 2) @ q}
    return {
        "q": d_moved @ W_qk.T,
        "k": d_scores.transpose(1, 2) @ q @ torch.eye(*W_qk.shape, dtype=q.dtype, device=q.device),
        "W_qk": torch.einsum("bth,btd->hd", q, d_moved),
    }


# %% averages the matrix's gradient over the batch tags=["wrong", "id:dot-scores-backward"]
def dot_scores_backward(d_scores, q, k, W_qk=None, scaled=False):
    if scaled:
        d_scores = d_scores / math.sqrt(k.shape[-1])
    moved = q if W_qk is None else q @ W_qk
    d_moved = d_scores @ k
    grads = {"q": d_moved, "k": d_scores.transpose(1, 2) @ moved}
    if W_qk is not None:
        grads |= {"q": d_moved @ W_qk.T, "W_qk": (q.transpose(1, 2) @ d_moved).mean(0)}
    return grads


# %% scales with the width of the query tags=["wrong", "id:dot-scores-backward"]
def dot_scores_backward(d_scores, q, k, W_qk=None, scaled=False):
    if scaled:
        d_scores = d_scores / math.sqrt(q.shape[-1])
    moved = q if W_qk is None else q @ W_qk
    d_moved = d_scores @ k
    grads = {"q": d_moved, "k": d_scores.transpose(1, 2) @ moved}
    if W_qk is not None:
        grads |= {"q": d_moved @ W_qk.T, "W_qk": (q.transpose(1, 2) @ d_moved).sum(0)}
    return grads


# %% an entry for W_qk even without it tags=["wrong", "id:dot-scores-backward"]
def dot_scores_backward(d_scores, q, k, W_qk=None, scaled=False):
    if scaled:
        d_scores = d_scores / math.sqrt(k.shape[-1])
    W = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device) if W_qk is None else W_qk
    d_moved = d_scores @ k
    return {
        "q": d_moved @ W.T,
        "k": d_scores.transpose(1, 2) @ (q @ W),
        "W_qk": (q.transpose(1, 2) @ d_moved).sum(0),
    }


# %% one einsum for each, scale at the end tags=["right", "id:dot-scores-backward"]
def dot_scores_backward(d_scores, q, k, W_qk=None, scaled=False):
    factor = k.shape[-1] ** -0.5 if scaled else 1.0
    if W_qk is None:
        grads = {
            "q": torch.einsum("bts,bsd->btd", d_scores, k),
            "k": torch.einsum("bts,btd->bsd", d_scores, q),
        }
    else:
        grads = {
            "q": torch.einsum("bts,bsd,hd->bth", d_scores, k, W_qk),
            "k": torch.einsum("bts,bth,hd->bsd", d_scores, q, W_qk),
            "W_qk": torch.einsum("bts,bth,bsd->hd", d_scores, q, k),
        }
    return {key: factor * value for key, value in grads.items()}


# %% asks with the state after the step tags=["wrong", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    context, _ = attend(additive_scores(s_prev[:, None], h, params), h, mask[:, None])
    s = gru(torch.cat([params["E"][tokens], context[:, 0]], dim=-1), s_prev, params)
    context, weights = attend(additive_scores(s[:, None], h, params), h, mask[:, None])
    logits = torch.cat([s, context[:, 0]], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits, s, weights[:, 0]


# %% attends to the padding tags=["wrong", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    scores = additive_scores(s_prev[:, None], h, params)
    context, weights = attend(scores, h, torch.ones_like(mask)[:, None])
    s = gru(torch.cat([params["E"][tokens], context[:, 0]], dim=-1), s_prev, params)
    logits = torch.cat([s, context[:, 0]], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits, s, weights[:, 0]


# %% context before embedding, when they fit tags=["wrong", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    context, weights = attend(additive_scores(s_prev[:, None], h, params), h, mask[:, None])
    s = gru(torch.cat([context[:, 0], params["E"][tokens]], dim=-1), s_prev, params)
    logits = torch.cat([s, context[:, 0]], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits, s, weights[:, 0]


# %% reads out the old state tags=["wrong", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    context, weights = attend(additive_scores(s_prev[:, None], h, params), h, mask[:, None])
    s = gru(torch.cat([params["E"][tokens], context[:, 0]], dim=-1), s_prev, params)
    logits = torch.cat([s_prev, context[:, 0]], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits, s, weights[:, 0]


# %% probabilities instead of logits tags=["wrong", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    context, weights = attend(additive_scores(s_prev[:, None], h, params), h, mask[:, None])
    s = gru(torch.cat([params["E"][tokens], context[:, 0]], dim=-1), s_prev, params)
    logits = torch.cat([s, context[:, 0]], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits.softmax(-1), s, weights[:, 0]


# %% keeps the axis of the single query tags=["wrong", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    context, weights = attend(additive_scores(s_prev[:, None], h, params), h, mask[:, None])
    s = gru(torch.cat([params["E"][tokens], context[:, 0]], dim=-1), s_prev, params)
    logits = torch.cat([s, context[:, 0]], dim=-1) @ params["W_sy"] + params["b_y"]
    return logits, s, weights


# %% the output matrix in two blocks tags=["right", "id:attention-decoder-step"]
def attention_decoder_step(tokens, s_prev, h, mask, params):
    hidden = torch.tanh((s_prev @ params["W_qa"]).unsqueeze(1) + h @ params["W_ka"])
    weights = masked_softmax(hidden @ params["w_a"], mask)
    context = (weights.unsqueeze(-1) * h).sum(dim=1)
    s = gru(torch.hstack([F.embedding(tokens, params["E"]), context]), s_prev, params)
    to_state, to_context = params["W_sy"].split([s.shape[1], context.shape[1]])
    return s @ to_state + context @ to_context + params["b_y"], s, weights


# %% counts the padding tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    right = targets[:, 1:]
    if not (right != PAD).any():
        raise ValueError("nothing to predict")
    s, logits = s0, []
    for t in range(right.shape[1]):
        step, s, _ = attention_decoder_step(targets[:, t], s, h, mask, params)
        logits.append(step)
    return F.cross_entropy(torch.stack(logits, 1).flatten(0, 1), right.flatten())


# %% every step starts from s0 tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    right = targets[:, 1:]
    if not (right != PAD).any():
        raise ValueError("nothing to predict")
    steps = [
        attention_decoder_step(targets[:, t], s0, h, mask, params)[0] for t in range(right.shape[1])
    ]
    return F.cross_entropy(torch.stack(steps, 1).flatten(0, 1), right.flatten(), ignore_index=PAD)


# %% no shift tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    if not (targets[:, 1:] != PAD).any():
        raise ValueError("nothing to predict")
    s, logits = s0, []
    for t in range(targets.shape[1] - 1):
        step, s, _ = attention_decoder_step(targets[:, t], s, h, mask, params)
        logits.append(step)
    right = targets[:, :-1].flatten()
    return F.cross_entropy(torch.stack(logits, 1).flatten(0, 1), right, ignore_index=PAD)


# %% mean of the rows' means tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    right = targets[:, 1:]
    if not (right != PAD).any():
        raise ValueError("nothing to predict")
    s, logits = s0, []
    for t in range(right.shape[1]):
        step, s, _ = attention_decoder_step(targets[:, t], s, h, mask, params)
        logits.append(step)
    costs = F.cross_entropy(torch.stack(logits, 2), right, ignore_index=PAD, reduction="none")
    return (costs.sum(1) / (right != PAD).sum(1)).mean()


# %% feeds back its own predictions tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    right = targets[:, 1:]
    if not (right != PAD).any():
        raise ValueError("nothing to predict")
    s, logits, tokens = s0, [], targets[:, 0]
    for t in range(right.shape[1]):
        step, s, _ = attention_decoder_step(tokens, s, h, mask, params)
        tokens = step.argmax(-1)
        logits.append(step)
    return F.cross_entropy(torch.stack(logits, 1).flatten(0, 1), right.flatten(), ignore_index=PAD)


# %% NaN when there is nothing to predict tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    right, s, logits = targets[:, 1:], s0, []
    for t in range(right.shape[1]):
        step, s, _ = attention_decoder_step(targets[:, t], s, h, mask, params)
        logits.append(step)
    return F.cross_entropy(torch.stack(logits, 1).flatten(0, 1), right.flatten(), ignore_index=PAD)


# %% detaches the state tags=["wrong", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    right = targets[:, 1:]
    if not (right != PAD).any():
        raise ValueError("nothing to predict")
    s, logits = s0, []
    for t in range(right.shape[1]):
        step, s, _ = attention_decoder_step(targets[:, t], s.detach(), h, mask, params)
        logits.append(step)
    return F.cross_entropy(torch.stack(logits, 1).flatten(0, 1), right.flatten(), ignore_index=PAD)


# %% adds the costs up step by step tags=["right", "id:attention-loss"]
def attention_loss(targets, s0, h, mask, params):
    real = targets[:, 1:] != PAD
    if real.sum() == 0:
        raise ValueError("no real predictions")
    state, total = s0, 0.0
    for now, after, counts in zip(targets[:, :-1].T, targets[:, 1:].T, real.T):
        logits, state, _ = attention_decoder_step(now, state, h, mask, params)
        cost = -logits.log_softmax(-1).gather(1, after[:, None])[:, 0]
        total = total + (cost * counts).sum()
    return total / real.sum()


# %% a row that looks nowhere looks at place 0 tags=["wrong", "id:alignment"]
def alignment(weights, gold):
    if not gold.any():
        raise ValueError("no gold")
    places = weights.argmax(-1)
    right = gold.gather(-1, places[..., None])[..., 0]
    return places, right[gold.any(-1)].double().mean().item()


# %% divides by all rows tags=["wrong", "id:alignment"]
def alignment(weights, gold):
    if not gold.any():
        raise ValueError("no gold")
    looks = (weights > 0).any(-1)
    places = weights.argmax(-1)
    right = gold.gather(-1, places[..., None])[..., 0] & looks
    return places.masked_fill(~looks, -1), right.double().mean().item()


# %% the mass on the gold places tags=["wrong", "id:alignment"]
def alignment(weights, gold):
    if not gold.any():
        raise ValueError("no gold")
    looks = (weights > 0).any(-1)
    places = weights.argmax(-1).masked_fill(~looks, -1)
    return places, (weights * gold).sum(-1)[gold.any(-1)].mean().item()


# %% mean of the examples' accuracies tags=["wrong", "id:alignment"]
def alignment(weights, gold):
    if not gold.any():
        raise ValueError("no gold")
    looks = (weights > 0).any(-1)
    places = weights.argmax(-1)
    right = (gold.gather(-1, places[..., None])[..., 0] & looks).double()
    known = gold.any(-1)
    by_example = (right * known).sum(1) / known.sum(1)
    return places.masked_fill(~looks, -1), by_example.mean().item()


# %% best query of every place tags=["wrong", "id:alignment"]
def alignment(weights, gold):
    if not gold.any():
        raise ValueError("no gold")
    looks = (weights > 0).any(-1)
    places = weights.argmax(1)[:, : weights.shape[1]]
    places = F.pad(places, (0, weights.shape[1] - places.shape[1])).clamp(max=weights.shape[2] - 1)
    right = gold.gather(-1, places[..., None])[..., 0] & looks
    return places.masked_fill(~looks, -1), right[gold.any(-1)].double().mean().item()


# %% NaN without any gold place tags=["wrong", "id:alignment"]
def alignment(weights, gold):
    looks = (weights > 0).any(-1)
    places = weights.argmax(-1)
    right = gold.gather(-1, places[..., None])[..., 0] & looks
    return places.masked_fill(~looks, -1), right[gold.any(-1)].double().mean().item()


# %% with max and one-hot rows tags=["right", "id:alignment"]
def alignment(weights, gold):
    total = int(gold.any(dim=2).sum())
    if total == 0:
        raise ValueError("nothing is known")
    top, places = weights.max(dim=2)
    places = torch.where(top > 0, places, torch.full_like(places, -1))
    chosen = torch.arange(weights.shape[2], device=weights.device) == places[..., None]
    return places, int((chosen & gold).any(dim=2).sum()) / total


# %% forgets the slope of the tanh tags=["wrong", "id:additive-scores-backward"]
def additive_scores_backward(d_scores, q, k, params):
    g = torch.tanh((q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None])
    d_z = d_scores[..., None] * params["w_a"]
    d_zq, d_zk = d_z.sum(2), d_z.sum(1)
    return {
        "q": d_zq @ params["W_qa"].T,
        "k": d_zk @ params["W_ka"].T,
        "W_qa": torch.einsum("bth,bta->ha", q, d_zq),
        "W_ka": torch.einsum("bsd,bsa->da", k, d_zk),
        "w_a": torch.einsum("bts,btsa->a", d_scores, g),
    }


# %% sums over the wrong side tags=["wrong", "id:additive-scores-backward"]
def additive_scores_backward(d_scores, q, k, params):
    g = torch.tanh((q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None])
    d_z = d_scores[..., None] * params["w_a"] * (1 - g * g)
    d_zq, d_zk = d_z[:, :, 0], d_z[:, 0]
    return {
        "q": d_zq @ params["W_qa"].T,
        "k": d_zk @ params["W_ka"].T,
        "W_qa": torch.einsum("bth,bta->ha", q, d_zq),
        "W_ka": torch.einsum("bsd,bsa->da", k, d_zk),
        "w_a": torch.einsum("bts,btsa->a", d_scores, g),
    }


# %% the gradient of w_a without the scores' tags=["wrong", "id:additive-scores-backward"]
def additive_scores_backward(d_scores, q, k, params):
    g = torch.tanh((q @ params["W_qa"])[:, :, None] + (k @ params["W_ka"])[:, None])
    d_z = d_scores[..., None] * params["w_a"] * (1 - g * g)
    d_zq, d_zk = d_z.sum(2), d_z.sum(1)
    return {
        "q": d_zq @ params["W_qa"].T,
        "k": d_zk @ params["W_ka"].T,
        "W_qa": torch.einsum("bth,bta->ha", q, d_zq),
        "W_ka": torch.einsum("bsd,bsa->da", k, d_zk),
        "w_a": g.sum((0, 1, 2)),
    }


# %% pair by pair tags=["right", "id:additive-scores-backward"]
def additive_scores_backward(d_scores, q, k, params):
    W_qa, W_ka, w_a = params["W_qa"], params["W_ka"], params["w_a"]
    d = {"q": torch.zeros_like(q), "k": torch.zeros_like(k)}
    d |= {key: torch.zeros_like(params[key]) for key in ("W_qa", "W_ka", "w_a")}
    for t in range(q.shape[1]):
        for s in range(k.shape[1]):
            g = torch.tanh(q[:, t] @ W_qa + k[:, s] @ W_ka)
            e = d_scores[:, t, s, None]
            z = e * w_a * (1 - g**2)
            d["q"][:, t] += z @ W_qa.T
            d["k"][:, s] += z @ W_ka.T
            d["W_qa"] += q[:, t].T @ z
            d["W_ka"] += k[:, s].T @ z
            d["w_a"] += (e * g).sum(0)
    return d
