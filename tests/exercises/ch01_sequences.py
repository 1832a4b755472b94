# Wrong and right answers to solutions/ch01_sequences.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% ties in the order of first occurrence tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text if token not in SPECIALS)
    kept = [token for token, n in counts.most_common() if n >= min_count]
    return {token: index for index, token in enumerate([*SPECIALS, *kept][:max_size])}


# %% alphabetical, without regard to frequency tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text if token not in SPECIALS)
    kept = sorted(token for token, n in counts.items() if n >= min_count)
    return {token: index for index, token in enumerate([*SPECIALS, *kept][:max_size])}


# %% rarest first tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text if token not in SPECIALS)
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (counts[t], t))
    return {token: index for index, token in enumerate([*SPECIALS, *kept][:max_size])}


# %% more than min_count instead of at least tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text if token not in SPECIALS)
    kept = sorted((t for t, n in counts.items() if n > min_count), key=lambda t: (-counts[t], t))
    return {token: index for index, token in enumerate([*SPECIALS, *kept][:max_size])}


# %% max_size without the special symbols tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text if token not in SPECIALS)
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    return {token: index for index, token in enumerate([*SPECIALS, *kept[:max_size]])}


# %% a special symbol in the text moves tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text)
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    return {token: index for index, token in enumerate([*SPECIALS, *kept][:max_size])}


# %% counts in how many texts a token occurs tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in set(text) - set(SPECIALS))
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    return {token: index for index, token in enumerate([*SPECIALS, *kept][:max_size])}


# %% no special symbols tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text)
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    return {token: index for index, token in enumerate(kept[:max_size])}


# %% from index to token tags=["wrong", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = Counter(token for text in texts for token in text if token not in SPECIALS)
    kept = sorted((t for t, n in counts.items() if n >= min_count), key=lambda t: (-counts[t], t))
    return dict(enumerate([*SPECIALS, *kept][:max_size]))


# %% two stable sorts and a growing dict tags=["right", "id:build-vocab"]
def build_vocab(texts, min_count=1, max_size=None):
    counts = {}
    for text in texts:
        for token in text:
            counts[token] = counts.get(token, 0) + 1
    vocab = {}
    for token in SPECIALS:
        vocab[token] = len(vocab)
    ordered = sorted(counts)
    ordered.sort(key=counts.get, reverse=True)
    for token in ordered:
        full = max_size is not None and len(vocab) >= max_size
        if token not in vocab and counts[token] >= min_count and not full:
            vocab[token] = len(vocab)
    return vocab


# %% unknown tokens become padding tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([BOS] + [vocab.get(token, PAD) for token in text] + [EOS])


# %% no end tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([BOS] + [vocab.get(token, UNK) for token in text])


# %% begin and end exchanged tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([EOS] + [vocab.get(token, UNK) for token in text] + [BOS])


# %% unknown tokens are dropped tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([BOS] + [vocab[token] for token in text if token in vocab] + [EOS])


# %% unknown tokens are added to the vocabulary tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([BOS] + [vocab.setdefault(token, UNK) for token in text] + [EOS])


# %% lower case tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([BOS] + [vocab.get(token.lower(), UNK) for token in text] + [EOS])


# %% float indices tags=["wrong", "id:encode"]
def encode(text, vocab):
    ids = np.zeros(len(text) + 2)
    ids[0], ids[-1] = BOS, EOS
    ids[1:-1] = [vocab.get(token, UNK) for token in text]
    return ids


# %% KeyError for unknown tokens tags=["wrong", "id:encode"]
def encode(text, vocab):
    return np.array([BOS] + [vocab[token] for token in text] + [EOS])


# %% fills an array of ones tags=["right", "id:encode"]
def encode(text, vocab):
    ids = np.full(len(text) + 2, vocab["<unk>"], dtype=np.int64)
    ids[0] = vocab["<bos>"]
    for place, token in enumerate(text, start=1):
        if token in vocab:
            ids[place] = vocab[token]
    ids[-1] = vocab["<eos>"]
    return ids


# %% reads on after the end tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens = {index: token for token, index in vocab.items()}
    return [tokens[int(i)] for i in ids if i not in (PAD, BOS, EOS)]


# %% drops unknown tokens tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens, text = {index: token for token, index in vocab.items()}, []
    for i in ids:
        if i == EOS:
            break
        if i > EOS:
            text.append(tokens[int(i)])
    return text


# %% keeps the end tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens, text = {index: token for token, index in vocab.items()}, []
    for i in ids:
        if i not in (PAD, BOS):
            text.append(tokens[int(i)])
        if i == EOS:
            break
    return text


# %% takes it for granted that there is an end tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens = {index: token for token, index in vocab.items()}
    end = list(ids).index(EOS)
    return [tokens[int(i)] for i in ids[:end] if i not in (PAD, BOS)]


# %% cuts off the first and the last tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens = {index: token for token, index in vocab.items()}
    return [tokens[int(i)] for i in ids[1:-1] if i != PAD]


# %% stops at the first padding tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens, text = {index: token for token, index in vocab.items()}, []
    for i in ids:
        if i in (EOS, PAD):
            break
        if i != BOS:
            text.append(tokens[int(i)])
    return text


# %% one string tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens, text = {index: token for token, index in vocab.items()}, []
    for i in ids:
        if i == EOS:
            break
        if i not in (PAD, BOS):
            text.append(tokens[int(i)])
    return " ".join(text)


# %% trusts the order of the dict tags=["wrong", "id:decode"]
def decode(ids, vocab):
    tokens, text = list(vocab), []
    for i in ids:
        if i == EOS:
            break
        if i not in (PAD, BOS):
            text.append(tokens[int(i)])
    return text


# %% cuts by a mask and looks up in an array tags=["right", "id:decode"]
def decode(ids, vocab):
    names = np.array(sorted(vocab, key=vocab.get), dtype=object)
    before_end = np.cumsum(ids == EOS) == 0
    return names[ids[before_end & (ids != PAD) & (ids != BOS)]].tolist()


# %% negative indices wrap around tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if (ids >= V).any():
        raise ValueError("too large")
    return np.eye(V)[ids]


# %% IndexError in place of ValueError tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if (ids < 0).any():
        raise ValueError("negative")
    return np.eye(V)[ids]


# %% out of range gives zeros tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    return (ids[..., None] == np.arange(V)).astype(float)


# %% boolean tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if ids.size and (ids.min() < 0 or ids.max() >= V):
        raise ValueError("out of range")
    return ids[..., None] == np.arange(V)


# %% all ones of the batch in every row tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if ids.size and (ids.min() < 0 or ids.max() >= V):
        raise ValueError("out of range")
    out = np.zeros((*ids.shape, V))
    out[..., ids] = 1.0
    return out


# %% the new axis in front tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if ids.size and (ids.min() < 0 or ids.max() >= V):
        raise ValueError("out of range")
    return np.moveaxis(np.eye(V)[ids], -1, 0)


# %% integers tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if ids.size and (ids.min() < 0 or ids.max() >= V):
        raise ValueError("out of range")
    return np.eye(V, dtype=np.int64)[ids]


# %% only for one sequence tags=["wrong", "id:one-hot"]
def one_hot(ids, V):
    if ids.size and (ids.min() < 0 or ids.max() >= V):
        raise ValueError("out of range")
    out = np.zeros((len(ids), V))
    out[np.arange(len(ids)), ids] = 1.0
    return out


# %% put_along_axis tags=["right", "id:one-hot"]
def one_hot(ids, V):
    if not np.all((0 <= ids) & (ids < V)):
        raise ValueError(f"indices must be smaller than {V} and not negative")
    out = np.zeros(ids.shape + (V,))
    np.put_along_axis(out, np.expand_dims(ids, -1), 1.0, axis=-1)
    return out


# %% padding in front tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    T = int(lengths.max()) if T is None else T
    if lengths.max() > T:
        raise ValueError("too long")
    tokens = np.zeros((len(sequences), T), dtype=np.int64)
    for row, s in zip(tokens, sequences):
        row[T - len(s) :] = s
    return tokens, lengths


# %% cuts what is too long tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    T = int(lengths.max()) if T is None else T
    tokens = np.zeros((len(sequences), T), dtype=np.int64)
    for row, s in zip(tokens, sequences):
        row[: len(s)] = s[:T]
    return tokens, np.minimum(lengths, T)


# %% ignores T tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    if T is not None and lengths.max() > T:
        raise ValueError("too long")
    tokens = np.zeros((len(sequences), lengths.max()), dtype=np.int64)
    for row, s in zip(tokens, sequences):
        row[: len(s)] = s
    return tokens, lengths


# %% lengths from the symbols that are not 0 tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    longest = max(len(s) for s in sequences)
    T = longest if T is None else T
    if longest > T:
        raise ValueError("too long")
    tokens = np.zeros((len(sequences), T), dtype=np.int64)
    for row, s in zip(tokens, sequences):
        row[: len(s)] = s
    return tokens, (tokens != PAD).sum(axis=1)


# %% padded lengths tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    longest = max(len(s) for s in sequences)
    T = longest if T is None else T
    if longest > T:
        raise ValueError("too long")
    tokens = np.zeros((len(sequences), T), dtype=np.int64)
    for row, s in zip(tokens, sequences):
        row[: len(s)] = s
    return tokens, np.full(len(sequences), T)


# %% float64 tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    T = int(lengths.max()) if T is None else T
    if lengths.max() > T:
        raise ValueError("too long")
    tokens = np.zeros((len(sequences), T))
    for row, s in zip(tokens, sequences):
        row[: len(s)] = s
    return tokens, lengths


# %% repeats the last token tags=["wrong", "id:pad-batch"]
def pad_batch(sequences, T=None):
    lengths = np.array([len(s) for s in sequences], dtype=np.int64)
    T = int(lengths.max()) if T is None else T
    if lengths.max() > T:
        raise ValueError("too long")
    rows = [np.concatenate([s, np.full(T - len(s), s[-1] if len(s) else 0)]) for s in sequences]
    return np.stack(rows).astype(np.int64), lengths


# %% np.pad and stack tags=["right", "id:pad-batch"]
def pad_batch(sequences, T=None):
    sizes = list(map(len, sequences))
    if T is None:
        T = max(sizes)
    if any(n > T for n in sizes):
        raise ValueError("a sequence does not fit")
    rows = [np.pad(s.astype(np.int64), (0, T - n), constant_values=PAD) for s, n in zip(sequences, sizes)]
    return np.stack(rows), np.asarray(sizes, dtype=np.int64)


# %% filled through a mask tags=["right", "id:pad-batch"]
def pad_batch(sequences, T=None):
    lengths = np.fromiter((len(s) for s in sequences), dtype=np.int64)
    width = lengths.max() if T is None else T
    if (lengths > width).any():
        raise ValueError("a sequence does not fit")
    tokens = np.zeros((len(sequences), width), dtype=np.int64)
    tokens[np.arange(width)[None, :] < lengths[:, None]] = np.concatenate(sequences)
    return tokens, lengths


# %% one place too many tags=["wrong", "id:length-mask"]
def length_mask(lengths, T):
    return np.arange(T) <= lengths[:, None]


# %% one place too few tags=["wrong", "id:length-mask"]
def length_mask(lengths, T):
    return np.arange(1, T + 1) < lengths[:, None]


# %% True at the padding tags=["wrong", "id:length-mask"]
def length_mask(lengths, T):
    return np.arange(T) >= lengths[:, None]


# %% integers tags=["wrong", "id:length-mask"]
def length_mask(lengths, T):
    return (np.arange(T) < lengths[:, None]).astype(int)


# %% transposed tags=["wrong", "id:length-mask"]
def length_mask(lengths, T):
    return np.arange(T)[:, None] < lengths


# %% width of the longest instead of T tags=["wrong", "id:length-mask"]
def length_mask(lengths, T):
    return np.arange(lengths.max()) < lengths[:, None]


# %% row by row tags=["right", "id:length-mask"]
def length_mask(lengths, T):
    mask = np.zeros((len(lengths), T), dtype=bool)
    for b, n in enumerate(lengths):
        mask[b, :n] = True
    return mask


# %% by a cumulative sum tags=["right", "id:length-mask"]
def length_mask(lengths, T):
    return np.cumsum(np.ones((len(lengths), T)), axis=1) <= lengths.reshape(-1, 1)


# %% sorts everything, whatever the pool tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order = np.argsort(lengths)
    batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# %% random batches without sorting tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order = rng.permutation(len(lengths))
    return [order[i : i + batch_size] for i in range(0, len(order), batch_size)]


# %% does not shuffle before the pools are cut tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    batches, size = [], pool * batch_size
    for start in range(0, len(lengths), size):
        members = np.arange(start, min(start + size, len(lengths)))
        members = members[np.argsort(lengths[members])]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# %% does not shuffle the batches tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order, batches, size = rng.permutation(len(lengths)), [], pool * batch_size
    for start in range(0, len(order), size):
        members = order[start : start + size]
        members = members[np.argsort(lengths[members])]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return batches


# %% forgets to map places in the pool back to sequences tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order, batches, size = rng.permutation(len(lengths)), [], pool * batch_size
    for start in range(0, len(order), size):
        members = np.argsort(lengths[order[start : start + size]])
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# %% drops what does not fill a batch tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order, batches, size = rng.permutation(len(lengths)), [], pool * batch_size
    for start in range(0, len(order), size):
        members = order[start : start + size]
        members = members[np.argsort(lengths[members])]
        batches += [members[i : i + batch_size] for i in range(0, len(members) - batch_size + 1, batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# %% takes the pool for a number of sequences tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order, batches = rng.permutation(len(lengths)), []
    for start in range(0, len(order), pool):
        members = order[start : start + pool]
        members = members[np.argsort(lengths[members])]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# %% chance from numpy's global generator tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order, batches, size = np.random.permutation(len(lengths)), [], pool * batch_size
    for start in range(0, len(order), size):
        members = order[start : start + size]
        members = members[np.argsort(lengths[members])]
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    np.random.shuffle(batches)
    return batches


# %% returns the lengths tags=["wrong", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    order, batches, size = rng.permutation(len(lengths)), [], pool * batch_size
    for start in range(0, len(order), size):
        members = np.sort(lengths[order[start : start + size]])
        batches += [members[i : i + batch_size] for i in range(0, len(members), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


# %% one sort by pool number and length tags=["right", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    n = len(lengths)
    number = np.empty(n, dtype=np.int64)
    number[rng.permutation(n)] = np.arange(n) // (pool * batch_size)
    order = np.lexsort((rng.random(n), lengths, number))
    batches = np.split(order, np.arange(batch_size, n, batch_size))
    shuffled = []
    while batches:
        shuffled.append(batches.pop(int(rng.integers(len(batches)))))
    return shuffled


# %% lists of plain numbers tags=["right", "id:bucket-batches"]
def bucket_batches(lengths, batch_size, pool, rng):
    left = [int(i) for i in rng.permutation(len(lengths))]
    batches = []
    while left:
        members, left = left[: pool * batch_size], left[pool * batch_size :]
        members.sort(key=lambda i: lengths[i])
        while members:
            batches.append(members[:batch_size])
            members = members[batch_size:]
    rng.shuffle(batches)
    return batches


# %% divides by the padded size tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    each = F.cross_entropy(logits.mT, targets.clamp(min=0), reduction="none")
    return torch.where(mask, each, 0).mean()


# %% the mean over time of d2l, then over the batch tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    each = F.cross_entropy(logits.mT, targets.clamp(min=0), reduction="none")
    return (each * mask).mean(dim=1).mean()


# %% no mask tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    return F.cross_entropy(logits.mT, targets.clamp(min=0))


# %% mean of the sequences' means tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    losses = [F.cross_entropy(o[m], y[m]) for o, y, m in zip(logits, targets, mask)]
    return torch.stack(losses).mean()


# %% the sum tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    return F.cross_entropy(logits[mask], targets[mask], reduction="sum")


# %% multiplies by the mask, so that NaN stays tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    each = F.cross_entropy(logits.mT, targets.clamp(min=0), reduction="none")
    return (each * mask).sum() / mask.sum()


# %% where on the loss, NaN in the gradient tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    each = F.cross_entropy(logits.mT, targets.clamp(min=0), reduction="none")
    return torch.where(mask, each, 0.0).sum() / mask.sum()


# %% mask the wrong way round tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    return F.cross_entropy(logits[~mask], targets[~mask].clamp(min=0))


# %% guesses the padding from the targets tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    return F.cross_entropy(logits.mT, targets, ignore_index=PAD)


# %% NaN for an empty mask tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    return F.cross_entropy(logits[mask], targets[mask])


# %% cut from the graph tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    return torch.tensor(F.cross_entropy(logits[mask], targets[mask]).item(), dtype=logits.dtype)


# %% exp without subtracting the maximum tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    o, y = logits[mask], targets[mask]
    p = o.exp() / o.exp().sum(-1, keepdim=True)
    return -p.gather(-1, y[:, None]).log().mean()


# %% scores softmaxed twice tags=["wrong", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if not mask.any():
        raise ValueError("nothing to average")
    return F.cross_entropy(torch.softmax(logits[mask], -1), targets[mask])


# %% log-sum-exp by hand on the selected rows tags=["right", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    n = int(mask.sum())
    if n == 0:
        raise ValueError("no real token")
    b, t = mask.nonzero(as_tuple=True)
    rows = logits[b, t]
    chosen = rows[torch.arange(n, device=rows.device), targets[b, t]]
    return (torch.logsumexp(rows, dim=-1) - chosen).sum() / n


# %% masked out by ignore_index, scores replaced first tags=["right", "id:masked-cross-entropy"]
def masked_cross_entropy(logits, targets, mask):
    if mask.sum() == 0:
        raise ValueError("no real token")
    safe = torch.where(mask[..., None], logits, torch.zeros_like(logits))
    labels = torch.where(mask, targets, torch.full_like(targets, -100))
    return F.cross_entropy(safe.flatten(0, 1), labels.flatten(), ignore_index=-100)


# %% counts the padding as well tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move = np.full((V, V), float(delta))
    np.add.at(n_move, (tokens[:, :-1], tokens[:, 1:]), 1.0)
    share = lambda n: np.where((s := n.sum(-1, keepdims=True)) > 0, n / np.maximum(s, 1e-300), 1 / V)
    return share(n_start), share(n_move)


# %% the step into the padding counts tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1]
    np.add.at(n_move, (tokens[:, :-1][real], tokens[:, 1:][real]), 1.0)
    share = lambda n: np.where((s := n.sum(-1, keepdims=True)) > 0, n / np.maximum(s, 1e-300), 1 / V)
    return share(n_start), share(n_move)


# %% loses pairs that occur twice tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1] & mask[:, 1:]
    n_move[tokens[:, :-1][real], tokens[:, 1:][real]] += 1.0
    share = lambda n: np.where((s := n.sum(-1, keepdims=True)) > 0, n / np.maximum(s, 1e-300), 1 / V)
    return share(n_start), share(n_move)


# %% divides by all occurrences tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1] & mask[:, 1:]
    np.add.at(n_move, (tokens[:, :-1][real], tokens[:, 1:][real]), 1.0)
    total = np.bincount(tokens[mask], minlength=V) + delta * V
    move = np.where(total[:, None] > 0, n_move / np.maximum(total, 1e-300)[:, None], 1 / V)
    s = n_start.sum()
    return (n_start / s if s > 0 else np.full(V, 1 / V)), move


# %% delta once in the denominator tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V).astype(float)
    n_move, real = np.zeros((V, V)), mask[:, :-1] & mask[:, 1:]
    np.add.at(n_move, (tokens[:, :-1][real], tokens[:, 1:][real]), 1.0)

    def share(n):
        s = n.sum(-1, keepdims=True) + delta
        return np.where(s > 0, (n + delta) / np.where(s > 0, s, 1), 1 / V)

    return share(n_start), share(n_move)


# %% columns are the present symbol tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1] & mask[:, 1:]
    np.add.at(n_move, (tokens[:, 1:][real], tokens[:, :-1][real]), 1.0)
    share = lambda n: np.where((s := n.sum(-1, keepdims=True)) > 0, n / np.maximum(s, 1e-300), 1 / V)
    return share(n_start), share(n_move)


# %% zero by zero tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1] & mask[:, 1:]
    np.add.at(n_move, (tokens[:, :-1][real], tokens[:, 1:][real]), 1.0)
    return n_start / n_start.sum(), n_move / n_move.sum(axis=1, keepdims=True)


# %% rows without counts stay zero tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1] & mask[:, 1:]
    np.add.at(n_move, (tokens[:, :-1][real], tokens[:, 1:][real]), 1.0)
    share = lambda n: n / np.maximum(n.sum(-1, keepdims=True), 1e-300)
    return share(n_start), share(n_move)


# %% runs the sequences together tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[:, 0][mask[:, 0]], minlength=V) + delta
    n_move, flat = np.full((V, V), float(delta)), tokens[mask]
    np.add.at(n_move, (flat[:-1], flat[1:]), 1.0)
    share = lambda n: np.where((s := n.sum(-1, keepdims=True)) > 0, n / np.maximum(s, 1e-300), 1 / V)
    return share(n_start), share(n_move)


# %% start from all symbols tags=["wrong", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    n_start = np.bincount(tokens[mask], minlength=V) + delta
    n_move, real = np.full((V, V), float(delta)), mask[:, :-1] & mask[:, 1:]
    np.add.at(n_move, (tokens[:, :-1][real], tokens[:, 1:][real]), 1.0)
    share = lambda n: np.where((s := n.sum(-1, keepdims=True)) > 0, n / np.maximum(s, 1e-300), 1 / V)
    return share(n_start), share(n_move)


# %% loops over lists tags=["right", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    begins, follows = [delta] * V, [[delta] * V for _ in range(V)]
    for row, real in zip(tokens.tolist(), mask.sum(axis=1).tolist()):
        if real:
            begins[row[0]] += 1
        for t in range(1, real):
            follows[row[t - 1]][row[t]] += 1
    rows = [begins, *follows]
    shares = [[n / sum(row) if sum(row) else 1 / V for n in row] for row in rows]
    return np.array(shares[0], dtype=float), np.array(shares[1:], dtype=float)


# %% one bincount of pair numbers tags=["right", "id:markov-fit"]
def markov_fit(tokens, mask, V, delta=0.0):
    pairs = (tokens[:, :-1] * V + tokens[:, 1:])[mask[:, 1:]]
    first = tokens[mask[:, 0], 0]
    table = np.vstack(
        [np.bincount(first, minlength=V), np.bincount(pairs, minlength=V * V).reshape(V, V)]
    )
    table = table + float(delta)
    empty = table.sum(1) == 0
    table[empty] = 1.0
    table /= table.sum(1)[:, None]
    return table[0], table[1:]


# %% moves before the first symbol tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, h = np.empty((B, T, len(start))), np.zeros(B), np.tile(start, (B, 1))
    for t in range(T):
        joint = (h @ move) * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(1), 1.0)
        h = np.where(mask[:, t, None], joint / c[:, None], h)
        log_prob += np.log(c)
        beliefs[:, t] = h
    return beliefs, log_prob


# %% predictions in place of beliefs tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, p = np.empty((B, T, len(start))), np.zeros(B), np.tile(start, (B, 1))
    for t in range(T):
        beliefs[:, t] = p
        joint = p * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(1), 1.0)
        p = np.where(mask[:, t, None], joint / c[:, None] @ move, p)
        log_prob += np.log(c)
    return beliefs, log_prob


# %% not normalised, underflows tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, a = np.empty((B, T, len(start))), None
    for t in range(T):
        p = np.tile(start, (B, 1)) if t == 0 else a @ move
        joint = p * emit[:, tokens[:, t]].T
        a = np.where(mask[:, t, None], joint, joint if a is None else a)
        beliefs[:, t] = a / a.sum(1, keepdims=True)
    return beliefs, np.log(a.sum(1))


# %% goes on through the padding tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, p = np.empty((B, T, len(start))), np.zeros(B), np.tile(start, (B, 1))
    for t in range(T):
        joint = p * emit[:, tokens[:, t]].T
        c = joint.sum(1)
        log_prob += np.log(c)
        beliefs[:, t] = joint / c[:, None]
        p = beliefs[:, t] @ move
    return beliefs, log_prob


# %% the belief moves on in the padding tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, p = np.empty((B, T, len(start))), np.zeros(B), np.tile(start, (B, 1))
    for t in range(T):
        joint = p * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(1), 1.0)
        beliefs[:, t] = np.where(mask[:, t, None], joint / c[:, None], p)
        log_prob += np.log(c)
        p = beliefs[:, t] @ move
    return beliefs, log_prob


# %% multiplies the log by the mask tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, h = np.empty((B, T, len(start))), np.zeros(B), None
    for t in range(T):
        p = np.tile(start, (B, 1)) if t == 0 else h @ move
        joint = p * emit[:, tokens[:, t]].T
        c = joint.sum(1)
        new = joint / c[:, None]
        h = new if h is None else np.where(mask[:, t, None], new, h)
        log_prob += np.log(c) * mask[:, t]
        beliefs[:, t] = h
    return beliefs, log_prob


# %% probability in place of its logarithm tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, prob, h = np.empty((B, T, len(start))), np.ones(B), np.zeros((B, len(start)))
    for t in range(T):
        p = np.tile(start, (B, 1)) if t == 0 else h @ move
        joint = p * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(1), 1.0)
        h = np.where(mask[:, t, None], joint / c[:, None], h)
        prob *= c
        beliefs[:, t] = h
    return beliefs, prob


# %% move transposed tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, h = np.empty((B, T, len(start))), np.zeros(B), np.zeros((B, len(start)))
    for t in range(T):
        p = np.tile(start, (B, 1)) if t == 0 else h @ move.T
        joint = p * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(1), 1.0)
        h = np.where(mask[:, t, None], joint / c[:, None], h)
        log_prob += np.log(c)
        beliefs[:, t] = h
    return beliefs, log_prob


# %% forgets to move tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, h = np.empty((B, T, len(start))), np.zeros(B), np.tile(start, (B, 1))
    for t in range(T):
        joint = h * emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], joint.sum(1), 1.0)
        h = np.where(mask[:, t, None], joint / c[:, None], h)
        log_prob += np.log(c)
        beliefs[:, t] = h
    return beliefs, log_prob


# %% takes the emission for the belief tags=["wrong", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    beliefs, log_prob, h = np.empty((B, T, len(start))), np.zeros(B), np.zeros((B, len(start)))
    for t in range(T):
        p = np.tile(start, (B, 1)) if t == 0 else h @ move
        says = emit[:, tokens[:, t]].T
        c = np.where(mask[:, t], (p * says).sum(1), 1.0)
        h = np.where(mask[:, t, None], says / says.sum(1, keepdims=True), h)
        log_prob += np.log(c)
        beliefs[:, t] = h
    return beliefs, log_prob


# %% in logarithms tags=["right", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    B, T = tokens.shape
    with np.errstate(divide="ignore"):
        log_start, log_move, log_emit = np.log(start), np.log(move), np.log(emit)
    a = log_start + log_emit[:, tokens[:, 0]].T
    kept = [a]
    for t in range(1, T):
        with np.errstate(invalid="ignore"):
            new = np.logaddexp.reduce(a[:, :, None] + log_move, axis=1) + log_emit[:, tokens[:, t]].T
        a = np.where(mask[:, [t]], new, a)
        kept.append(a)
    a = np.stack(kept, axis=1)
    total = np.logaddexp.reduce(a, axis=-1)
    return np.exp(a - total[..., None]), total[:, -1]


# %% one sequence at a time tags=["right", "id:hmm-forward"]
def hmm_forward(tokens, mask, start, move, emit):
    beliefs, logs = np.zeros((*tokens.shape, start.size)), []
    for b, n in enumerate(mask.sum(1)):
        h, total = None, 0.0
        for t in range(n):
            p = start if h is None else move.T.dot(h)
            h = p * emit[:, tokens[b, t]]
            total += np.log(np.sum(h))
            h = h / np.sum(h)
            beliefs[b, t] = h
        beliefs[b, n:] = h
        logs.append(total)
    return beliefs, np.array(logs)


# %% most probable state of the filter at each step tags=["wrong", "id:viterbi"]
def viterbi(tokens, start, move, emit):
    p, path, total = start, [], 0.0
    for symbol in tokens:
        h = p * emit[:, symbol]
        total += np.log(h.sum())
        path.append(int(h.argmax()))
        p = h / h.sum() @ move
    return np.array(path), float(total)


# %% greedy tags=["wrong", "id:viterbi"]
def viterbi(tokens, start, move, emit):
    score, path, total = start, [], 0.0
    for symbol in tokens:
        joint = score * emit[:, symbol]
        path.append(int(joint.argmax()))
        total += np.log(joint.max())
        score = move[path[-1]]
    return np.array(path), float(total)


# %% forgets the last symbol's emission tags=["wrong", "id:viterbi"]
def viterbi(tokens, start, move, emit):
    best, back = np.log(start), []
    for symbol in tokens[:-1]:
        through = (best + np.log(emit[:, symbol]))[:, None] + np.log(move)
        back.append(through.argmax(0))
        best = through.max(0)
    path = [int(best.argmax())]
    for came_from in reversed(back):
        path.append(int(came_from[path[-1]]))
    return np.array(path[::-1]), float(best.max())


# %% path backwards tags=["wrong", "id:viterbi"]
def viterbi(tokens, start, move, emit):
    best, back = np.log(start) + np.log(emit[:, tokens[0]]), []
    for symbol in tokens[1:]:
        through = best[:, None] + np.log(move)
        back.append(through.argmax(0))
        best = through.max(0) + np.log(emit[:, symbol])
    path = [int(best.argmax())]
    for came_from in reversed(back):
        path.append(int(came_from[path[-1]]))
    return np.array(path), float(best.max())


# %% carries whole paths along tags=["right", "id:viterbi"]
def viterbi(tokens, start, move, emit):
    H = len(start)
    alive = {j: (np.log(start[j] * emit[j, tokens[0]]), [j]) for j in range(H)}
    for x in tokens[1:]:
        alive = {
            j: max((s + np.log(move[i, j] * emit[j, x]), path + [j]) for i, (s, path) in alive.items())
            for j in range(H)
        }
    score, path = max(alive.values())
    return np.array(path, dtype=np.int64), float(score)
