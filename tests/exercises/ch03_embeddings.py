# Wrong and right answers to solutions/ch03_embeddings.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% df counts occurrences, not documents tags=["wrong", "id:tf-idf"]
def tf_idf(counts):
    df = counts.sum(axis=0)
    return counts * np.log(len(counts) / np.maximum(df, 1))


# %% log of df / N tags=["wrong", "id:tf-idf"]
def tf_idf(counts):
    df = np.maximum((counts > 0).sum(axis=0), 1)
    return counts * np.log(df / len(counts))


# %% term frequency divided by the document's length tags=["wrong", "id:tf-idf"]
def tf_idf(counts):
    df = np.maximum((counts > 0).sum(axis=0), 1)
    return counts / counts.sum(axis=1, keepdims=True) * np.log(len(counts) / df)


# %% words that never occur give not a number tags=["wrong", "id:tf-idf"]
def tf_idf(counts):
    df = (counts > 0).sum(axis=0)
    return counts * np.log(len(counts) / df)


# %% smoothed as scikit-learn does tags=["wrong", "id:tf-idf"]
def tf_idf(counts):
    df = (counts > 0).sum(axis=0)
    return counts * (np.log((1 + len(counts)) / (1 + df)) + 1)


# %% N taken as the number of words tags=["wrong", "id:tf-idf"]
def tf_idf(counts):
    df = np.maximum((counts > 0).sum(axis=0), 1)
    return counts * np.log(counts.shape[1] / df)


# %% one word at a time tags=["right", "id:tf-idf"]
def tf_idf(counts):
    weights = np.zeros(counts.shape)
    for w, column in enumerate(counts.T):
        documents = np.count_nonzero(column)
        if documents:
            weights[:, w] = column * (np.log(len(column)) - np.log(documents))
    return weights


# %% only words to the right tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        for t in range(len(s)):
            for u in range(t + 1, min(len(s), t + window + 1)):
                X[s[t], s[u]] += 1 / (u - t) if by_distance else 1
    return X


# %% windows cross the ends of sentences tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    s = [word for sentence in sentences for word in sentence]
    for t in range(len(s)):
        for u in range(max(0, t - window), min(len(s), t + window + 1)):
            if u != t:
                X[s[t], s[u]] += 1 / abs(u - t) if by_distance else 1
    return X


# %% range ends one place early on the right tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window)):
                if u != t:
                    X[s[t], s[u]] += 1 / abs(u - t) if by_distance else 1
    return X


# %% counts a word as its own neighbour tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window + 1)):
                X[s[t], s[u]] += 1 / max(1, abs(u - t)) if by_distance else 1
    return X


# %% equal words never meet tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window + 1)):
                if s[u] != s[t]:
                    X[s[t], s[u]] += 1 / abs(u - t) if by_distance else 1
    return X


# %% by_distance is ignored tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window + 1)):
                X[s[t], s[u]] += u != t
    return X


# %% repeated pairs are lost in fancy indexing tags=["wrong", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        s = np.array(s, dtype=int)
        for d in range(1, window + 1):
            X[s[:-d], s[d:]] += 1 / d if by_distance else 1
            X[s[d:], s[:-d]] += 1 / d if by_distance else 1
    return X


# %% by distance, with add.at on shifted copies tags=["right", "id:cooccurrence"]
def cooccurrence(sentences, V, window, by_distance=False):
    X = np.zeros((V, V))
    for s in sentences:
        s = np.array(s, dtype=int)
        for d in range(1, min(window, len(s) - 1) + 1):
            np.add.at(X, (s[:-d], s[d:]), 1 / d if by_distance else 1.0)
    return X + X.T


# %% negative values stay tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    columns = X.sum(axis=0) ** alpha
    chance = np.outer(X.sum(axis=1), columns / columns.sum())
    return np.log(np.where(X > 0, X, 1) / np.where(X > 0, chance, 1))


# %% warns about the logarithm of zero tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    columns = X.sum(axis=0) ** alpha
    chance = np.outer(X.sum(axis=1), columns / columns.sum())
    return np.nan_to_num(np.maximum(np.log(X / chance), 0))


# %% logarithm to base 2 tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    columns = X.sum(axis=0) ** alpha
    chance = np.outer(X.sum(axis=1), columns / columns.sum())
    ratio = np.where(X > 0, X, 1) / np.where(X > 0, chance, 1)
    return np.maximum(np.log2(ratio), 0)


# %% rows are smoothed instead of columns tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    rows = X.sum(axis=1) ** alpha
    chance = np.outer(rows / rows.sum(), X.sum(axis=0))
    ratio = np.where(X > 0, X, 1) / np.where(X > 0, chance, 1)
    return np.maximum(np.log(ratio), 0)


# %% smoothed contexts do not add up to one tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    columns = (X.sum(axis=0) / X.sum()) ** alpha
    chance = np.outer(X.sum(axis=1), columns)
    ratio = np.where(X > 0, X, 1) / np.where(X > 0, chance, 1)
    return np.maximum(np.log(ratio), 0)


# %% the power is taken of every cell tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    X = X**alpha
    chance = np.outer(X.sum(axis=1), X.sum(axis=0)) / X.sum()
    ratio = np.where(X > 0, X, 1) / np.where(X > 0, chance, 1)
    return np.maximum(np.log(ratio), 0)


# %% the logarithm of one plus the ratio tags=["wrong", "id:ppmi"]
def ppmi(X, alpha=1.0):
    columns = X.sum(axis=0) ** alpha
    chance = np.outer(X.sum(axis=1), columns / columns.sum())
    return np.log1p(np.where(X > 0, X, 0) / np.where(X > 0, chance, 1))


# %% cell by cell over those that met tags=["right", "id:ppmi"]
def ppmi(X, alpha=1.0):
    result = np.zeros(X.shape)
    w, c = np.nonzero(X)
    log_rows = np.log(X.sum(axis=1), where=X.sum(axis=1) > 0, out=np.zeros(len(X)))
    sums = X.sum(axis=0)
    log_columns = alpha * np.log(sums, where=sums > 0, out=np.zeros(len(sums)))
    log_total = np.log((sums**alpha).sum())
    pmi = np.log(X[w, c]) - log_rows[w] - log_columns[c] + log_total
    result[w, c] = pmi.clip(min=0)
    return result


# %% centre and context exchanged tags=["wrong", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    pairs = []
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window + 1)):
                if u != t:
                    pairs.append((s[u], s[t]))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


# %% compares words instead of places tags=["wrong", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    pairs = []
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window + 1)):
                if s[u] != s[t]:
                    pairs.append((s[t], s[u]))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


# %% runs over the ends of sentences tags=["wrong", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    s = [word for sentence in sentences for word in sentence]
    pairs = []
    for t in range(len(s)):
        for u in range(max(0, t - window), min(len(s), t + window + 1)):
            if u != t:
                pairs.append((s[t], s[u]))
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


# %% negative slice start at the left end tags=["wrong", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    pairs = []
    for s in sentences:
        for t in range(len(s)):
            around = list(s[t - window : t]) + list(s[t + 1 : t + window + 1])
            pairs += [(s[t], word) for word in around]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


# %% an empty text has the wrong shape tags=["wrong", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    pairs = []
    for s in sentences:
        for t in range(len(s)):
            for u in range(max(0, t - window), min(len(s), t + window + 1)):
                if u != t:
                    pairs.append((s[t], s[u]))
    return np.array(pairs)


# %% grouped by distance, not in order of reading tags=["wrong", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    pairs = []
    for s in sentences:
        for d in range(1, window + 1):
            for t in range(len(s) - d):
                pairs += [(s[t], s[t + d]), (s[t + d], s[t])]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


# %% a mask over all places of a sentence tags=["right", "id:skipgram-pairs"]
def skipgram_pairs(sentences, window):
    found = [np.zeros((0, 2), dtype=np.int64)]
    for sentence in sentences:
        s = np.array(sentence, dtype=np.int64)
        distance = np.abs(np.subtract.outer(np.arange(len(s)), np.arange(len(s))))
        t, u = np.nonzero((distance > 0) & (distance <= window))
        found.append(np.column_stack([s[t], s[u]]))
    return np.concatenate(found)


# %% padding counts tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    return W[contexts].mean(axis=1) @ C.T


# %% divides by all places tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    return (W[contexts] * mask[:, :, None]).mean(axis=1) @ C.T


# %% sum in place of the mean tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    return (W[contexts] * mask[:, :, None]).sum(axis=1) @ C.T


# %% input and output vectors exchanged tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    total = (C[contexts] * mask[:, :, None]).sum(axis=1)
    return total / mask.sum(axis=1, keepdims=True) @ W.T


# %% returns probabilities tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    total = (W[contexts] * mask[:, :, None]).sum(axis=1)
    o = total / mask.sum(axis=1, keepdims=True) @ C.T
    e = np.exp(o - o.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# %% takes index 0 for padding instead of the mask tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    real = contexts != 0
    total = (W[contexts] * real[:, :, None]).sum(axis=1)
    return total / real.sum(axis=1, keepdims=True) @ C.T


# %% repeated words count once tags=["wrong", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    means = [W[np.unique(row[keep])].mean(axis=0) for row, keep in zip(contexts, mask)]
    return np.stack(means) @ C.T


# %% a matrix of shares over the vocabulary tags=["right", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    shares = np.zeros((len(contexts), len(W)))
    row, place = np.nonzero(mask)
    np.add.at(shares, (row, contexts[row, place]), 1 / mask.sum(axis=1)[row])
    return shares @ (W @ C.T)


# %% a loop over the batch tags=["right", "id:cbow-forward"]
def cbow_forward(contexts, mask, W, C):
    return np.array([np.mean([W[j] for j in row[keep]], axis=0) @ C.T
                     for row, keep in zip(contexts, mask)])


# %% repeated rows overwrite each other tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    g = (sigmoid(scores) - (signs > 0)) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    grads["W"][centre] += np.einsum("bk,bke->be", g, C[named])
    grads["C"][named] += g[:, :, None] * W[centre][:, None]
    return float(-log_sigmoid(signs * scores).sum(axis=1).mean()), grads


# %% noise with the sign of the true pair tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    g = (sigmoid(scores) - 1) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g, C[named]))
    np.add.at(grads["C"], named, g[:, :, None] * W[centre][:, None])
    return float(-log_sigmoid(scores).sum(axis=1).mean()), grads


# %% summed over the batch tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    g = sigmoid(scores) - (signs > 0)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g, C[named]))
    np.add.at(grads["C"], named, g[:, :, None] * W[centre][:, None])
    return float(-log_sigmoid(signs * scores).sum()), grads


# %% noise is averaged tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    weights = np.where(signs > 0, 1.0, 1 / noise.shape[1])
    g = weights * (sigmoid(scores) - (signs > 0)) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g, C[named]))
    np.add.at(grads["C"], named, g[:, :, None] * W[centre][:, None])
    return float(-(weights * log_sigmoid(signs * scores)).sum(axis=1).mean()), grads


# %% the true pair sends no gradient to the centre tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    g = (sigmoid(scores) - (signs > 0)) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g[:, 1:], C[noise]))
    np.add.at(grads["C"], named, g[:, :, None] * W[centre][:, None])
    return float(-log_sigmoid(signs * scores).sum(axis=1).mean()), grads


# %% logarithm of the sigmoid, infinite for large scores tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    g = (sigmoid(scores) - (signs > 0)) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g, C[named]))
    np.add.at(grads["C"], named, g[:, :, None] * W[centre][:, None])
    return float(-np.log(sigmoid(signs * scores)).sum(axis=1).mean()), grads


# %% noise that is the true context is left out tags=["wrong", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    named = np.concatenate([context[:, None], noise], axis=1)
    scores = np.einsum("be,bke->bk", W[centre], C[named])
    signs = np.where(np.arange(named.shape[1]) == 0, 1.0, -1.0)
    kept = (named != context[:, None]) | (signs > 0)
    g = kept * (sigmoid(scores) - (signs > 0)) / len(centre)
    grads = {"W": np.zeros_like(W), "C": np.zeros_like(C)}
    np.add.at(grads["W"], centre, np.einsum("bk,bke->be", g, C[named]))
    np.add.at(grads["C"], named, g[:, :, None] * W[centre][:, None])
    return float(-(kept * log_sigmoid(signs * scores)).sum(axis=1).mean()), grads


# %% a loop over pairs and words tags=["right", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    d_W, d_C, loss, B = np.zeros(W.shape), np.zeros(C.shape), 0.0, len(centre)
    for i, j, others in zip(centre, context, noise):
        for word, y in [(j, 1), *((n, 0) for n in others)]:
            s = float(W[i] @ C[word])
            loss += np.logaddexp(0, -s if y else s) / B
            error = (1 / (1 + np.exp(-s)) - y) / B if s > -700 else -y / B
            d_W[i] += error * C[word]
            d_C[word] += error * W[i]
    return loss, {"W": d_W, "C": d_C}


# %% through a matrix of errors between all words tags=["right", "id:negative-sampling-loss"]
def negative_sampling_loss(W, C, centre, context, noise):
    V, B = len(W), len(centre)
    scores = W @ C.T
    true, false = np.zeros((V, V)), np.zeros((V, V))
    np.add.at(true, (centre, context), 1 / B)
    np.add.at(false, (np.repeat(centre, noise.shape[1]), noise.ravel()), 1 / B)
    loss = (true * np.logaddexp(0, -scores) + false * np.logaddexp(0, scores)).sum()
    error = (true + false) * sigmoid(scores) - true
    return float(loss), {"W": error @ C, "C": error.T @ W}


# %% the weight is not capped tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = (X / x_max) ** power
    residual = W @ C.T + b[:, None] + b_tilde - np.log(np.where(X > 0, X, 1))
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(1), "b_tilde": error.sum(0)}
    return float((weight * residual**2).sum()), grads


# %% the 2 is missing tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = np.minimum(X / x_max, 1) ** power
    residual = W @ C.T + b[:, None] + b_tilde - np.log(np.where(X > 0, X, 1))
    error = weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(1), "b_tilde": error.sum(0)}
    return float((weight * residual**2).sum()), grads


# %% zero times infinity tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = np.minimum(X / x_max, 1) ** power
    residual = W @ C.T + b[:, None] + b_tilde - np.log(X)
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(1), "b_tilde": error.sum(0)}
    return float((weight * residual**2).sum()), grads


# %% biases on the wrong sides tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = np.minimum(X / x_max, 1) ** power
    residual = W @ C.T + b + b_tilde[:, None] - np.log(np.where(X > 0, X, 1))
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(0), "b_tilde": error.sum(1)}
    return float((weight * residual**2).sum()), grads


# %% right loss, error not transposed for C tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = np.minimum(X / x_max, 1) ** power
    residual = W @ C.T + b[:, None] + b_tilde - np.log(np.where(X > 0, X, 1))
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error @ W, "b": error.sum(1), "b_tilde": error.sum(0)}
    return float((weight * residual**2).sum()), grads


# %% log of one plus the count, over all cells tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = np.minimum((X + 1) / x_max, 1) ** power
    residual = W @ C.T + b[:, None] + b_tilde - np.log1p(X)
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(1), "b_tilde": error.sum(0)}
    return float((weight * residual**2).sum()), grads


# %% power and x_max are fixed tags=["wrong", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    weight = np.minimum(X / 100, 1) ** 0.75
    residual = W @ C.T + b[:, None] + b_tilde - np.log(np.where(X > 0, X, 1))
    error = 2 * weight * residual
    grads = {"W": error @ C, "C": error.T @ W, "b": error.sum(1), "b_tilde": error.sum(0)}
    return float((weight * residual**2).sum()), grads


# %% over the list of cells that met tags=["right", "id:glove-loss"]
def glove_loss(W, C, b, b_tilde, X, x_max=100.0, power=0.75):
    i, j = np.nonzero(X)
    x = X[i, j]
    f = np.where(x < x_max, (x / x_max) ** power, 1.0)
    r = (W[i] * C[j]).sum(1) + b[i] + b_tilde[j] - np.log(x)
    e = 2 * f * r
    grads = {"W": np.zeros(W.shape), "C": np.zeros(C.shape)}
    np.add.at(grads["W"], i, e[:, None] * C[j])
    np.add.at(grads["C"], j, e[:, None] * W[i])
    grads["b"] = np.bincount(i, weights=e, minlength=len(b))
    grads["b_tilde"] = np.bincount(j, weights=e, minlength=len(b))
    return float(f @ r**2), grads


# %% dot products tags=["wrong", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    scores = queries @ vectors.T
    allowed = scores.copy()
    if exclude is not None:
        np.put_along_axis(allowed, exclude, -np.inf, axis=1)
    words = np.argsort(-allowed, axis=1)[:, :k]
    return words, np.take_along_axis(scores, words, axis=1)


# %% the smallest first tags=["wrong", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    def scaled(rows):
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)

    cosine = scaled(queries) @ scaled(vectors).T
    allowed = cosine.copy()
    if exclude is not None:
        np.put_along_axis(allowed, exclude, -np.inf, axis=1)
    words = np.argsort(allowed, axis=1)[:, -k:]
    return words, np.take_along_axis(cosine, words, axis=1)


# %% exclude is ignored tags=["wrong", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    def scaled(rows):
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)

    cosine = scaled(queries) @ scaled(vectors).T
    words = np.argsort(-cosine, axis=1)[:, :k]
    return words, np.take_along_axis(cosine, words, axis=1)


# %% excluded words get a cosine of zero tags=["wrong", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    def scaled(rows):
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)

    cosine = scaled(queries) @ scaled(vectors).T
    if exclude is not None:
        np.put_along_axis(cosine, exclude, 0, axis=1)
    words = np.argsort(-cosine, axis=1)[:, :k]
    return words, np.take_along_axis(cosine, words, axis=1)


# %% excludes every query's words from all tags=["wrong", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    def scaled(rows):
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-300)

    cosine = scaled(queries) @ scaled(vectors).T
    allowed = cosine.copy()
    if exclude is not None:
        allowed[:, np.unique(exclude)] = -np.inf
    words = np.argsort(-allowed, axis=1)[:, :k]
    return words, np.take_along_axis(cosine, words, axis=1)


# %% a vector of zeros gives not a number tags=["wrong", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = queries @ unit.T / np.linalg.norm(queries, axis=1, keepdims=True)
    allowed = cosine.copy()
    if exclude is not None:
        np.put_along_axis(allowed, exclude, -np.inf, axis=1)
    words = np.argsort(-allowed, axis=1)[:, :k]
    return words, np.take_along_axis(cosine, words, axis=1)


# %% one query at a time, one word at a time tags=["right", "id:nearest"]
def nearest(vectors, queries, k, exclude=None):
    words, cosines = [], []
    for n, q in enumerate(queries):
        left = set(range(len(vectors))) - set(() if exclude is None else exclude[n].tolist())
        found = []
        for w in left:
            size = np.sqrt((q @ q) * (vectors[w] @ vectors[w]))
            found.append((q @ vectors[w] / size if size > 0 else 0.0, w))
        found = sorted(found, reverse=True)[:k]
        words.append([w for _, w in found])
        cosines.append([cosine for cosine, _ in found])
    return np.array(words), np.array(cosines)


# %% a - b + c tags=["wrong", "id:analogy"]
def analogy(vectors, a, b, c):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    words, _ = nearest(unit, unit[a] - unit[b] + unit[c], 1, np.stack([a, b, c], axis=1))
    return words[:, 0]


# %% the question's words may answer tags=["wrong", "id:analogy"]
def analogy(vectors, a, b, c):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return nearest(unit, unit[b] - unit[a] + unit[c], 1)[0][:, 0]


# %% only c is excluded tags=["wrong", "id:analogy"]
def analogy(vectors, a, b, c):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return nearest(unit, unit[b] - unit[a] + unit[c], 1, c[:, None])[0][:, 0]


# %% vectors are not scaled before they are added tags=["wrong", "id:analogy"]
def analogy(vectors, a, b, c):
    asked = np.stack([a, b, c], axis=1)
    return nearest(vectors, vectors[b] - vectors[a] + vectors[c], 1, asked)[0][:, 0]


# %% by distance, question by question tags=["right", "id:analogy"]
def analogy(vectors, a, b, c):
    unit = vectors / np.sqrt((vectors**2).sum(axis=1))[:, None]
    answers = []
    for i, j, k in zip(a, b, c):
        target = unit[j] - unit[i] + unit[k]
        distance = ((unit - target) ** 2).sum(axis=1)
        distance[[i, j, k]] = np.inf
        answers.append(int(distance.argmin()))
    return np.array(answers)


# %% one noise word a pair tags=["wrong", "id:expected-negative-sampling"]
def expected_negative_sampling(W, C, X, noise, K):
    wrong = X.sum(axis=1, keepdims=True) * noise
    scores = W @ C.T
    loss = -(X * log_sigmoid(scores) + wrong * log_sigmoid(-scores)).sum() / X.sum()
    error = ((X + wrong) * sigmoid(scores) - X) / X.sum()
    return float(loss), {"W": error @ C, "C": error.T @ W}


# %% noise spread over columns by their own counts tags=["wrong", "id:expected-negative-sampling"]
def expected_negative_sampling(W, C, X, noise, K):
    wrong = K * np.outer(noise, X.sum(axis=0))
    scores = W @ C.T
    loss = -(X * log_sigmoid(scores) + wrong * log_sigmoid(-scores)).sum() / X.sum()
    error = ((X + wrong) * sigmoid(scores) - X) / X.sum()
    return float(loss), {"W": error @ C, "C": error.T @ W}


# %% the true pairs are missing from the first sigmoid tags=["wrong", "id:expected-negative-sampling"]
def expected_negative_sampling(W, C, X, noise, K):
    wrong = K * X.sum(axis=1, keepdims=True) * noise
    scores = W @ C.T
    loss = -(X * log_sigmoid(scores) + wrong * log_sigmoid(-scores)).sum() / X.sum()
    error = (wrong * sigmoid(scores) - X) / X.sum()
    return float(loss), {"W": error @ C, "C": error.T @ W}


# %% row by row tags=["right", "id:expected-negative-sampling"]
def expected_negative_sampling(W, C, X, noise, K):
    loss, d_W, d_C, total = 0.0, np.zeros(W.shape), np.zeros(C.shape), X.sum()
    for i, counts in enumerate(X):
        s, false = C @ W[i], K * counts.sum() * noise
        loss += (counts @ np.logaddexp(0, -s) + false @ np.logaddexp(0, s)) / total
        g = (false * sigmoid(s) - counts * sigmoid(-s)) / total
        d_W[i] = g @ C
        d_C += np.outer(g, W[i])
    return float(loss), {"W": d_W, "C": d_C}
