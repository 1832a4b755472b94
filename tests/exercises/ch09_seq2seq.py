# Wrong and right answers to solutions/ch09_seq2seq.py. Data, never imported: each cell replaces one
# exercise cell, see bank_harness.py.
# ruff: noqa

# %% runs on into the padding tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    words = source.flip(1) if backwards else source
    for s in range(source.shape[1]):
        h = gru_step(gru["E"][words[:, s]], h, gru)
    return h


# %% turns the padded row round tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    words = source.flip(1) if backwards else source
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    for s in range(source.shape[1]):
        new = gru_step(gru["E"][words[:, s]], h, gru)
        h = torch.where((s < lengths)[:, None], new, h)
    return h


# %% stops one word early tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    rows = torch.arange(len(source), device=source.device)
    for s in range(source.shape[1]):
        column = (lengths - 1 - s).clamp(min=0) if backwards else torch.full_like(lengths, s)
        new = gru_step(gru["E"][source[rows, column]], h, gru)
        h = torch.where((s < lengths - 1)[:, None], new, h)
    return h


# %% ignores backwards tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    for s in range(source.shape[1]):
        h = torch.where((s < lengths)[:, None], gru_step(gru["E"][source[:, s]], h, gru), h)
    return h


# %% tells the padding by the word PAD tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    columns = range(source.shape[1])
    for s in reversed(columns) if backwards else columns:
        new = gru_step(gru["E"][source[:, s]], h, gru)
        h = torch.where((source[:, s] != PAD)[:, None], new, h)
    return h


# %% reads with the decoder's table tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru, table = params["encoder"], params["decoder"]["E"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    columns = range(source.shape[1])
    for s in reversed(columns) if backwards else columns:
        new = gru_step(table[source[:, s] % len(table)], h, gru)
        h = torch.where((s < lengths)[:, None], new, h)
    return h


# %% detaches the state tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    h = gru["W_h"].new_zeros(len(source), len(gru["W_h"]))
    columns = range(source.shape[1])
    for s in reversed(columns) if backwards else columns:
        new = gru_step(gru["E"][source[:, s]], h.detach(), gru)
        h = torch.where((s < lengths)[:, None], new, h)
    return h


# %% always float64 tags=["wrong", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = {key: value.double() for key, value in params["encoder"].items()}
    h = torch.zeros(len(source), len(gru["W_h"]), dtype=torch.float64, device=source.device)
    columns = range(source.shape[1])
    for s in reversed(columns) if backwards else columns:
        new = gru_step(gru["E"][source[:, s]], h, gru)
        h = torch.where((s < lengths)[:, None], new, h)
    return h


# %% walks the columns from the right, and keeps zeros in the padding tags=["right", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    real = torch.arange(source.shape[1], device=source.device) < lengths[:, None]
    h = torch.zeros(len(source), len(gru["b_h"]) // 3).to(gru["W_h"])
    columns = list(range(source.shape[1]))
    for s in columns[::-1] if backwards else columns:
        taken = real[:, s].unsqueeze(1).to(h.dtype)
        h = taken * gru_step(torch.nn.functional.embedding(source[:, s], gru["E"]), h, gru) + (1 - taken) * h
    return h


# %% keeps all states and picks one, gathering the turned rows first tags=["right", "id:encode"]
def encode(source, lengths, params, backwards=False):
    gru = params["encoder"]
    places = torch.arange(source.shape[1], device=source.device)[None].expand(source.shape)
    if backwards:
        places = (lengths[:, None] - 1 - places) % source.shape[1]
    words = source.gather(1, places)
    h, states = gru["E"].new_zeros(len(source), gru["W_h"].shape[0]), []
    for column in words.unbind(1):
        h = gru_step(gru["E"][column], h, gru)
        states.append(h)
    return torch.stack(states, 1)[torch.arange(len(source), device=source.device), lengths - 1]


# %% the context comes first tags=["wrong", "id:decode-step"]
def decode_step(word, state, params, context=None):
    gru = params["decoder"]
    u = gru["E"][word]
    if context is not None:
        u = torch.cat([context, u], dim=1)
    state = gru_step(u, state, gru)
    return state @ params["W_y"] + params["b_y"], state


# %% scores from the old state tags=["wrong", "id:decode-step"]
def decode_step(word, state, params, context=None):
    gru = params["decoder"]
    u = gru["E"][word]
    if context is not None:
        u = torch.cat([u, context], dim=1)
    return state @ params["W_y"] + params["b_y"], gru_step(u, state, gru)


# %% returns probabilities tags=["wrong", "id:decode-step"]
def decode_step(word, state, params, context=None):
    gru = params["decoder"]
    u = gru["E"][word]
    if context is not None:
        u = torch.cat([u, context], dim=1)
    state = gru_step(u, state, gru)
    return torch.softmax(state @ params["W_y"] + params["b_y"], dim=-1), state


# %% forgets the output bias tags=["wrong", "id:decode-step"]
def decode_step(word, state, params, context=None):
    gru = params["decoder"]
    u = gru["E"][word] if context is None else torch.cat([gru["E"][word], context], dim=1)
    state = gru_step(u, state, gru)
    return state @ params["W_y"], state


# %% returns the old state tags=["wrong", "id:decode-step"]
def decode_step(word, state, params, context=None):
    gru = params["decoder"]
    u = gru["E"][word] if context is None else torch.cat([gru["E"][word], context], dim=1)
    return gru_step(u, state, gru) @ params["W_y"] + params["b_y"], state


# %% state first, scores second tags=["wrong", "id:decode-step"]
def decode_step(word, state, params, context=None):
    gru = params["decoder"]
    u = gru["E"][word] if context is None else torch.cat([gru["E"][word], context], dim=1)
    state = gru_step(u, state, gru)
    return state, state @ params["W_y"] + params["b_y"]


# %% with einsum and parts of the input tags=["right", "id:decode-step"]
def decode_step(word, state, params, context=None):
    heard = [params["decoder"]["E"].index_select(0, word)]
    heard += [] if context is None else [context]
    new = gru_step(torch.hstack(heard), state, params["decoder"])
    return torch.einsum("bh,hv->bv", new, params["W_y"]).add(params["b_y"]), new


# %% EOS is not scored tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths - 1, cost, 0).sum()
    return total / (target_lengths - 1).sum()


# %% EOS is counted but not scored tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where((t < target_lengths) & (word != EOS), cost, 0).sum()
    return total / target_lengths.sum()


# %% counts the padding tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, costs = context, torch.full_like(target[:, 0], BOS), []
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        costs.append(F.cross_entropy(scores, word, reduction="none"))
    return torch.stack(costs).mean()


# %% tells the padding by the word PAD tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, scores = context, torch.full_like(target[:, 0], BOS), []
    for t in range(target.shape[1]):
        o, state = decode_step(word, state, params, context if every_step else None)
        scores.append(o)
        word = target[:, t]
    return F.cross_entropy(torch.stack(scores, 1).flatten(0, 1), target.flatten(), ignore_index=PAD)


# %% hears what it should say tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, total = context, 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(target[:, t], state, params, context if every_step else None)
        cost = F.cross_entropy(scores, target[:, t], reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()


# %% a mean of the sentences' means tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0)
    return (total / target_lengths).mean()


# %% a mean over the rectangle tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target.numel()


# %% starts from zero tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = 0 * context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()


# %% starts the decoder with PAD tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], PAD), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()


# %% hears its own words tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        cost = F.cross_entropy(scores, target[:, t], reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()


# %% context at every step only by name tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        extra = state if every_step else None
        scores, state = decode_step(word, state, params, extra)
        word = target[:, t]
        cost = F.cross_entropy(scores, word, reduction="none")
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()


# %% the logarithm of a softmax tags=["wrong", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    state, word, total = context, torch.full_like(target[:, 0], BOS), 0.0
    for t in range(target.shape[1]):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = target[:, t]
        e = torch.exp(scores)
        cost = -torch.log(e / e.sum(1, keepdim=True)).gather(1, word[:, None])[:, 0]
        total = total + torch.where(t < target_lengths, cost, 0).sum()
    return total / target_lengths.sum()


# %% all scores first, then a mask on the rectangle tags=["right", "id:teacher-forced-loss"]
def teacher_forced_loss(source, source_lengths, target, target_lengths, params, every_step=False):
    context = encode(source, source_lengths, params)
    first = torch.ones_like(target[:, :1]) * BOS
    heard = torch.cat([first, target], dim=1)[:, :-1]
    rows, s = [], context
    for y in heard.T:
        o, s = decode_step(y, s, params, *([context] if every_step else []))
        rows.append(torch.log_softmax(o, dim=-1))
    log_p = torch.stack(rows, dim=1).gather(2, target.unsqueeze(2)).squeeze(2)
    real = torch.arange(target.shape[1], device=target.device)[None] < target_lengths[:, None]
    return -log_p[real].mean()


# %% EOS stays in the translation tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, word, said = context, torch.full_like(source[:, 0], BOS), []
    for _ in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        said.append(word)
    rows = torch.stack(said, dim=1).tolist() if said else [[] for _ in source]
    return [row[: row.index(EOS) + 1] if EOS in row else row for row in rows]


# %% does not cut at EOS tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, word, said = context, torch.full_like(source[:, 0], BOS), []
    for _ in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        said.append(word)
    return torch.stack(said, dim=1).tolist() if said else [[] for _ in source]


# %% only takes EOS out tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, word, said = context, torch.full_like(source[:, 0], BOS), []
    for _ in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        said.append(word)
    rows = torch.stack(said, dim=1).tolist() if said else [[] for _ in source]
    return [[w for w in row if w != EOS] for row in rows]


# %% all rows stop with the first tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, word, rows = context, torch.full_like(source[:, 0], BOS), [[] for _ in source]
    for _ in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        if (word == EOS).any():
            break
        for row, w in zip(rows, word.tolist()):
            row.append(w)
    return rows


# %% feeds BOS at every step tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, said = context, []
    word = torch.full_like(source[:, 0], BOS)
    for _ in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        said.append(scores.argmax(dim=1))
    rows = torch.stack(said, dim=1).tolist() if said else [[] for _ in source]
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]


# %% says one word too many tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, word, said = context, torch.full_like(source[:, 0], BOS), []
    for _ in range(longest + 1):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        said.append(word)
    rows = torch.stack(said, dim=1).tolist()
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]


# %% forgets the state tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    word, said = torch.full_like(source[:, 0], BOS), []
    for _ in range(longest):
        scores, _ = decode_step(word, context, params, context if every_step else None)
        word = scores.argmax(dim=1)
        said.append(word)
    rows = torch.stack(said, dim=1).tolist() if said else [[] for _ in source]
    return [row[: row.index(EOS)] if EOS in row else row for row in rows]


# %% returns a padded tensor tags=["wrong", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    context = encode(source, lengths, params)
    state, word = context, torch.full_like(source[:, 0], BOS)
    done = torch.zeros_like(word, dtype=torch.bool)
    said = source.new_full((len(source), longest), PAD)
    for t in range(longest):
        scores, state = decode_step(word, state, params, context if every_step else None)
        word = scores.argmax(dim=1)
        done = done | (word == EOS)
        said[:, t] = torch.where(done, PAD, word)
    return said


# %% drops rows from the batch as they end tags=["right", "id:greedy-translate"]
def greedy_translate(source, lengths, params, longest, every_step=False):
    out = [[] for _ in range(len(source))]
    context = encode(source, lengths, params)
    alive = list(range(len(source)))
    state, word = context, source.new_full((len(source),), BOS)
    while alive and len(out[alive[0]]) < longest:
        scores, state = decode_step(word, state, params, context if every_step else None)
        said = scores.max(dim=1).indices
        keep = [i for i, w in enumerate(said.tolist()) if w != EOS]
        for i in keep:
            out[alive[i]].append(int(said[i]))
        alive, picked = [alive[i] for i in keep], torch.tensor(keep, dtype=torch.long, device=source.device)
        word, state, context = said[picked], state[picked], context[picked]
    return out


# %% does not clip tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    if len(hypotheses) != len(references):
        raise ValueError
    matches = total = 0
    for h, refs in zip(hypotheses, references):
        known = {tuple(r[i : i + n]) for r in refs for i in range(len(r) - n + 1)}
        grams = [tuple(h[i : i + n]) for i in range(len(h) - n + 1)]
        matches += sum(g in known for g in grams)
        total += len(grams)
    return matches, total


# %% adds the references up tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    from collections import Counter

    if len(hypotheses) != len(references):
        raise ValueError
    grams = lambda s: Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1))
    matches = total = 0
    for h, refs in zip(hypotheses, references):
        allowed = Counter()
        for r in refs:
            allowed += grams(r)
        matches += sum((grams(h) & allowed).values())
        total += sum(grams(h).values())
    return matches, total


# %% only the first reference tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    from collections import Counter

    if len(hypotheses) != len(references):
        raise ValueError
    grams = lambda s: Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1))
    pairs = [(grams(h), grams(refs[0])) for h, refs in zip(hypotheses, references)]
    return sum(sum((h & r).values()) for h, r in pairs), sum(sum(h.values()) for h, _ in pairs)


# %% counts different n-grams only tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    if len(hypotheses) != len(references):
        raise ValueError
    grams = lambda s: {tuple(s[i : i + n]) for i in range(len(s) - n + 1)}
    matches = total = 0
    for h, refs in zip(hypotheses, references):
        matches += len(grams(h) & set().union(*(grams(r) for r in refs)))
        total += len(grams(h))
    return matches, total


# %% the reference with most matches, not most of each n-gram tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    from collections import Counter

    if len(hypotheses) != len(references):
        raise ValueError
    grams = lambda s: Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1))
    matches = total = 0
    for h, refs in zip(hypotheses, references):
        matches += max(sum((grams(h) & grams(r)).values()) for r in refs)
        total += sum(grams(h).values())
    return matches, total


# %% joins words without a border tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    from collections import Counter

    if len(hypotheses) != len(references):
        raise ValueError
    grams = lambda s: Counter("".join(s[i : i + n]) for i in range(len(s) - n + 1))
    matches = total = 0
    for h, refs in zip(hypotheses, references):
        allowed = Counter()
        for r in refs:
            allowed |= grams(r)
        matches += sum((grams(h) & allowed).values())
        total += sum(grams(h).values())
    return matches, total


# %% zip cuts the longer list tags=["wrong", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    from collections import Counter

    grams = lambda s: Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1))
    matches = total = 0
    for h, refs in zip(hypotheses, references):
        allowed = Counter()
        for r in refs:
            allowed |= grams(r)
        matches += sum((grams(h) & allowed).values())
        total += sum(grams(h).values())
    return matches, total


# %% with Counters and their union tags=["right", "id:modified-precision"]
def modified_precision(hypotheses, references, n):
    from collections import Counter
    from functools import reduce

    if len(hypotheses) != len(references):
        raise ValueError("as many lists of references as hypotheses, please")
    grams = lambda s: Counter(zip(*(s[i:] for i in range(n))))
    said = [grams(h) for h in hypotheses]
    caps = [reduce(lambda a, b: a | b, map(grams, refs)) for refs in references]
    matched = sum(sum((h & cap).values()) for h, cap in zip(said, caps))
    return matched, sum(sum(h.values()) for h in said)


# %% the longer of two equally close tags=["wrong", "id:brevity-penalty"]
def brevity_penalty(hypotheses, references):
    c = sum(map(len, hypotheses))
    r = 0
    for h, refs in zip(hypotheses, references):
        r += max((-abs(len(x) - len(h)), len(x)) for x in refs)[1]
    return 0.0 if c == 0 else min(1.0, math.exp(1 - r / c))


# %% a mean of penalties tags=["wrong", "id:brevity-penalty"]
def brevity_penalty(hypotheses, references):
    values = []
    for h, refs in zip(hypotheses, references):
        r = min((abs(len(x) - len(h)), len(x)) for x in refs)[1]
        values.append(0.0 if not h else min(1.0, math.exp(1 - r / len(h))))
    return sum(values) / len(values)


# %% the shortest reference tags=["wrong", "id:brevity-penalty"]
def brevity_penalty(hypotheses, references):
    c = sum(map(len, hypotheses))
    r = sum(min(len(x) for x in refs) for refs in references)
    return 0.0 if c == 0 else min(1.0, math.exp(1 - r / c))


# %% rewards length tags=["wrong", "id:brevity-penalty"]
def brevity_penalty(hypotheses, references):
    c = sum(map(len, hypotheses))
    r = sum(min((abs(len(x) - len(h)), len(x)) for x in refs)[1] for h, refs in zip(hypotheses, references))
    return 0.0 if c == 0 else math.exp(1 - r / c)


# %% divides by zero when nothing is said tags=["wrong", "id:brevity-penalty"]
def brevity_penalty(hypotheses, references):
    c = sum(map(len, hypotheses))
    r = sum(min((abs(len(x) - len(h)), len(x)) for x in refs)[1] for h, refs in zip(hypotheses, references))
    return min(1.0, math.exp(1 - r / c))


# %% by sorting tags=["right", "id:brevity-penalty"]
def brevity_penalty(hypotheses, references):
    spoken, wanted = 0, 0
    for h, refs in zip(hypotheses, references):
        n = len(h)
        spoken += n
        wanted += sorted(set(map(len, refs)), key=lambda x: 2 * abs(x - n) + (x > n))[0]
    if spoken > wanted:
        return 1
    return float(np.exp(1 - wanted / spoken)) if spoken else 0.0


# %% a mean over sentences tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    scores = []
    for h, refs in zip(hypotheses, references):
        logs = 0.0
        for n in range(1, largest + 1):
            m, t = modified_precision([h], [refs], n)
            logs += math.log(m / t) if m else -math.inf
        scores.append(100 * brevity_penalty([h], [refs]) * math.exp(logs / largest))
    return sum(scores) / len(scores)


# %% between 0 and 1 tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    pairs = [modified_precision(hypotheses, references, n) for n in range(1, largest + 1)]
    if any(m == 0 for m, _ in pairs):
        return 0.0
    logs = sum(math.log(m / t) for m, t in pairs) / largest
    return brevity_penalty(hypotheses, references) * math.exp(logs)


# %% no brevity penalty tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    pairs = [modified_precision(hypotheses, references, n) for n in range(1, largest + 1)]
    if any(m == 0 for m, _ in pairs):
        return 0.0
    return 100 * math.exp(sum(math.log(m / t) for m, t in pairs) / largest)


# %% an arithmetic mean of the precisions tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    pairs = [modified_precision(hypotheses, references, n) for n in range(1, largest + 1)]
    mean = sum(m / t if t else 0 for m, t in pairs) / largest
    return 100 * brevity_penalty(hypotheses, references) * mean


# %% skips orders without n-grams (effective order) tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    pairs = [modified_precision(hypotheses, references, n) for n in range(1, largest + 1)]
    pairs = [(m, t) for m, t in pairs if t]
    if not pairs or any(m == 0 for m, _ in pairs):
        return 0.0
    logs = sum(math.log(m / t) for m, t in pairs) / len(pairs)
    return 100 * brevity_penalty(hypotheses, references) * math.exp(logs)


# %% adds one to every count tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    pairs = [modified_precision(hypotheses, references, n) for n in range(1, largest + 1)]
    logs = sum(math.log((m + 1) / (t + 1)) for m, t in pairs) / largest
    return 100 * brevity_penalty(hypotheses, references) * math.exp(logs)


# %% ignores largest tags=["wrong", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    pairs = [modified_precision(hypotheses, references, n) for n in range(1, 5)]
    if any(m == 0 for m, _ in pairs):
        return 0.0
    logs = sum(math.log(m / t) for m, t in pairs) / 4
    return 100 * brevity_penalty(hypotheses, references) * math.exp(logs)


# %% a product and a root tags=["right", "id:corpus-bleu"]
def corpus_bleu(hypotheses, references, largest=4):
    product = 1.0
    for n in range(1, largest + 1):
        matched, possible = modified_precision(hypotheses, references, n)
        product *= matched / possible if possible else 0.0
    return 100.0 * brevity_penalty(hypotheses, references) * product ** (1 / largest)


# %% only the first reference is right tags=["wrong", "id:accuracy-by-length"]
def accuracy_by_length(hypotheses, references, lengths, edges):
    out = {}
    for low, high in zip(edges, edges[1:]):
        rows = [h == r[0] for h, r, n in zip(hypotheses, references, lengths) if low <= n < high]
        if rows:
            out[low] = sum(rows) / len(rows)
    return out


# %% bins hold their upper edge tags=["wrong", "id:accuracy-by-length"]
def accuracy_by_length(hypotheses, references, lengths, edges):
    out = {}
    for low, high in zip(edges, edges[1:]):
        rows = [h in r for h, r, n in zip(hypotheses, references, lengths) if low < n <= high]
        if rows:
            out[low] = sum(rows) / len(rows)
    return out


# %% empty bins are 0 tags=["wrong", "id:accuracy-by-length"]
def accuracy_by_length(hypotheses, references, lengths, edges):
    out = {}
    for low, high in zip(edges, edges[1:]):
        rows = [h in r for h, r, n in zip(hypotheses, references, lengths) if low <= n < high]
        out[low] = sum(rows) / max(1, len(rows))
    return out


# %% a share of all sentences tags=["wrong", "id:accuracy-by-length"]
def accuracy_by_length(hypotheses, references, lengths, edges):
    out = {}
    for low, high in zip(edges, edges[1:]):
        rows = [h in r for h, r, n in zip(hypotheses, references, lengths) if low <= n < high]
        if rows:
            out[low] = sum(rows) / len(hypotheses)
    return out


# %% the last bin is open tags=["wrong", "id:accuracy-by-length"]
def accuracy_by_length(hypotheses, references, lengths, edges):
    out = {}
    for low, high in zip(edges, [*edges[1:-1], 10**9]):
        rows = [h in r for h, r, n in zip(hypotheses, references, lengths) if low <= n < high]
        if rows:
            out[low] = sum(rows) / len(rows)
    return out


# %% with bisect and counts tags=["right", "id:accuracy-by-length"]
def accuracy_by_length(hypotheses, references, lengths, edges):
    from bisect import bisect_right

    hits = {}
    for h, refs, n in zip(hypotheses, references, lengths):
        i = bisect_right(edges, n)
        if 0 < i < len(edges):
            hits.setdefault(edges[i - 1], []).append(1.0 if any(h == r for r in refs) else 0.0)
    return {low: float(np.mean(hits[low])) for low in edges if low in hits}


# %% a mean of the sentences' scores tags=["wrong", "id:resampled-bleu"]
def resampled_bleu(hypotheses, references, picks):
    single = np.array([corpus_bleu([h], [r]) for h, r in zip(hypotheses, references)])
    return single[picks].mean(axis=1)


# %% draws without repetition tags=["wrong", "id:resampled-bleu"]
def resampled_bleu(hypotheses, references, picks):
    out = []
    for row in picks[:8]:
        row = sorted(set(row.tolist()))
        out.append(corpus_bleu([hypotheses[i] for i in row], [references[i] for i in row]))
    return np.array(out * (len(picks) // len(out)))


# %% one score instead of one a test set tags=["wrong", "id:resampled-bleu"]
def resampled_bleu(hypotheses, references, picks):
    rows = picks[0].tolist()
    return corpus_bleu([hypotheses[i] for i in rows], [references[i] for i in rows])


# %% by matrix product with how often each sentence was drawn tags=["right", "id:resampled-bleu"]
def resampled_bleu(hypotheses, references, picks):
    M = len(hypotheses)
    times = np.stack([np.bincount(row, minlength=M) for row in picks]).astype(float)
    logs, low = np.zeros(len(picks)), np.ones(len(picks), dtype=bool)
    for n in range(1, 5):
        pair = np.array([modified_precision([h], [r], n) for h, r in zip(hypotheses, references)], dtype=float)
        matched, possible = (times @ pair).T
        low &= matched > 0
        logs += np.log(np.maximum(matched, 1e-300) / np.maximum(possible, 1))
    c = times @ np.array([len(h) for h in hypotheses], dtype=float)
    r = times @ np.array([min((abs(len(x) - len(h)), len(x)) for x in rs)[1] for h, rs in zip(hypotheses, references)], dtype=float)
    return np.where(low, 100 * np.exp(logs / 4 + np.minimum(0, 1 - r / np.maximum(c, 1))), 0.0)
