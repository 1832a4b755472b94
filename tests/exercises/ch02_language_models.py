# Wrong and right answers to solutions/ch02_language_models.py. Data, never imported: each cell
# replaces one exercise cell, see bank_harness.py.
# ruff: noqa

# %% forgets the end mark tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    counts = {}
    for sentence in sentences:
        padded = [V] * (n - 1) + [int(w) for w in sentence]
        for i in range(n - 1, len(padded)):
            for k in range(n):
                row = counts.setdefault(tuple(padded[i - k : i]), np.zeros(V, dtype=np.int64))
                row[padded[i]] += 1
    return counts


# %% counts the highest order only tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    counts = {}
    for sentence in sentences:
        padded = [V] * (n - 1) + [int(w) for w in sentence] + [0]
        for i in range(n - 1, len(padded)):
            row = counts.setdefault(tuple(padded[i - n + 1 : i]), np.zeros(V, dtype=np.int64))
            row[padded[i]] += 1
    return counts


# %% one start mark whatever the order tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    counts = {}
    for sentence in sentences:
        padded = [V] + [int(w) for w in sentence] + [0]
        for i in range(1, len(padded)):
            for k in range(min(n, i + 1)):
                row = counts.setdefault(tuple(padded[i - k : i]), np.zeros(V, dtype=np.int64))
                row[padded[i]] += 1
    return counts


# %% joins the sentences into one stream tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    counts = {}
    stream = [V] * (n - 1)
    for sentence in sentences:
        stream += [int(w) for w in sentence] + [0]
    for i in range(n - 1, len(stream)):
        for k in range(n):
            row = counts.setdefault(tuple(stream[i - k : i]), np.zeros(V, dtype=np.int64))
            row[stream[i]] += 1
    return counts


# %% contexts newest first tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    counts = {}
    for sentence in sentences:
        padded = [V] * (n - 1) + [int(w) for w in sentence] + [0]
        for i in range(n - 1, len(padded)):
            for k in range(n):
                context = tuple(padded[i - k : i][::-1])
                row = counts.setdefault(context, np.zeros(V, dtype=np.int64))
                row[padded[i]] += 1
    return counts


# %% shorter contexts only for full ones: skips sentences shorter than n tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    counts = {}
    for sentence in sentences:
        if len(sentence) < n - 1:
            continue
        padded = [V] * (n - 1) + [int(w) for w in sentence] + [0]
        for i in range(n - 1, len(padded)):
            for k in range(n):
                row = counts.setdefault(tuple(padded[i - k : i]), np.zeros(V, dtype=np.int64))
                row[padded[i]] += 1
    return counts


# %% one row for all contexts that share it tags=["wrong", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    row = np.zeros(V, dtype=np.int64)
    counts = {}
    for sentence in sentences:
        padded = [V] * (n - 1) + [int(w) for w in sentence] + [0]
        for i in range(n - 1, len(padded)):
            for k in range(n):
                counts.setdefault(tuple(padded[i - k : i]), row)[padded[i]] += 1
    return counts


# %% with Counter over grams, then regrouped tags=["right", "id:ngram-counts"]
def ngram_counts(sentences, n, V):
    from collections import Counter, defaultdict

    grams = Counter()
    for sentence in sentences:
        line = np.concatenate([np.full(n - 1, V), sentence, [0]]).astype(int)
        for k in range(1, n + 1):
            windows = np.lib.stride_tricks.sliding_window_view(line[n - k :], k)
            grams.update(map(tuple, windows.tolist()))
    counts = defaultdict(lambda: np.zeros(V, dtype=np.int64))
    for gram, number in grams.items():
        counts[gram[:-1]][gram[-1]] = number
    return dict(counts)


# %% denominator does not grow tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if delta <= 0:
        raise ValueError("delta")
    row = counts.get(context, np.zeros(V))
    return (row + delta) / max(row.sum(), 1)


# %% denominator grows by delta once tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if delta <= 0:
        raise ValueError("delta")
    row = counts.get(context, np.zeros(V))
    return (row + delta) / (row.sum() + delta)


# %% V is the number of symbols seen tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if delta <= 0:
        raise ValueError("delta")
    if context not in counts:
        return np.full(V, 1 / V)
    row = counts[context]
    return (row + delta) / (row.sum() + delta * np.count_nonzero(row))


# %% KeyError after an unknown context tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if delta <= 0:
        raise ValueError("delta")
    row = counts[context]
    return (row + delta) / (row.sum() + delta * V)


# %% backs off for an unknown context tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if delta <= 0:
        raise ValueError("delta")
    while context and context not in counts:
        context = context[1:]
    row = counts.get(context, np.zeros(V))
    return (row + delta) / (row.sum() + delta * V)


# %% adds in place tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if delta <= 0:
        raise ValueError("delta")
    row = counts.setdefault(context, np.zeros(V))
    return (row + delta) / (row.sum() + delta * V)


# %% lets delta be zero tags=["wrong", "id:add-delta"]
def add_delta(counts, context, delta, V):
    row = counts.get(context, np.zeros(V))
    return (row + delta) / max(row.sum() + delta * V, 1e-9)


# %% as a mixture with the uniform distribution tags=["right", "id:add-delta"]
def add_delta(counts, context, delta, V):
    if not delta > 0:
        raise ValueError(f"delta = {delta}")
    uniform = np.ones(V) / V
    if context not in counts:
        return uniform
    total = float(counts[context].sum())
    trust = total / (total + delta * V)
    return trust * counts[context] / total + (1 - trust) * uniform


# %% stupid backoff tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    shorter = backoff(counts, context[1:], D, V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    return np.where(row > 0, row / row.sum(), D * shorter)


# %% left-over mass not renormalised over the unseen tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    shorter = backoff(counts, context[1:], D, V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    if (row > 0).all():
        return row / row.sum()
    left = D * np.count_nonzero(row) / row.sum()
    return np.where(row > 0, (row - D) / row.sum(), left * shorter)


# %% interpolates instead of backing off tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    shorter = backoff(counts, context[1:], D, V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    left = D * np.count_nonzero(row) / row.sum()
    return np.maximum(row - D, 0) / row.sum() + left * shorter


# %% shares the left-over mass equally tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    if context not in counts:
        return backoff(counts, context[1:], D, V) if context else np.full(V, 1 / V)
    row = counts[context]
    if (row > 0).all():
        return row / row.sum()
    left = D * np.count_nonzero(row) / row.sum()
    return np.where(row > 0, (row - D) / row.sum(), left / (row == 0).sum())


# %% loses the discount when every symbol was seen tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    shorter = backoff(counts, context[1:], D, V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    left = D * np.count_nonzero(row) / row.sum()
    unseen = shorter[row == 0].sum()
    return np.where(row > 0, (row - D) / row.sum(), left * shorter / max(unseen, 1e-300))


# %% drops the newest symbol tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    shorter = backoff(counts, context[:-1], D, V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    seen = row > 0
    if seen.all():
        return row / row.sum()
    weight = D * seen.sum() / row.sum() / shorter[~seen].sum()
    return np.where(seen, (row - D) / row.sum(), weight * shorter)


# %% no discount at the empty context tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    if not context:
        return counts[()] / counts[()].sum() if () in counts else np.full(V, 1 / V)
    shorter = backoff(counts, context[1:], D, V)
    if context not in counts:
        return shorter
    row = counts[context]
    seen = row > 0
    if seen.all():
        return row / row.sum()
    weight = D * seen.sum() / row.sum() / max(shorter[~seen].sum(), 1e-300)
    return np.where(seen, (row - D) / row.sum(), weight * shorter)


# %% context backoff: the longest known context, undiscounted tags=["wrong", "id:backoff"]
def backoff(counts, context, D, V):
    while context and context not in counts:
        context = context[1:]
    return counts[context] / counts[context].sum() if context in counts else np.full(V, 1 / V)


# %% from the shortest context upwards, symbol by symbol tags=["right", "id:backoff"]
def backoff(counts, context, D, V):
    p = [1 / V] * V
    for start in reversed(range(len(context) + 1)):
        if context[start:] not in counts:
            continue
        c = [int(x) for x in counts[context[start:]]]
        total = sum(c)
        unseen = [w for w in range(V) if c[w] == 0]
        d = D if unseen else 0.0
        spare = d * (V - len(unseen)) / total
        base = sum(p[w] for w in unseen)
        p = [(c[w] - d) / total if c[w] else spare * p[w] / base for w in range(V)]
    return np.array(p)


# %% occurrences instead of different symbols tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    shorter = witten_bell(counts, context[1:], V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    return (row + row.sum() * shorter) / (2 * row.sum())


# %% backoff form: shorter context only for unseen symbols tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    shorter = witten_bell(counts, context[1:], V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    types = np.count_nonzero(row)
    return np.where(row > 0, row, types * shorter) / (row.sum() + types)


# %% relative frequencies at the bottom tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    if not context:
        return counts[()] / counts[()].sum() if () in counts else np.full(V, 1 / V)
    shorter = witten_bell(counts, context[1:], V)
    if context not in counts:
        return shorter
    row = counts[context]
    types = np.count_nonzero(row)
    return (row + types * shorter) / (row.sum() + types)


# %% mixes with the uniform distribution at every order tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    while context and context not in counts:
        context = context[1:]
    if context not in counts:
        return np.full(V, 1 / V)
    row = counts[context]
    types = np.count_nonzero(row)
    return (row + types / V) / (row.sum() + types)


# %% drops the newest symbol tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    shorter = witten_bell(counts, context[:-1], V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    types = np.count_nonzero(row)
    return (row + types * shorter) / (row.sum() + types)


# %% denominator without N(h) tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    shorter = witten_bell(counts, context[1:], V) if context else np.full(V, 1 / V)
    if context not in counts:
        return shorter
    row = counts[context]
    return (row + np.count_nonzero(row) * shorter) / row.sum()


# %% unknown context is uniform tags=["wrong", "id:witten-bell"]
def witten_bell(counts, context, V):
    if context not in counts:
        return np.full(V, 1 / V)
    shorter = witten_bell(counts, context[1:], V) if context else np.full(V, 1 / V)
    row = counts[context]
    types = np.count_nonzero(row)
    return (row + types * shorter) / (row.sum() + types)


# %% as a loop with an explicit mixing weight tags=["right", "id:witten-bell"]
def witten_bell(counts, context, V):
    p = np.ones(V) / V
    for length in range(len(context) + 1):
        row = counts.get(tuple(context[len(context) - length :]))
        if row is None:
            continue
        c, N = int(row.sum()), len(set(np.flatnonzero(row).tolist()))
        trust = c / (c + N)
        p = trust * (row / c) + (1 - trust) * p
    return p


# %% forgets the end tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [V] * (n - 1) + [int(w) for w in sentence]
    return float(sum(np.log(model(tuple(line[i - n + 1 : i]))[line[i]]) for i in range(n - 1, len(line))))


# %% multiplies, then takes the logarithm tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [V] * (n - 1) + [int(w) for w in sentence] + [0]
    product = 1.0
    for i in range(n - 1, len(line)):
        product *= model(tuple(line[i - n + 1 : i]))[line[i]]
    return float(np.log(product))


# %% base two tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [V] * (n - 1) + [int(w) for w in sentence] + [0]
    return float(sum(np.log2(model(tuple(line[i - n + 1 : i]))[line[i]]) for i in range(n - 1, len(line))))


# %% context of n symbols tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [V] * n + [int(w) for w in sentence] + [0]
    return float(sum(np.log(model(tuple(line[i - n : i]))[line[i]]) for i in range(n, len(line))))


# %% math.log raises at zero tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    import math

    line = [V] * (n - 1) + [int(w) for w in sentence] + [0]
    return sum(math.log(model(tuple(line[i - n + 1 : i]))[line[i]]) for i in range(n - 1, len(line)))


# %% clips small probabilities tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [V] * (n - 1) + [int(w) for w in sentence] + [0]
    total = 0.0
    for i in range(n - 1, len(line)):
        total += np.log(max(model(tuple(line[i - n + 1 : i]))[line[i]], 1e-10))
    return float(total)


# %% skips the first symbols, whose context is not full tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [int(w) for w in sentence] + [0]
    return float(sum(np.log(model(tuple(line[i - n + 1 : i]))[line[i]]) for i in range(n - 1, len(line))))


# %% returns the mean tags=["wrong", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    line = [V] * (n - 1) + [int(w) for w in sentence] + [0]
    return float(np.mean([np.log(model(tuple(line[i - n + 1 : i]))[line[i]]) for i in range(n - 1, len(line))]))


# %% with a sliding context tags=["right", "id:sentence-log-prob"]
def sentence_log_prob(model, sentence, n, V):
    context, logs = (V,) * (n - 1), []
    with np.errstate(divide="ignore"):
        for symbol in [*np.asarray(sentence).tolist(), 0]:
            logs.append(np.log(np.asarray(model(context))[symbol]))
            context = (*context, symbol)[1:]
    return float(np.sum(logs))


# %% mean of the sentences' perplexities tags=["wrong", "id:perplexity"]
def perplexity(model, sentences, n, V):
    if not sentences:
        raise ValueError("no sentences")
    return float(np.mean([np.exp(-sentence_log_prob(model, s, n, V) / (len(s) + 1)) for s in sentences]))


# %% ends are not counted tags=["wrong", "id:perplexity"]
def perplexity(model, sentences, n, V):
    if not sentences:
        raise ValueError("no sentences")
    total = sum(sentence_log_prob(model, s, n, V) for s in sentences)
    return float(np.exp(-total / sum(len(s) for s in sentences)))


# %% cross-entropy instead of perplexity tags=["wrong", "id:perplexity"]
def perplexity(model, sentences, n, V):
    if not sentences:
        raise ValueError("no sentences")
    total = sum(sentence_log_prob(model, s, n, V) for s in sentences)
    return float(-total / sum(len(s) + 1 for s in sentences))


# %% two to the power of nats tags=["wrong", "id:perplexity"]
def perplexity(model, sentences, n, V):
    if not sentences:
        raise ValueError("no sentences")
    total = sum(sentence_log_prob(model, s, n, V) for s in sentences)
    return float(2 ** (-total / sum(len(s) + 1 for s in sentences)))


# %% divides by the number of sentences tags=["wrong", "id:perplexity"]
def perplexity(model, sentences, n, V):
    if not sentences:
        raise ValueError("no sentences")
    total = sum(sentence_log_prob(model, s, n, V) for s in sentences)
    return float(np.exp(-total / len(sentences)))


# %% no sentences, no complaint tags=["wrong", "id:perplexity"]
def perplexity(model, sentences, n, V):
    total = sum(sentence_log_prob(model, s, n, V) for s in sentences)
    return float(np.exp(-total / max(sum(len(s) + 1 for s in sentences), 1)))


# %% as a product of roots in base two tags=["right", "id:perplexity"]
def perplexity(model, sentences, n, V):
    if len(sentences) == 0:
        raise ValueError("an empty text has no perplexity")
    bits, symbols = 0.0, 0
    for sentence in sentences:
        bits -= sentence_log_prob(model, sentence, n, V) / np.log(2)
        symbols += np.size(sentence) + 1
    return float(np.exp2(bits / symbols))


# %% takes the most probable symbol tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(np.argmax(model(tuple(line[len(line) - n + 1 :]))))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line[n - 1 :], dtype=np.int64)


# %% keeps the end mark tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        line.append(int(rng.choice(V, p=model(tuple(line[len(line) - n + 1 :])))))
        if line[-1] == 0:
            break
    return np.array(line[n - 1 :], dtype=np.int64)


# %% global randomness tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(np.random.choice(V, p=model(tuple(line[len(line) - n + 1 :]))))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line[n - 1 :], dtype=np.int64)


# %% the same seed whatever rng tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    rng, line = np.random.default_rng(0), [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(rng.choice(V, p=model(tuple(line[len(line) - n + 1 :]))))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line[n - 1 :], dtype=np.int64)


# %% line[-(n-1):] is the whole line when n = 1 tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(rng.choice(V, p=model(tuple(line[-(n - 1) :]))))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line[n - 1 :], dtype=np.int64)


# %% leaves the start marks tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(rng.choice(V, p=model(tuple(line[len(line) - n + 1 :]))))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line, dtype=np.int64)


# %% an empty text of floats tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        symbol = int(rng.choice(V, p=model(tuple(line[len(line) - n + 1 :]))))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line[n - 1 :])


# %% draws all symbols with the same probability tags=["wrong", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    line = [V] * (n - 1)
    for _ in range(max_length):
        possible = np.flatnonzero(model(tuple(line[len(line) - n + 1 :])))
        symbol = int(rng.choice(possible))
        if symbol == 0:
            break
        line.append(symbol)
    return np.array(line[n - 1 :], dtype=np.int64)


# %% by inverting the cumulative distribution tags=["right", "id:sample-ngram"]
def sample_ngram(model, n, V, rng, max_length=100):
    context, written = (V,) * (n - 1), []
    while len(written) < max_length:
        edges = np.cumsum(model(context))
        symbol = int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))
        if symbol == 0:
            break
        written.append(symbol)
        context = (*context, symbol)[1:]
    return np.asarray(written, dtype=np.int64)


# %% sums the embeddings tags=["wrong", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    x = params["W_e"][contexts].sum(axis=1)
    E = x.shape[1]
    h = np.tanh(x @ params["W_xh"][:E] + params["b_h"])
    return x, h, h @ params["W_hy"] + params["b_y"]


# %% interleaves place and embedding tags=["wrong", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    x = params["W_e"][contexts].transpose(0, 2, 1).reshape(len(contexts), -1)
    h = np.tanh(x @ params["W_xh"] + params["b_h"])
    return x, h, h @ params["W_hy"] + params["b_y"]


# %% newest first tags=["wrong", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    x = params["W_e"][contexts[:, ::-1]].reshape(len(contexts), -1)
    h = np.tanh(x @ params["W_xh"] + params["b_h"])
    return x, h, h @ params["W_hy"] + params["b_y"]


# %% forgets the hidden bias tags=["wrong", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    x = params["W_e"][contexts].reshape(len(contexts), -1)
    h = np.tanh(x @ params["W_xh"])
    return x, h, h @ params["W_hy"] + params["b_y"]


# %% returns probabilities tags=["wrong", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    x = params["W_e"][contexts].reshape(len(contexts), -1)
    h = np.tanh(x @ params["W_xh"] + params["b_h"])
    e = np.exp(h @ params["W_hy"] + params["b_y"])
    return x, h, e / e.sum(axis=1, keepdims=True)


# %% reshapes the batch away tags=["wrong", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    B, m = contexts.shape
    x = params["W_e"][contexts.T].reshape(B, -1)
    h = np.tanh(x @ params["W_xh"] + params["b_h"])
    return x, h, h @ params["W_hy"] + params["b_y"]


# %% place by place, with one-hot rows tags=["right", "id:window-lm-forward"]
def window_lm_forward(contexts, params):
    one_hot = np.eye(len(params["W_e"]))
    x = np.concatenate([one_hot[contexts[:, i]] @ params["W_e"] for i in range(contexts.shape[1])], axis=1)
    z = np.einsum("bi,ij->bj", x, params["W_xh"]) + params["b_h"][None]
    h = 1 - 2 / (np.exp(2 * z) + 1)
    return x, h, np.einsum("bj,jv->bv", h, params["W_hy"]) + params["b_y"][None]


# %% sum instead of mean tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(o - o.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d_o = p - np.eye(p.shape[1])[targets]
    d_z = d_o @ params["W_hy"].T * (1 - h * h)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.sum(0), "W_e": 0 * params["W_e"]}
    np.add.at(grads["W_e"], contexts, (d_z @ params["W_xh"].T).reshape(B, m, -1))
    return cross_entropy(o, targets), grads


# %% repeated rows keep one gradient tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(o - o.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d_o = (p - np.eye(p.shape[1])[targets]) / B
    d_z = d_o @ params["W_hy"].T * (1 - h * h)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.sum(0), "W_e": 0 * params["W_e"]}
    grads["W_e"][contexts] += (d_z @ params["W_xh"].T).reshape(B, m, -1)
    return cross_entropy(o, targets), grads


# %% slope of the tanh missing tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(o - o.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d_o = (p - np.eye(p.shape[1])[targets]) / B
    d_z = d_o @ params["W_hy"].T
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.sum(0), "W_e": 0 * params["W_e"]}
    np.add.at(grads["W_e"], contexts, (d_z @ params["W_xh"].T).reshape(B, m, -1))
    return cross_entropy(o, targets), grads


# %% slope 1 - z squared tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(o - o.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d_o = (p - np.eye(p.shape[1])[targets]) / B
    z = x @ params["W_xh"] + params["b_h"]
    d_z = d_o @ params["W_hy"].T * (1 - z * z)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.sum(0), "W_e": 0 * params["W_e"]}
    np.add.at(grads["W_e"], contexts, (d_z @ params["W_xh"].T).reshape(B, m, -1))
    return cross_entropy(o, targets), grads


# %% only the newest place reaches the table tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(o - o.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d_o = (p - np.eye(p.shape[1])[targets]) / B
    d_z = d_o @ params["W_hy"].T * (1 - h * h)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.sum(0), "W_e": 0 * params["W_e"]}
    np.add.at(grads["W_e"], contexts[:, -1], (d_z @ params["W_xh"].T).reshape(B, m, -1)[:, -1])
    return cross_entropy(o, targets), grads


# %% overflows for large logits tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(4 * o) ** 0.25
    p /= p.sum(1, keepdims=True)
    d_o = (p - np.eye(p.shape[1])[targets]) / B
    d_z = d_o @ params["W_hy"].T * (1 - h * h)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.sum(0), "W_e": 0 * params["W_e"]}
    np.add.at(grads["W_e"], contexts, (d_z @ params["W_xh"].T).reshape(B, m, -1))
    return cross_entropy(o, targets), grads


# %% averages the biases over the batch again tags=["wrong", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    B, m = contexts.shape
    x, h, o = window_lm_forward(contexts, params)
    p = np.exp(o - o.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    d_o = (p - np.eye(p.shape[1])[targets]) / B
    d_z = d_o @ params["W_hy"].T * (1 - h * h)
    grads = {"W_hy": h.T @ d_o, "b_y": d_o.sum(0), "W_xh": x.T @ d_z, "b_h": d_z.mean(0), "W_e": 0 * params["W_e"]}
    np.add.at(grads["W_e"], contexts, (d_z @ params["W_xh"].T).reshape(B, m, -1))
    return cross_entropy(o, targets), grads


# %% window by window and place by place tags=["right", "id:window-lm-backward"]
def window_lm_backward(contexts, targets, params):
    E = params["W_e"].shape[1]
    grads = {key: np.zeros_like(value) for key, value in params.items()}
    x, h, logits = window_lm_forward(contexts, params)
    loss = 0.0
    for b in range(len(contexts)):
        top = logits[b].max()
        log_p = logits[b] - top - np.log(np.exp(logits[b] - top).sum())
        loss -= log_p[targets[b]] / len(contexts)
        d_o = np.exp(log_p)
        d_o[targets[b]] -= 1
        d_o = d_o / len(contexts)
        d_z = params["W_hy"].dot(d_o) * (1 - h[b] ** 2)
        grads["W_hy"] += np.outer(h[b], d_o)
        grads["b_y"] += d_o
        grads["W_xh"] += np.outer(x[b], d_z)
        grads["b_h"] += d_z
        d_x = params["W_xh"].dot(d_z)
        for i, symbol in enumerate(contexts[b]):
            grads["W_e"][symbol] += d_x[i * E : (i + 1) * E]
    return float(loss), grads


# %% ratio of sums tags=["wrong", "id:mixture-weights"]
def mixture_weights(P, steps):
    weights = np.full(P.shape[1], 1 / P.shape[1])
    for _ in range(steps):
        joint = weights * P
        weights = joint.sum(0) / joint.sum()
    return weights


# %% forgets the old weights tags=["wrong", "id:mixture-weights"]
def mixture_weights(P, steps):
    weights = np.full(P.shape[1], 1 / P.shape[1])
    for _ in range(steps):
        weights = (P / P.sum(1, keepdims=True)).mean(0)
    return weights


# %% gives all to the best model tags=["wrong", "id:mixture-weights"]
def mixture_weights(P, steps):
    return np.eye(P.shape[1])[np.log(P).sum(0).argmax()]


# %% one step too many tags=["wrong", "id:mixture-weights"]
def mixture_weights(P, steps):
    weights = np.full(P.shape[1], 1 / P.shape[1])
    for _ in range(steps + 1):
        joint = weights * P
        weights = (joint / joint.sum(1, keepdims=True)).mean(0)
    return weights


# %% as a gradient ratio tags=["right", "id:mixture-weights"]
def mixture_weights(P, steps):
    weights = np.ones(P.shape[1]) / P.shape[1]
    while steps > 0:
        weights = weights * (P.T @ (1 / (P @ weights))) / len(P)
        steps -= 1
    return weights
