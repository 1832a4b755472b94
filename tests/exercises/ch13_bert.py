# Wrong and right answers to solutions/ch13_bert.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% takes the shortest piece first tags=["wrong", "id:wordpiece"]
def wordpiece(word, vocabulary):
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        front = "##" if start else ""
        for end in range(start + 1, len(word) + 1):
            if front + word[start:end] in vocabulary:
                pieces.append(front + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


# %% writes pieces inside a word without the marks tags=["wrong", "id:wordpiece"]
def wordpiece(word, vocabulary):
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        front = "##" if start else ""
        for end in range(len(word), start, -1):
            if front + word[start:end] in vocabulary:
                pieces.append(word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


# %% keeps the pieces found before an unknown rest tags=["wrong", "id:wordpiece"]
def wordpiece(word, vocabulary):
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        front = "##" if start else ""
        for end in range(len(word), start, -1):
            if front + word[start:end] in vocabulary:
                pieces.append(front + word[start:end])
                start = end
                break
        else:
            return pieces + ["[UNK]"]
    return pieces


# %% cuts very long words too tags=["wrong", "id:wordpiece"]
def wordpiece(word, vocabulary):
    pieces, start = [], 0
    while start < len(word):
        front = "##" if start else ""
        for end in range(len(word), start, -1):
            if front + word[start:end] in vocabulary:
                pieces.append(front + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


# %% lets any piece stand anywhere tags=["wrong", "id:wordpiece"]
def wordpiece(word, vocabulary):
    if len(word) > 100:
        return ["[UNK]"]
    bare = {piece.removeprefix("##") for piece in vocabulary}
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            if word[start:end] in bare:
                pieces.append(("##" if start else "") + word[start:end])
                start = end
                break
        else:
            return ["[UNK]"]
    return pieces


# %% by recursion on the rest of the word tags=["right", "id:wordpiece"]
def wordpiece(word, vocabulary):
    def rest(text, front):
        if not text:
            return []
        sizes = [n for n in range(1, len(text) + 1) if front + text[:n] in vocabulary]
        if not sizes:
            return None
        tail = rest(text[max(sizes) :], "##")
        return None if tail is None else [front + text[: max(sizes)], *tail]

    found = rest(word, "") if len(word) <= 100 else None
    return ["[UNK]"] if found is None else found


# %% gives the first separator to the second sentence tags=["wrong", "id:encode-pair"]
def encode_pair(first, second, length):
    a, b = list(first), list(second or [])
    room = length - (2 if second is None else 3)
    while len(a) + len(b) > room:
        (a if len(a) > len(b) else b).pop()
    ids = [CLS, *a] + [SEP]
    segments = [0] * (len(a) + 1) + [0 if second is None else 1]
    if second is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    more = length - len(ids)
    return (torch.tensor(ids + [PAD] * more), torch.tensor(segments + [0] * more),
            torch.tensor([True] * len(ids) + [False] * more))


# %% cuts the row off at its end tags=["wrong", "id:encode-pair"]
def encode_pair(first, second, length):
    ids = [CLS, *first, SEP] + ([] if second is None else [*second, SEP])
    segments = [0] * (len(first) + 2) + ([] if second is None else [1] * (len(second) + 1))
    ids, segments = ids[:length], segments[:length]
    more = length - len(ids)
    return (torch.tensor(ids + [PAD] * more), torch.tensor(segments + [0] * more),
            torch.tensor([True] * len(ids) + [False] * more))


# %% shortens only the second sentence tags=["wrong", "id:encode-pair"]
def encode_pair(first, second, length):
    a, b = list(first), list(second or [])
    room = length - (2 if second is None else 3)
    while len(a) + len(b) > room:
        (b if b else a).pop()
    ids, segments = [CLS, *a, SEP], [0] * (len(a) + 2)
    if second is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    more = length - len(ids)
    return (torch.tensor(ids + [PAD] * more), torch.tensor(segments + [0] * more),
            torch.tensor([True] * len(ids) + [False] * more))


# %% says True for padding tags=["wrong", "id:encode-pair"]
def encode_pair(first, second, length):
    a, b = list(first), list(second or [])
    room = length - (2 if second is None else 3)
    while len(a) + len(b) > room:
        (a if len(a) > len(b) else b).pop()
    ids, segments = [CLS, *a, SEP], [0] * (len(a) + 2)
    if second is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    more = length - len(ids)
    return (torch.tensor(ids + [PAD] * more), torch.tensor(segments + [0] * more),
            torch.tensor([False] * len(ids) + [True] * more))


# %% shortens the caller's lists tags=["wrong", "id:encode-pair"]
def encode_pair(first, second, length):
    b = [] if second is None else second
    room = length - (2 if second is None else 3)
    while len(first) + len(b) > room:
        (first if len(first) > len(b) else b).pop()
    ids, segments = [CLS, *first, SEP], [0] * (len(first) + 2)
    if second is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    more = length - len(ids)
    return (torch.tensor(ids + [PAD] * more), torch.tensor(segments + [0] * more),
            torch.tensor([True] * len(ids) + [False] * more))


# %% takes equal lengths from the first sentence tags=["wrong", "id:encode-pair"]
def encode_pair(first, second, length):
    a, b = list(first), list(second or [])
    room = length - (2 if second is None else 3)
    while len(a) + len(b) > room:
        (b if len(b) > len(a) else a).pop()
    ids, segments = [CLS, *a, SEP], [0] * (len(a) + 2)
    if second is not None:
        ids += [*b, SEP]
        segments += [1] * (len(b) + 1)
    more = length - len(ids)
    return (torch.tensor(ids + [PAD] * more), torch.tensor(segments + [0] * more),
            torch.tensor([True] * len(ids) + [False] * more))


# %% lengths first, then filled tensors tags=["right", "id:encode-pair"]
def encode_pair(first, second, length):
    m, n = len(first), 0 if second is None else len(second)
    over = m + n - (length - (2 if second is None else 3))
    for _ in range(max(over, 0)):
        if m > n:
            m -= 1
        else:
            n -= 1
    ids = torch.full((length,), PAD)
    segments, real = torch.zeros_like(ids), torch.zeros(length, dtype=torch.bool)
    parts = torch.tensor([CLS, *first[:m], SEP, *([] if second is None else [*second[:n], SEP])])
    ids[: len(parts)] = parts
    real[: len(parts)] = True
    segments[m + 2 : len(parts)] = 1
    return ids, segments, real


# %% hides special symbols too tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    coin, fate = (torch.from_numpy(rng.random(ids.shape)).to(ids.device) for _ in range(2))
    other = torch.from_numpy(rng.integers(FIRST, V, ids.shape)).to(ids.device)
    chosen = coin < 0.15
    inputs = torch.where(chosen & (fate < 0.8), torch.full_like(ids, MASK), ids)
    inputs = torch.where(chosen & (fate >= 0.9), other, inputs)
    return inputs, torch.where(chosen, ids, torch.full_like(ids, IGNORED))


# %% makes every chosen token a mask tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    coin = torch.from_numpy(rng.random(ids.shape)).to(ids.device)
    chosen = (ids >= FIRST) & (coin < 0.15)
    inputs = torch.where(chosen, torch.full_like(ids, MASK), ids)
    return inputs, torch.where(chosen, ids, torch.full_like(ids, IGNORED))


# %% takes the target from the changed input tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    coin, fate = (torch.from_numpy(rng.random(ids.shape)).to(ids.device) for _ in range(2))
    other = torch.from_numpy(rng.integers(FIRST, V, ids.shape)).to(ids.device)
    chosen = (ids >= FIRST) & (coin < 0.15)
    inputs = torch.where(chosen & (fate < 0.8), torch.full_like(ids, MASK), ids)
    inputs = torch.where(chosen & (fate >= 0.9), other, inputs)
    return inputs, torch.where(chosen, inputs, torch.full_like(ids, IGNORED))


# %% gives no target to what stays as it is tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    coin, fate = (torch.from_numpy(rng.random(ids.shape)).to(ids.device) for _ in range(2))
    other = torch.from_numpy(rng.integers(FIRST, V, ids.shape)).to(ids.device)
    chosen = (ids >= FIRST) & (coin < 0.15)
    inputs = torch.where(chosen & (fate < 0.8), torch.full_like(ids, MASK), ids)
    inputs = torch.where(chosen & (fate >= 0.9), other, inputs)
    return inputs, torch.where(inputs != ids, ids, torch.full_like(ids, IGNORED))


# %% draws random pieces from all numbers tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    coin, fate = (torch.from_numpy(rng.random(ids.shape)).to(ids.device) for _ in range(2))
    other = torch.from_numpy(rng.integers(0, V, ids.shape)).to(ids.device)
    chosen = (ids >= FIRST) & (coin < 0.15)
    inputs = torch.where(chosen & (fate < 0.8), torch.full_like(ids, MASK), ids)
    inputs = torch.where(chosen & (fate >= 0.9), other, inputs)
    return inputs, torch.where(chosen, ids, torch.full_like(ids, IGNORED))


# %% changes its input tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    coin, fate = (torch.from_numpy(rng.random(ids.shape)).to(ids.device) for _ in range(2))
    other = torch.from_numpy(rng.integers(FIRST, V, ids.shape)).to(ids.device)
    chosen = (ids >= FIRST) & (coin < 0.15)
    targets = torch.where(chosen, ids, torch.full_like(ids, IGNORED))
    ids[chosen & (fate < 0.8)] = MASK
    change = chosen & (fate >= 0.9)
    ids[change] = other[change]
    return ids, targets


# %% always hides the same number of each row tags=["wrong", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    inputs, targets = ids.clone(), torch.full_like(ids, IGNORED)
    for b in range(len(ids)):
        places = (ids[b] >= FIRST).nonzero()[:, 0].cpu().numpy()
        for t in rng.permutation(places)[: round(0.15 * len(places))].tolist():
            targets[b, t], fate = ids[b, t], rng.random()
            if fate < 0.8:
                inputs[b, t] = MASK
            elif fate < 0.9:
                inputs[b, t] = int(rng.integers(FIRST, V))
    return inputs, targets


# %% token by token tags=["right", "id:mask-tokens"]
def mask_tokens(ids, V, rng):
    inputs, targets = ids.tolist(), []
    for row in inputs:
        wanted = []
        for t, token in enumerate(row):
            if token < FIRST or rng.random() >= 0.15:
                wanted.append(-100)
                continue
            wanted.append(token)
            fate = rng.random()
            if fate < 0.1:
                row[t] = int(rng.integers(FIRST, V))
            elif fate >= 0.2:
                row[t] = MASK
        targets.append(wanted)
    return tuple(torch.tensor(v, device=ids.device) for v in (inputs, targets))


# %% false pairs of the same document tags=["wrong", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    if len(documents) < 2:
        raise ValueError("one document")
    pairs = []
    for document in documents:
        for a, b in pairwise(document):
            if rng.random() < 0.5:
                pairs.append((a, b, True))
            else:
                pairs.append((a, document[int(rng.integers(len(document)))], False))
    return pairs


# %% any document, its own included tags=["wrong", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    if len(documents) < 2:
        raise ValueError("one document")
    pairs = []
    for document in documents:
        for a, b in pairwise(document):
            if rng.random() < 0.5:
                pairs.append((a, b, True))
            else:
                other = documents[int(rng.integers(len(documents)))]
                pairs.append((a, other[int(rng.integers(len(other)))], False))
    return pairs


# %% every sentence gives a true and a false pair tags=["wrong", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    if len(documents) < 2:
        raise ValueError("one document")
    pairs = []
    for d, document in enumerate(documents):
        for a, b in pairwise(document):
            pairs.append((a, b, True))
            other = documents[(d + 1 + int(rng.integers(len(documents) - 1))) % len(documents)]
            pairs.append((a, other[int(rng.integers(len(other)))], False))
    return pairs


# %% draws a sentence among all, so long documents come up more tags=["wrong", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    if len(documents) < 2:
        raise ValueError("one document")
    pairs = []
    for d, document in enumerate(documents):
        others = [s for e, doc in enumerate(documents) if e != d for s in doc * len(doc)]
        for a, b in pairwise(document):
            if rng.random() < 0.5:
                pairs.append((a, b, True))
            else:
                pairs.append((a, others[int(rng.integers(len(others)))], False))
    return pairs


# %% never asks for a second document tags=["wrong", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    pairs = []
    for d, document in enumerate(documents):
        for a, b in pairwise(document):
            others = [e for e in range(len(documents)) if e != d]
            if not others or rng.random() < 0.5:
                pairs.append((a, b, True))
            else:
                other = documents[others[int(rng.integers(len(others)))]]
                pairs.append((a, other[int(rng.integers(len(other)))], False))
    return pairs


# %% takes the first sentence of another document always tags=["wrong", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    if len(documents) < 2:
        raise ValueError("one document")
    pairs = []
    for d, document in enumerate(documents):
        for a, b in pairwise(document):
            if rng.random() < 0.5:
                pairs.append((a, b, True))
            else:
                other = documents[(d + 1 + int(rng.integers(len(documents) - 1))) % len(documents)]
                pairs.append((a, other[0], False))
    return pairs


# %% with choice and a shift round the circle tags=["right", "id:next-sentence-pairs"]
def next_sentence_pairs(documents, rng):
    count = len(documents)
    if count < 2:
        raise ValueError("there is no other document")
    heads = [(d, s) for d, document in enumerate(documents) for s in range(len(document) - 1)]
    pairs = []
    for d, s in heads:
        a = documents[d][s]
        if rng.integers(2):
            pairs.append((a, documents[d][s + 1], True))
        else:
            other = documents[(d + int(rng.integers(1, count))) % count]
            pairs.append((a, other[int(rng.choice(len(other)))], False))
    return pairs


# %% forgets the positions tags=["wrong", "id:bert-embeddings"]
def bert_embeddings(ids, segments, params):
    x = params["E"][ids] + params["S"][segments]
    return normed(x, params["gain"], params["bias"])


# %% forgets the segments tags=["wrong", "id:bert-embeddings"]
def bert_embeddings(ids, segments, params):
    x = params["E"][ids] + params["P"][: ids.shape[1]]
    return normed(x, params["gain"], params["bias"])


# %% does not normalise tags=["wrong", "id:bert-embeddings"]
def bert_embeddings(ids, segments, params):
    return params["E"][ids] + params["P"][: ids.shape[1]] + params["S"][segments]


# %% normalises without gain and bias tags=["wrong", "id:bert-embeddings"]
def bert_embeddings(ids, segments, params):
    x = params["E"][ids] + params["P"][: ids.shape[1]] + params["S"][segments]
    return F.layer_norm(x, x.shape[-1:], eps=1e-12)


# %% the sum with one-hot products and the normalisation written out tags=["right", "id:bert-embeddings"]
def bert_embeddings(ids, segments, params):
    E, S = params["E"], params["S"]
    words = F.one_hot(ids, len(E)).to(E.dtype) @ E
    sides = torch.stack([S[0].expand_as(words), S[1].expand_as(words)])
    x = words + torch.where(segments[..., None] == 1, sides[1], sides[0])
    x = x + params["P"].narrow(0, 0, ids.shape[1])
    centred = x - x.mean(-1, keepdim=True)
    spread = (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt()
    return centred / spread * params["gain"] + params["bias"]


# %% divides by all places tags=["wrong", "id:masked-lm-loss"]
def masked_lm_loss(h, targets, params):
    y = normed(F.gelu(h @ params["W_t"] + params["b_t"]), params["gain"], params["bias"])
    o = y @ params["E"].T + params["b_v"]
    return F.cross_entropy(o.transpose(1, 2), targets, reduction="none").mean()


# %% a mean of the sentences' means tags=["wrong", "id:masked-lm-loss"]
def masked_lm_loss(h, targets, params):
    y = normed(F.gelu(h @ params["W_t"] + params["b_t"]), params["gain"], params["bias"])
    o = y @ params["E"].T + params["b_v"]
    each = F.cross_entropy(o.transpose(1, 2), targets, reduction="none")
    count = (targets != -100).sum(1)
    rows = count > 0
    return (each.sum(1)[rows] / count[rows]).mean()


# %% forgets the layer normalisation tags=["wrong", "id:masked-lm-loss"]
def masked_lm_loss(h, targets, params):
    y = F.gelu(h @ params["W_t"] + params["b_t"])
    o = y @ params["E"].T + params["b_v"]
    return F.cross_entropy(o.flatten(0, 1), targets.flatten())


# %% forgets the bias of the scores tags=["wrong", "id:masked-lm-loss"]
def masked_lm_loss(h, targets, params):
    y = normed(F.gelu(h @ params["W_t"] + params["b_t"]), params["gain"], params["bias"])
    return F.cross_entropy((y @ params["E"].T).flatten(0, 1), targets.flatten())


# %% takes the logarithm of the softmax by hand, which overflows tags=["wrong", "id:masked-lm-loss"]
def masked_lm_loss(h, targets, params):
    asked = targets != IGNORED
    y = normed(F.gelu(h[asked] @ params["W_t"] + params["b_t"]), params["gain"], params["bias"])
    o = y @ params["E"].T + params["b_v"]
    p = o.exp() / o.exp().sum(-1, keepdim=True)
    return -p.gather(1, targets[asked][:, None]).log().mean()


# %% all places, then the mask tags=["right", "id:masked-lm-loss"]
def masked_lm_loss(h, targets, params):
    y = normed(F.gelu(h @ params["W_t"] + params["b_t"]), params["gain"], params["bias"])
    logp = torch.einsum("btd,vd->btv", y, params["E"]).add(params["b_v"]).log_softmax(-1)
    asked = (targets != -100).to(h.dtype)
    picked = logp.gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return -(picked * asked).sum() / asked.sum()


# %% reads the last position tags=["wrong", "id:classification-logits"]
def classification_logits(h, params):
    return torch.tanh(h[:, -1] @ params["W_p"] + params["b_p"]) @ params["W_c"] + params["b_c"]


# %% reads the mean tags=["wrong", "id:classification-logits"]
def classification_logits(h, params):
    return torch.tanh(h.mean(1) @ params["W_p"] + params["b_p"]) @ params["W_c"] + params["b_c"]


# %% leaves the tanh out tags=["wrong", "id:classification-logits"]
def classification_logits(h, params):
    return (h[:, 0] @ params["W_p"] + params["b_p"]) @ params["W_c"] + params["b_c"]


# %% every position, then the first tags=["right", "id:classification-logits"]
def classification_logits(h, params):
    r = torch.einsum("btd,de->bte", h, params["W_p"]).add(params["b_p"]).tanh()
    return torch.einsum("btd,dc->btc", r, params["W_c"]).add(params["b_c"]).select(1, 0)


# %% asks every piece tags=["wrong", "id:tag-loss"]
def tag_loss(logits, word_of, tags):
    asked = word_of >= 0
    return F.cross_entropy(logits[asked], tags.gather(1, word_of.clamp(min=0))[asked])


# %% asks the last piece of a word tags=["wrong", "id:tag-loss"]
def tag_loss(logits, word_of, tags):
    after = torch.cat([word_of[:, 1:], torch.full_like(word_of[:, :1], -1)], dim=1)
    last = (word_of >= 0) & (word_of != after)
    return F.cross_entropy(logits[last], tags.gather(1, word_of.clamp(min=0))[last])


# %% reads the tags in the order of the pieces tags=["wrong", "id:tag-loss"]
def tag_loss(logits, word_of, tags):
    before = torch.cat([torch.full_like(word_of[:, :1], -1), word_of[:, :-1]], dim=1)
    first = (word_of >= 0) & (word_of != before)
    places = torch.arange(word_of.shape[1], device=tags.device).expand_as(word_of)
    wanted = tags.gather(1, places.clamp(max=tags.shape[1] - 1))
    return F.cross_entropy(logits[first], wanted[first])


# %% a mean of the sentences' means tags=["wrong", "id:tag-loss"]
def tag_loss(logits, word_of, tags):
    before = torch.cat([torch.full_like(word_of[:, :1], -1), word_of[:, :-1]], dim=1)
    first = (word_of >= 0) & (word_of != before)
    wanted = tags.gather(1, word_of.clamp(min=0))
    rows = [F.cross_entropy(l[f], w[f]) for l, f, w in zip(logits, first, wanted)]
    return torch.stack(rows).mean()


# %% word by word in loops tags=["right", "id:tag-loss"]
def tag_loss(logits, word_of, tags):
    losses = []
    for b, row in enumerate(word_of.tolist()):
        seen = set()
        for t, word in enumerate(row):
            if word >= 0 and word not in seen:
                seen.add(word)
                losses.append(-logits[b, t].log_softmax(-1)[tags[b, word]])
    return sum(losses) / len(losses)


# %% best start and best end, each by itself tags=["wrong", "id:best-span"]
def best_span(start, end, allowed, longest):
    low = -math.inf
    i = start.masked_fill(~allowed, low).argmax(1)
    j = end.masked_fill(~allowed, low).argmax(1)
    return torch.stack([i, j], dim=1)


# %% best start, then the best end after it tags=["wrong", "id:best-span"]
def best_span(start, end, allowed, longest):
    i = start.masked_fill(~allowed, -math.inf).argmax(1)
    place = torch.arange(start.shape[1], device=start.device)
    fits = (place >= i[:, None]) & (place < i[:, None] + longest) & allowed
    j = end.masked_fill(~fits, -math.inf).argmax(1)
    return torch.stack([i, j], dim=1)


# %% one piece too many tags=["wrong", "id:best-span"]
def best_span(start, end, allowed, longest):
    T = start.shape[1]
    place = torch.arange(T, device=start.device)
    gap = place[None, :] - place[:, None]
    fits = (gap >= 0) & (gap <= longest) & allowed[:, :, None] & allowed[:, None, :]
    sums = (start[:, :, None] + end[:, None, :]).masked_fill(~fits, -math.inf)
    best = sums.flatten(1).argmax(1)
    return torch.stack([best // T, best % T], dim=1)


# %% checks only where an answer begins tags=["wrong", "id:best-span"]
def best_span(start, end, allowed, longest):
    T = start.shape[1]
    place = torch.arange(T, device=start.device)
    gap = place[None, :] - place[:, None]
    fits = (gap >= 0) & (gap < longest) & allowed[:, :, None]
    sums = (start[:, :, None] + end[:, None, :]).masked_fill(~fits, -math.inf)
    best = sums.flatten(1).argmax(1)
    return torch.stack([best // T, best % T], dim=1)


# %% marks what is not allowed with zero tags=["wrong", "id:best-span"]
def best_span(start, end, allowed, longest):
    T = start.shape[1]
    place = torch.arange(T, device=start.device)
    gap = place[None, :] - place[:, None]
    fits = (gap >= 0) & (gap < longest) & allowed[:, :, None] & allowed[:, None, :]
    sums = (start[:, :, None] + end[:, None, :]) * fits
    best = sums.flatten(1).argmax(1)
    return torch.stack([best // T, best % T], dim=1)


# %% one pass over all spans tags=["right", "id:best-span"]
def best_span(start, end, allowed, longest):
    found = []
    for a, e, ok in zip(start.tolist(), end.tolist(), allowed.tolist()):
        best = None
        for i in range(len(a)):
            for j in range(i, min(len(a), i + longest)):
                if ok[i] and ok[j] and (best is None or a[i] + e[j] > best[0]):
                    best = (a[i] + e[j], i, j)
        found.append(best[1:])
    return torch.tensor(found, device=start.device)


# %% does not transpose tags=["wrong", "id:load-pretrained"]
def load_pretrained(state):
    named = {k.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias"): v
             for k, v in state.items()}
    front = "embeddings."
    embeddings = {"E": named[front + "word_embeddings.weight"],
                  "P": named[front + "position_embeddings.weight"],
                  "S": named[front + "token_type_embeddings.weight"],
                  "gain": named[front + "LayerNorm.weight"], "bias": named[front + "LayerNorm.bias"]}
    dense = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
             "o": "attention.output.dense", "1": "intermediate.dense", "2": "output.dense"}
    norms = {"1": "attention.output.LayerNorm", "2": "output.LayerNorm"}
    count = 1 + max(int(k.split(".")[2]) for k in named if k.startswith("encoder.layer."))
    layers = []
    for i in range(count):
        at, layer = f"encoder.layer.{i}.", {}
        for n, name in dense.items():
            layer[f"W_{n}"], layer[f"b_{n}"] = named[at + name + ".weight"], named[at + name + ".bias"]
        for n, name in norms.items():
            layer[f"gain_{n}"], layer[f"bias_{n}"] = named[at + name + ".weight"], named[at + name + ".bias"]
        layers.append(layer)
    return {"embeddings": embeddings, "layers": layers}


# %% exchanges the two normalisations tags=["wrong", "id:load-pretrained"]
def load_pretrained(state):
    named = {k.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias"): v
             for k, v in state.items()}
    front = "embeddings."
    embeddings = {"E": named[front + "word_embeddings.weight"],
                  "P": named[front + "position_embeddings.weight"],
                  "S": named[front + "token_type_embeddings.weight"],
                  "gain": named[front + "LayerNorm.weight"], "bias": named[front + "LayerNorm.bias"]}
    dense = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
             "o": "attention.output.dense", "1": "intermediate.dense", "2": "output.dense"}
    norms = {"2": "attention.output.LayerNorm", "1": "output.LayerNorm"}
    count = 1 + max(int(k.split(".")[2]) for k in named if k.startswith("encoder.layer."))
    layers = []
    for i in range(count):
        at, layer = f"encoder.layer.{i}.", {}
        for n, name in dense.items():
            layer[f"W_{n}"], layer[f"b_{n}"] = named[at + name + ".weight"].T, named[at + name + ".bias"]
        for n, name in norms.items():
            layer[f"gain_{n}"], layer[f"bias_{n}"] = named[at + name + ".weight"], named[at + name + ".bias"]
        layers.append(layer)
    return {"embeddings": embeddings, "layers": layers}


# %% knows neither the older names nor the front tags=["wrong", "id:load-pretrained"]
def load_pretrained(state):
    front = "embeddings."
    embeddings = {"E": state[front + "word_embeddings.weight"],
                  "P": state[front + "position_embeddings.weight"],
                  "S": state[front + "token_type_embeddings.weight"],
                  "gain": state[front + "LayerNorm.weight"], "bias": state[front + "LayerNorm.bias"]}
    dense = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
             "o": "attention.output.dense", "1": "intermediate.dense", "2": "output.dense"}
    norms = {"1": "attention.output.LayerNorm", "2": "output.LayerNorm"}
    count = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("encoder.layer."))
    layers = []
    for i in range(count):
        at, layer = f"encoder.layer.{i}.", {}
        for n, name in dense.items():
            layer[f"W_{n}"], layer[f"b_{n}"] = state[at + name + ".weight"].T, state[at + name + ".bias"]
        for n, name in norms.items():
            layer[f"gain_{n}"], layer[f"bias_{n}"] = state[at + name + ".weight"], state[at + name + ".bias"]
        layers.append(layer)
    return {"embeddings": embeddings, "layers": layers}


# %% takes the order of the file for the order of the layers tags=["wrong", "id:load-pretrained"]
def load_pretrained(state):
    named = {k.removeprefix("bert.").replace(".gamma", ".weight").replace(".beta", ".bias"): v
             for k, v in state.items()}
    front = "embeddings."
    embeddings = {"E": named[front + "word_embeddings.weight"],
                  "P": named[front + "position_embeddings.weight"],
                  "S": named[front + "token_type_embeddings.weight"],
                  "gain": named[front + "LayerNorm.weight"], "bias": named[front + "LayerNorm.bias"]}
    dense = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
             "o": "attention.output.dense", "1": "intermediate.dense", "2": "output.dense"}
    norms = {"1": "attention.output.LayerNorm", "2": "output.LayerNorm"}
    order = list(dict.fromkeys(k.split(".")[2] for k in named if k.startswith("encoder.layer.")))
    layers = []
    for i in order:
        at, layer = f"encoder.layer.{i}.", {}
        for n, name in dense.items():
            layer[f"W_{n}"], layer[f"b_{n}"] = named[at + name + ".weight"].T, named[at + name + ".bias"]
        for n, name in norms.items():
            layer[f"gain_{n}"], layer[f"bias_{n}"] = named[at + name + ".weight"], named[at + name + ".bias"]
        layers.append(layer)
    return {"embeddings": embeddings, "layers": layers}


# %% name by name with a table of patterns tags=["right", "id:load-pretrained"]
def load_pretrained(state):
    import re

    places = {"attention.self.query": "q", "attention.self.key": "k", "attention.self.value": "v",
              "attention.output.dense": "o", "intermediate.dense": "1", "output.dense": "2"}
    norms = {"attention.output.LayerNorm": "1", "output.LayerNorm": "2"}
    tables = {"word_embeddings.weight": "E", "position_embeddings.weight": "P",
              "token_type_embeddings.weight": "S", "LayerNorm.weight": "gain", "LayerNorm.bias": "bias"}
    embeddings, layers = {}, {}
    for name, value in state.items():
        name = re.sub(r"^bert\.", "", name)
        name = re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))
        found = re.fullmatch(r"encoder\.layer\.(\d+)\.(.+)\.(weight|bias)", name)
        if found:
            layer = layers.setdefault(int(found[1]), {})
            if found[2] in places:
                matrix = found[3] == "weight"
                key = places[found[2]]
                layer[("W_" if matrix else "b_") + key] = value.mT if matrix else value
            elif found[2] in norms:
                layer[("gain_" if found[3] == "weight" else "bias_") + norms[found[2]]] = value
        elif name.startswith("embeddings.") and name[11:] in tables:
            embeddings[tables[name[11:]]] = value
    for theirs, ours in tables.items():
        if ours not in embeddings:
            raise KeyError(f"embeddings.{theirs}")
    for i in range(max(layers) + 1):
        for theirs, key in places.items():
            for kind, end in (("W_", "weight"), ("b_", "bias")):
                if kind + key not in layers[i]:
                    raise KeyError(f"encoder.layer.{i}.{theirs}.{end}")
        for theirs, key in norms.items():
            for kind, end in (("gain_", "weight"), ("bias_", "bias")):
                if kind + key not in layers[i]:
                    raise KeyError(f"encoder.layer.{i}.{theirs}.{end}")
    return {"embeddings": embeddings, "layers": [layers[i] for i in sorted(layers)]}


# %% hides only the first piece tags=["wrong", "id:whole-word-places"]
def whole_word_places(word_of, chosen):
    before = torch.cat([torch.full_like(word_of[:, :1], -1), word_of[:, :-1]], dim=1)
    return chosen.gather(1, word_of.clamp(min=0)) & (word_of >= 0) & (word_of != before)


# %% hides special symbols with the first word tags=["wrong", "id:whole-word-places"]
def whole_word_places(word_of, chosen):
    return chosen.gather(1, word_of.clamp(min=0))


# %% reads the choice at the piece's place tags=["wrong", "id:whole-word-places"]
def whole_word_places(word_of, chosen):
    T = word_of.shape[1]
    wide = F.pad(chosen, (0, max(0, T - chosen.shape[1])))[:, :T]
    return wide & (word_of >= 0)


# %% compares every piece with every chosen word tags=["right", "id:whole-word-places"]
def whole_word_places(word_of, chosen):
    words = torch.arange(chosen.shape[1], device=chosen.device)
    return ((word_of[:, :, None] == words) & chosen[:, None, :]).any(-1)
