# Wrong and right answers to solutions/ch04_rnn.py. Data, never imported: each cell replaces one
# exercise cell, see bank_harness.py.
# ruff: noqa

# %% forgets the bias tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    h = torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"])
    return h if running is None else torch.where(running[:, None], h, h_prev)


# %% finished sequences get zeros tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    h = torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])
    return h if running is None else h * running[:, None]


# %% running the wrong way round tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    h = torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])
    return h if running is None else torch.where(running[:, None], h_prev, h)


# %% ignores running tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    return torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])


# %% stops everybody as soon as one has ended tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    if running is not None and not running.all():
        return h_prev
    return torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])


# %% writes into h_prev tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    h = torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])
    if running is None:
        return h
    h_prev[running] = h[running]
    return h_prev


# %% transposes W_hh tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    h = torch.tanh(x @ params["W_xh"] + h_prev @ params["W_hh"].T + params["b_h"])
    return h if running is None else torch.where(running[:, None], h, h_prev)


# %% logistic function instead of tanh tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    h = torch.sigmoid(x @ params["W_xh"] + h_prev @ params["W_hh"] + params["b_h"])
    return h if running is None else torch.where(running[:, None], h, h_prev)


# %% goes through numpy tags=["wrong", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    p = {key: value.detach().cpu().numpy() for key, value in params.items()}
    a, b = x.detach().cpu().numpy(), h_prev.detach().cpu().numpy()
    h = torch.tensor(np.tanh(a @ p["W_xh"] + b @ p["W_hh"] + p["b_h"]), device=x.device)
    return h if running is None else torch.where(running[:, None], h, h_prev)


# %% a blend with numbers 0 and 1 tags=["right", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    z = torch.cat([h_prev, x], 1) @ torch.cat([params["W_hh"], params["W_xh"]])
    h = (z + params["b_h"]).tanh()
    if running is None:
        running = torch.ones(len(x), device=x.device, dtype=torch.bool)
    keep = running.to(h.dtype).unsqueeze(-1)
    return keep * h + (1 - keep) * h_prev


# %% einsum and indexing tags=["right", "id:rnn-step"]
def rnn_step(x, h_prev, params, running=None):
    z = torch.einsum("bd,dh->bh", x, params["W_xh"])
    z = z + torch.einsum("bg,gh->bh", h_prev, params["W_hh"]) + params["b_h"][None]
    new = 2 * torch.sigmoid(2 * z) - 1
    if running is None:
        return new
    out = h_prev.clone()
    out[running] = new[running]
    return out


# %% input first tags=["wrong", "id:compact-weights"]
def compact_weights(params):
    return torch.cat([params["W_xh"], params["W_hh"]])


# %% side by side as for columns tags=["wrong", "id:compact-weights"]
def compact_weights(params):
    return torch.cat([params["W_hh"].T, params["W_xh"].T], dim=1)


# %% W_hh transposed tags=["wrong", "id:compact-weights"]
def compact_weights(params):
    return torch.cat([params["W_hh"].T, params["W_xh"]])


# %% with the bias as a last row tags=["wrong", "id:compact-weights"]
def compact_weights(params):
    return torch.cat([params["W_hh"], params["W_xh"], params["b_h"][None]])


# %% rebuilt from numbers tags=["wrong", "id:compact-weights"]
def compact_weights(params):
    rows = params["W_hh"].tolist() + params["W_xh"].tolist()
    return torch.tensor(rows, dtype=params["W_hh"].dtype, device=params["W_hh"].device)


# %% filled into an empty tensor tags=["right", "id:compact-weights"]
def compact_weights(params):
    D, H = params["W_xh"].shape
    W = params["W_hh"].new_zeros(H + D, H)
    W[:H] = params["W_hh"]
    W[H:] = params["W_xh"]
    return W


# %% runs on into the padding tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params)
        states.append(h)
    return torch.stack(states, dim=1)


# %% one step too many tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params, t <= lengths)
        states.append(h)
    return torch.stack(states, dim=1)


# %% one step too few tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params, t + 1 < lengths)
        states.append(h)
    return torch.stack(states, dim=1)


# %% zeros after the end tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params, t < lengths)
        states.append(torch.where((t < lengths)[:, None], h, torch.zeros_like(h)))
    return torch.stack(states, dim=1)


# %% every step starts from h0 tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states = [rnn_step(x[:, t], h0, params, t < lengths) for t in range(x.shape[1])]
    return torch.stack(states, dim=1)


# %% time comes first tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params, t < lengths)
        states.append(h)
    return torch.stack(states)


# %% detaches the state at every step tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h.detach(), params, t < lengths)
        states.append(h)
    return torch.stack(states, dim=1)


# %% starts from zero instead of h0 tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], torch.zeros_like(h0)
    for t in range(x.shape[1]):
        h = rnn_step(x[:, t], h, params, t < lengths)
        states.append(h)
    return torch.stack(states, dim=1)


# %% lists the states before the steps tags=["wrong", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    states, h = [], h0
    for t in range(x.shape[1]):
        states.append(h)
        h = rnn_step(x[:, t], h, params, t < lengths)
    return torch.stack(states, dim=1)


# %% runs all, then repeats the last state by index tags=["right", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    B, T, _ = x.shape
    u = x @ params["W_xh"] + params["b_h"]
    states = [h0]
    for u_t in u.unbind(1):
        states.append(torch.tanh(u_t + states[-1] @ params["W_hh"]))
    states = torch.stack(states, dim=1)  # with h0 in front
    steps = torch.arange(1, T + 1, device=x.device).expand(B, T)
    index = torch.minimum(steps, lengths[:, None])
    return states.gather(1, index[..., None].expand(B, T, h0.shape[1]))


# %% one sequence after the other tags=["right", "id:rnn-forward"]
def rnn_forward(x, lengths, h0, params):
    rows = []
    for b in range(len(x)):
        h, row = h0[b : b + 1], []
        for t in range(x.shape[1]):
            if t < int(lengths[b]):
                h = torch.tanh(x[b : b + 1, t] @ params["W_xh"] + h @ params["W_hh"] + params["b_h"])
            row.append(h[0])
        rows.append(torch.stack(row))
    return torch.stack(rows)


# %% reads the last column tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    x = params["E"][tokens]
    h0 = x.new_zeros(len(x), len(params["b_h"]))
    full = torch.full_like(lengths, tokens.shape[1])
    return rnn_forward(x, full, h0, params)[:, -1] @ params["W_hy"] + params["b_y"]


# %% reads one step before the end tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    x = params["E"][tokens]
    h0 = x.new_zeros(len(x), len(params["b_h"]))
    h = rnn_forward(x, lengths, h0, params)
    last = h[torch.arange(len(x), device=x.device), (lengths - 2).clamp(min=0)]
    return last @ params["W_hy"] + params["b_y"]


# %% averages the states tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    x = params["E"][tokens]
    h0 = x.new_zeros(len(x), len(params["b_h"]))
    return rnn_forward(x, lengths, h0, params).mean(1) @ params["W_hy"] + params["b_y"]


# %% averages the embeddings tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    real = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    mean = (params["E"][tokens] * real[..., None]).sum(1, keepdim=True) / lengths[:, None, None]
    h0 = mean.new_zeros(len(mean), len(params["b_h"]))
    h = rnn_forward(mean, torch.ones_like(lengths), h0, params)
    return h[:, -1] @ params["W_hy"] + params["b_y"]


# %% returns probabilities tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    x = params["E"][tokens]
    h0 = x.new_zeros(len(x), len(params["b_h"]))
    h = rnn_forward(x, lengths, h0, params)
    return F.softmax(h[:, -1] @ params["W_hy"] + params["b_y"], dim=-1)


# %% forgets the output bias tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    x = params["E"][tokens]
    h0 = x.new_zeros(len(x), len(params["b_h"]))
    return rnn_forward(x, lengths, h0, params)[:, -1] @ params["W_hy"]


# %% cuts everybody to the shortest tags=["wrong", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    x = params["E"][tokens[:, : int(lengths.min())]]
    h0 = x.new_zeros(len(x), len(params["b_h"]))
    return rnn_forward(x, lengths, h0, params)[:, -1] @ params["W_hy"] + params["b_y"]


# %% picks the state by index tags=["right", "id:classify-last-state"]
def classify_last_state(tokens, lengths, params):
    B, T = tokens.shape
    x = F.embedding(tokens, params["E"])
    h = rnn_forward(x, torch.full_like(lengths, T), x.new_zeros(B, params["W_hh"].shape[0]), params)
    last = h.gather(1, (lengths - 1)[:, None, None].expand(B, 1, h.shape[2]))
    return torch.addmm(params["b_y"], last.squeeze(1), params["W_hy"])


# %% predicts what it has just read tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens]
    h = rnn_forward(x, lengths, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
    return F.cross_entropy(h[real] @ params["W_hy"] + params["b_y"], tokens[real])


# %% counts the padding tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    logits = h @ params["W_hy"] + params["b_y"]
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


# %% predicts one step into the padding tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(x.shape[1], device=tokens.device) < lengths[:, None]
    return F.cross_entropy(h[real] @ params["W_hy"] + params["b_y"], tokens[:, 1:][real])


# %% mean of the means of rows tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    logits = h @ params["W_hy"] + params["b_y"]
    cost = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
    real = torch.arange(x.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    return ((cost * real).sum(1) / (lengths - 1).clamp(min=1)).mean()


# %% the sum tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(x.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    scores = h[real] @ params["W_hy"] + params["b_y"]
    return F.cross_entropy(scores, tokens[:, 1:][real], reduction="sum")


# %% a number without a gradient tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(x.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    scores = h[real] @ params["W_hy"] + params["b_y"]
    return F.cross_entropy(scores, tokens[:, 1:][real]).item()


# %% softmax twice tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(x.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    p = F.softmax(h[real] @ params["W_hy"] + params["b_y"], dim=-1)
    return F.cross_entropy(p, tokens[:, 1:][real])


# %% log of softmax overflows tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(x.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    e = torch.exp(h[real] @ params["W_hy"] + params["b_y"])
    p = e / e.sum(-1, keepdim=True)
    return -p.gather(1, tokens[:, 1:][real][:, None]).log().mean()


# %% no state from step to step tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if int(lengths.max()) < 2:
        raise ValueError("nothing to predict")
    h = torch.tanh(params["E"][tokens[:, :-1]] @ params["W_xh"] + params["b_h"])
    real = torch.arange(h.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    return F.cross_entropy(h[real] @ params["W_hy"] + params["b_y"], tokens[:, 1:][real])


# %% returns zero when there is nothing to predict tags=["wrong", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    x = params["E"][tokens[:, :-1]]
    h = rnn_forward(x, lengths - 1, x.new_zeros(len(x), len(params["b_h"])), params)
    real = torch.arange(x.shape[1], device=tokens.device) < (lengths - 1)[:, None]
    logits = h @ params["W_hy"] + params["b_y"]
    cost = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:], reduction="none")
    return (cost * real).sum() / real.sum().clamp(min=1)


# %% log_softmax, gather and a mask tags=["right", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    counts = (lengths - 1).clamp(min=0)
    if counts.sum() == 0:
        raise ValueError("one token predicts nothing")
    x = F.embedding(tokens, params["E"])
    h = rnn_forward(x, lengths, x.new_zeros(len(x), len(params["b_h"])), params)
    log_p = torch.log_softmax(h[:, :-1] @ params["W_hy"] + params["b_y"], dim=-1)
    chosen = log_p.gather(2, tokens[:, 1:, None]).squeeze(2)
    mask = (torch.arange(chosen.shape[1], device=x.device)[None] < counts[:, None]).to(x.dtype)
    return -(chosen * mask).sum() / counts.sum()


# %% ignore_index tags=["right", "id:lm-loss"]
def lm_loss(tokens, lengths, params):
    if (lengths < 2).all():
        raise ValueError("one token predicts nothing")
    B, T = tokens.shape
    h = params["E"].new_zeros(B, len(params["b_h"]))
    total = 0
    for t in range(T - 1):
        h = rnn_step(params["E"][tokens[:, t]], h, params)
        target = torch.where(t + 1 < lengths, tokens[:, t + 1], -100)
        total = total + F.cross_entropy(h @ params["W_hy"] + params["b_y"], target, reduction="sum", ignore_index=-100)
    return total / (lengths - 1).clamp(min=0).sum()


# %% feeds back scores tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y = [], y0
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        y = scores[-1] if targets is None else F.one_hot(targets[:, t], y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)


# %% feeds back probabilities tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y = [], y0
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        y = F.softmax(scores[-1], -1)
        if targets is not None:
            y = F.one_hot(targets[:, t], y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)


# %% hears the target of the same step tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y = [], y0
    for t in range(x.shape[1]):
        if targets is not None:
            y = F.one_hot(targets[:, t], y0.shape[1]).to(y0.dtype)
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        y = F.one_hot(scores[-1].argmax(-1), y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)


# %% ignores the targets tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y = [], y0
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        y = F.one_hot(scores[-1].argmax(-1), y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)


# %% starts from zeros instead of y0 tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y = [], torch.zeros_like(y0)
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        said = scores[-1].argmax(-1) if targets is None else targets[:, t]
        y = F.one_hot(said, y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)


# %% feeds back nothing tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    h = torch.tanh(x @ params["W_xh"] + (y0 @ params["W_yh"])[:, None] + params["b_h"])
    return h @ params["W_hy"] + params["b_y"]


# %% adds the hidden state too tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y, past = [], y0, 0
    for t in range(x.shape[1]):
        past = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"] + past)
        scores.append(past @ params["W_hy"] + params["b_y"])
        said = scores[-1].argmax(-1) if targets is None else targets[:, t]
        y = F.one_hot(said, y0.shape[1]).to(y0.dtype)
    return torch.stack(scores, dim=1)


# %% feeds back integers of float64 only tags=["wrong", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    scores, y = [], y0
    for t in range(x.shape[1]):
        h = torch.tanh(x[:, t] @ params["W_xh"] + y @ params["W_yh"] + params["b_h"])
        scores.append(h @ params["W_hy"] + params["b_y"])
        said = scores[-1].argmax(-1) if targets is None else targets[:, t]
        y = F.one_hot(said, y0.shape[1]).double()
    return torch.stack(scores, dim=1)


# %% teacher forcing without a loop tags=["right", "id:output-recurrent-forward"]
def output_recurrent_forward(x, y0, params, targets=None):
    def answer(u, heard):
        return torch.tanh(u + heard @ params["W_yh"]) @ params["W_hy"] + params["b_y"]

    u = x @ params["W_xh"] + params["b_h"]
    if targets is not None:
        table = torch.eye(y0.shape[1], dtype=y0.dtype, device=y0.device)
        return answer(u, torch.cat([y0[:, None], table[targets[:, :-1]]], dim=1))
    out = [answer(u[:, 0], y0)]
    for u_t in u.unbind(1)[1:]:
        top = (out[-1] == out[-1].max(dim=1, keepdim=True).values).to(y0.dtype)
        out.append(answer(u_t, top))
    return torch.stack(out, dim=1)


# %% starts in the padding tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    full = torch.full_like(lengths, T)
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    back = rnn_forward(x.flip(1), full, x.new_zeros(B, len(backward["b_h"])), backward).flip(1)
    real = torch.arange(T, device=x.device) < lengths[:, None]
    return torch.cat([ahead, back], dim=2) * real[..., None]


# %% reads the first words of the flipped padding tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    back = rnn_forward(x.flip(1), lengths, x.new_zeros(B, len(backward["b_h"])), backward).flip(1)
    real = torch.arange(T, device=x.device) < lengths[:, None]
    return torch.cat([ahead, back], dim=2) * real[..., None]


# %% does not put the states back in order tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    real = torch.arange(T, device=x.device) < lengths[:, None]
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    place = torch.arange(T, device=x.device).expand(B, T)
    place = torch.where(real, lengths[:, None] - 1 - place, place)
    turned = x.gather(1, place[..., None].expand_as(x))
    back = rnn_forward(turned, lengths, x.new_zeros(B, len(backward["b_h"])), backward)
    return torch.cat([ahead, back], dim=2) * real[..., None]


# %% backward half first tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    real = torch.arange(T, device=x.device) < lengths[:, None]
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    h, back = x.new_zeros(B, len(backward["b_h"])), []
    for t in reversed(range(T)):
        h = rnn_step(x[:, t], h, backward, real[:, t])
        back.append(h)
    return torch.cat([torch.stack(back[::-1], 1), ahead], dim=2) * real[..., None]


# %% leaves states in the padding tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    h, back = x.new_zeros(B, len(backward["b_h"])), []
    for t in reversed(range(T)):
        h = rnn_step(x[:, t], h, backward, t < lengths)
        back.append(h)
    return torch.cat([ahead, torch.stack(back[::-1], 1)], dim=2)


# %% the same parameters both ways tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    real = torch.arange(T, device=x.device) < lengths[:, None]
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    h, back = x.new_zeros(B, len(forward["b_h"])), []
    for t in reversed(range(T)):
        h = rnn_step(x[:, t], h, forward, real[:, t])
        back.append(h)
    return torch.cat([ahead, torch.stack(back[::-1], 1)], dim=2) * real[..., None]


# %% adds the directions tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    real = torch.arange(T, device=x.device) < lengths[:, None]
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    h, back = x.new_zeros(B, len(backward["b_h"])), []
    for t in reversed(range(T)):
        h = rnn_step(x[:, t], h, backward, real[:, t])
        back.append(h)
    return (ahead + torch.stack(back[::-1], 1)) * real[..., None]


# %% hands the last left-to-right state to the way back tags=["wrong", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    real = torch.arange(T, device=x.device) < lengths[:, None]
    ahead = rnn_forward(x, lengths, x.new_zeros(B, len(forward["b_h"])), forward)
    h, back = ahead[:, -1], []
    for t in reversed(range(T)):
        h = rnn_step(x[:, t], h, backward, real[:, t])
        back.append(h)
    return torch.cat([ahead, torch.stack(back[::-1], 1)], dim=2) * real[..., None]


# %% reverses each row within its length tags=["right", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    steps = torch.arange(T, device=x.device)[None]
    real = steps < lengths[:, None]
    mirror = torch.where(real, lengths[:, None] - 1 - steps, steps)
    row = torch.arange(B, device=x.device)[:, None]
    halves = []
    for p, order in ((forward, steps.expand(B, T)), (backward, mirror)):
        h = rnn_forward(x[row, order], lengths, x.new_zeros(B, p["W_hh"].shape[0]), p)
        halves.append(h[row, order])
    return torch.cat(halves, dim=-1).masked_fill(~real[..., None], 0.0)


# %% one sequence at a time, without padding tags=["right", "id:bidirectional-forward"]
def bidirectional_forward(x, lengths, forward, backward):
    B, T, _ = x.shape
    rows = []
    for b in range(B):
        n = int(lengths[b])
        one, length = x[b : b + 1, :n], lengths[b : b + 1]
        left = rnn_forward(one, length, x.new_zeros(1, len(forward["b_h"])), forward)
        right = rnn_forward(one.flip(1), length, x.new_zeros(1, len(backward["b_h"])), backward)
        joined = torch.cat([left, right.flip(1)], dim=2)
        rows.append(F.pad(joined, (0, 0, 0, T - n)))
    return torch.cat(rows)


# %% every layer reads x tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    last = []
    for start, params in zip(h0, layers):
        inputs = x if x.shape[2] == params["W_xh"].shape[0] else h
        h = rnn_forward(inputs, lengths, start, params)
        last.append(h[:, -1])
    return h, torch.stack(last)


# %% every layer starts from the first h0 tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    last = []
    for params in layers:
        x = rnn_forward(x, lengths, h0[0], params)
        last.append(x[:, -1])
    return x, torch.stack(last)


# %% starts from zeros tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    last = []
    for params in layers:
        x = rnn_forward(x, lengths, torch.zeros_like(h0[0]), params)
        last.append(x[:, -1])
    return x, torch.stack(last)


# %% last state of the top layer only tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    for start, params in zip(h0, layers):
        x = rnn_forward(x, lengths, start, params)
    return x, x[:, -1]


# %% returns the first layer tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    states = [x]
    for start, params in zip(h0, layers):
        states.append(rnn_forward(states[-1], lengths, start, params))
    return states[1], torch.stack([h[:, -1] for h in states[1:]])


# %% batch before layers tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    last = []
    for start, params in zip(h0, layers):
        x = rnn_forward(x, lengths, start, params)
        last.append(x[:, -1])
    return x, torch.stack(last, dim=1)


# %% uses the first parameters again tags=["wrong", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    last = []
    for i, start in enumerate(h0):
        x = rnn_forward(x, lengths, start, layers[min(i, 1)])
        last.append(x[:, -1])
    return x, torch.stack(last)


# %% step by step, all layers at each step tags=["right", "id:deep-rnn-forward"]
def deep_rnn_forward(x, lengths, h0, layers):
    states, top = [h for h in h0], []
    for t in range(x.shape[1]):
        below = x[:, t]
        for i, p in enumerate(layers):
            states[i] = rnn_step(below, states[i], p, t < lengths)
            below = states[i]
        top.append(below)
    return torch.stack(top, 1), torch.stack(states, 0)


# %% the best word each time tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], h, params)
        word = (h @ params["W_hy"] + params["b_y"]).argmax(-1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% multiplies by the temperature tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        edges = torch.softmax(scores * temperature, -1).cumsum(-1)
        word = (edges <= u[:, t, None]).sum(-1).clamp(max=scores.shape[1] - 1)
        if temperature == 0:
            word = scores.argmax(-1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% divides probabilities and normalises again tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            word = scores.argmax(-1)
        else:
            p = torch.softmax(scores, -1) / temperature
            edges = (p / p.sum(-1, keepdim=True)).cumsum(-1)
            word = (edges <= u[:, t, None]).sum(-1).clamp(max=scores.shape[1] - 1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% divides by a temperature of zero tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        edges = torch.softmax(scores / temperature, -1).cumsum(-1)
        word = (edges <= u[:, t, None]).sum(-1).clamp(max=scores.shape[1] - 1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% reads the first word again and again tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    written = []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][first], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            written.append(scores.argmax(-1))
            continue
        edges = torch.softmax(scores / temperature, -1).cumsum(-1)
        written.append((edges <= u[:, t, None]).sum(-1).clamp(max=scores.shape[1] - 1))
    return torch.stack(written, dim=1)


# %% forgets the state at every step tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    zero = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], zero, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            word = scores.argmax(-1)
        else:
            edges = torch.softmax(scores / temperature, -1).cumsum(-1)
            word = (edges <= u[:, t, None]).sum(-1).clamp(max=scores.shape[1] - 1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% may write a word that does not exist tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word % len(params["E"])], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            word = scores.argmax(-1)
        else:
            edges = torch.softmax(scores / temperature, -1).cumsum(-1)
            word = (edges <= u[:, t, None]).sum(-1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% draws its own random numbers tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, []
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1]):
        h = rnn_step(params["E"][word], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            word = scores.argmax(-1)
        else:
            word = torch.multinomial(torch.softmax(scores / temperature, -1), 1)[:, 0]
        written.append(word)
    return torch.stack(written, dim=1)


# %% the first word is part of the result tags=["wrong", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("negative")
    word, written = first, [first]
    h = u.new_zeros(len(first), len(params["b_h"]))
    for t in range(u.shape[1] - 1):
        h = rnn_step(params["E"][word], h, params)
        scores = h @ params["W_hy"] + params["b_y"]
        if temperature == 0:
            word = scores.argmax(-1)
        else:
            edges = torch.softmax(scores / temperature, -1).cumsum(-1)
            word = (edges <= u[:, t, None]).sum(-1).clamp(max=scores.shape[1] - 1)
        written.append(word)
    return torch.stack(written, dim=1)


# %% searchsorted, row by row tags=["right", "id:sample"]
def sample(first, u, params, temperature=1.0):
    if temperature < 0:
        raise ValueError("the temperature must not be negative")
    B, T = u.shape
    out = torch.zeros(B, T, dtype=torch.int64, device=u.device)
    for b in range(B):
        word = first[b : b + 1]
        h = torch.zeros(1, len(params["b_h"]), dtype=u.dtype, device=u.device)
        for t in range(T):
            h = rnn_step(params["E"][word], h, params)
            o = (h @ params["W_hy"] + params["b_y"])[0]
            if temperature == 0.0:
                word = o.argmax()[None]
            else:
                line = torch.cumsum(torch.exp(torch.log_softmax(o / temperature, 0)), 0)
                line[-1] = 2.0
                word = torch.searchsorted(line, u[b, t : t + 1].contiguous(), right=True)
            out[b, t] = word[0]
    return out


# %% always says even tags=["wrong", "id:parity-weights"]
def parity_weights():
    zero = numbers([[0.0]])
    return {"W_xh": zero, "W_hh": zero, "b_h": zero[0], "W_hy": zero, "b_y": numbers([-1.0])}


# %% tells whether there was any one tags=["wrong", "id:parity-weights"]
def parity_weights():
    return {
        "W_xh": numbers([[20.0]]),
        "W_hh": numbers([[20.0]]),
        "b_h": numbers([0.0]),
        "W_hy": numbers([[1.0]]),
        "b_y": numbers([-0.5]),
    }


# %% the gain is too small tags=["wrong", "id:parity-weights"]
def parity_weights():
    return {
        "W_xh": numbers([[1.0, 1.0]]),
        "W_hh": numbers([[0.5, 0.5], [-0.5, -0.5]]),
        "b_h": numbers([-0.5, -1.5]),
        "W_hy": numbers([[0.5], [-0.5]]),
        "b_y": numbers([-0.5]),
    }


# %% a third unit that holds the answer's sign, and another gain tags=["right", "id:parity-weights"]
def parity_weights():
    g = 30.0
    return {
        "W_xh": g * numbers([[1.0, 1.0, 0.0]]),
        "W_hh": g * numbers([[0.5, 0.5, 0.0], [-0.5, -0.5, 0.0], [0.0, 0.0, 0.0]]),
        "b_h": g * numbers([-0.5, -1.5, 1.0]),
        "W_hy": numbers([[1.0], [-1.0], [-1.0]]),
        "b_y": numbers([0.0]),
    }
