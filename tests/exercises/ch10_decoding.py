# Wrong and right answers to solutions/ch10_decoding.py. Data, never imported: each cell replaces
# one exercise cell, see bank_harness.py.
# ruff: noqa

# %% the end symbol is not scored tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, score, symbol = [], 0.0, start
    while len(output) < T:
        log_probs, state = step(symbol, state)
        symbol = int(log_probs.argmax())
        output.append(symbol)
        if symbol == end:
            break
        score += float(log_probs[symbol])
    return output, score


# %% the end symbol is left out of the output tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, score, symbol = [], 0.0, start
    while len(output) < T:
        log_probs, state = step(symbol, state)
        symbol = int(log_probs.argmax())
        score += float(log_probs[symbol])
        if symbol == end:
            break
        output.append(symbol)
    return output, score


# %% goes on after the end tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, score, symbol = [], 0.0, start
    for _ in range(T):
        log_probs, state = step(symbol, state)
        symbol = int(log_probs.argmax())
        score += float(log_probs[symbol])
        output.append(symbol)
    return output, score


# %% forgets to hand on the state tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, score, symbol = [], 0.0, start
    for _ in range(T):
        log_probs, _unused = step(symbol, state)
        symbol = int(log_probs.argmax())
        score += float(log_probs[symbol])
        output.append(symbol)
        if symbol == end:
            break
    return output, score


# %% multiplies probabilities tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, score, symbol = [], 1.0, start
    for _ in range(T):
        log_probs, state = step(symbol, state)
        symbol = int(log_probs.argmax())
        score *= float(log_probs[symbol].exp())
        output.append(symbol)
        if symbol == end:
            break
    return output, score


# %% of equal symbols the largest tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, score, symbol = [], 0.0, start
    for _ in range(T):
        log_probs, state = step(symbol, state)
        symbol = len(log_probs) - 1 - int(log_probs.flip(0).argmax())
        score += float(log_probs[symbol])
        output.append(symbol)
        if symbol == end:
            break
    return output, score


# %% always calls T times and cuts afterwards tags=["wrong", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    output, scores, symbol = [], [], start
    for _ in range(T):
        log_probs, state = step(symbol, state)
        symbol = int(log_probs.argmax())
        scores.append(float(log_probs[symbol]))
        output.append(symbol)
    stop = output.index(end) + 1 if end in output else T
    return output[:stop], sum(scores[:stop])


# %% the best symbol of a list tags=["right", "id:greedy-decode"]
def greedy_decode(step, state, start, end, T):
    symbols, total = [start], 0.0
    for _ in range(T):
        log_probs, state = step(symbols[-1], state)
        values = log_probs.tolist()
        total += max(values)
        symbols.append(values.index(max(values)))
        if symbols[-1] == end:
            break
    return symbols[1:], total


# %% calls again for every continuation tags=["wrong", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    def score_of(output):
        s, total, last = state, 0.0, start
        for symbol in output:
            log_probs, s = step(last, s)
            total, last = total + float(log_probs[symbol]), symbol
        return total

    V = len(step(start, state)[0])
    stack, best = [[]], ([], -math.inf)
    while stack:
        output = stack.pop()
        if output and (output[-1] == end or len(output) == T):
            score = score_of(output)
            if score > best[1] or (score == best[1] and output < best[0]):
                best = output, score
        else:
            stack += [[*output, v] for v in range(V)]
    return best


# %% incomplete outputs count tags=["wrong", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    best = ([], -math.inf)

    def follow(output, score, symbol, state):
        nonlocal best
        log_probs, state = step(symbol, state)
        for v, log_prob in enumerate(log_probs.tolist()):
            if score + log_prob > best[1]:
                best = [*output, v], score + log_prob
            if v != end and len(output) + 1 < T and log_prob > -math.inf:
                follow([*output, v], score + log_prob, v, state)

    follow([], 0.0, start, state)
    return best


# %% outputs that are cut do not count tags=["wrong", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    best = ([], -math.inf)

    def follow(output, score, symbol, state):
        nonlocal best
        log_probs, state = step(symbol, state)
        for v, log_prob in enumerate(log_probs.tolist()):
            total = score + log_prob
            if v == end:
                if total > best[1]:
                    best = [*output, v], total
            elif len(output) + 1 < T and total > -math.inf:
                follow([*output, v], total, v, state)

    follow([], 0.0, start, state)
    return best


# %% is greedy tags=["wrong", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    return greedy_decode(step, state, start, end, T)


# %% takes the mean score tags=["wrong", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    best = ([], -math.inf)

    def follow(output, score, symbol, state):
        nonlocal best
        log_probs, state = step(symbol, state)
        for v, log_prob in enumerate(log_probs.tolist()):
            longer, total = [*output, v], score + log_prob
            if total == -math.inf:
                continue
            if v != end and len(longer) < T:
                follow(longer, total, v, state)
            elif not best[0] or total / len(longer) > best[1] / len(best[0]):
                best = longer, total

    follow([], 0.0, start, state)
    return best


# %% of equal scores the last one tags=["wrong", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    best = ([], -math.inf)

    def follow(output, score, symbol, state):
        nonlocal best
        log_probs, state = step(symbol, state)
        for v, log_prob in enumerate(log_probs.tolist()):
            longer, total = [*output, v], score + log_prob
            if total == -math.inf:
                continue
            if v != end and len(longer) < T:
                follow(longer, total, v, state)
            elif total >= best[1]:
                best = longer, total

    follow([], 0.0, start, state)
    return best


# %% level by level tags=["right", "id:exhaustive-decode"]
def exhaustive_decode(step, state, start, end, T):
    level, complete = [((), 0.0, start, state)], []
    for t in range(T):
        following = []
        for output, score, symbol, s in level:
            log_probs, after = step(symbol, s)
            for v in range(len(log_probs)):
                pair = ((*output, v), score + log_probs[v].item())
                if v == end or t == T - 1:
                    complete.append(pair)
                else:
                    following.append((*pair, v, after))
        level = following
    highest = max(score for _, score in complete)
    return list(min(output for output, score in complete if score == highest)), highest


# %% from last to first tags=["wrong", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    found = []
    for row in range(t, -1, -1):
        found.append(int(symbols[row, slot]))
        slot = int(parents[row, slot])
    return found


# %% reads down one column tags=["wrong", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    return symbols[: t + 1, slot].tolist()


# %% parents of the row before tags=["wrong", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    found = []
    for row in range(t, -1, -1):
        found.append(int(symbols[row, slot]))
        slot = int(parents[max(row - 1, 0), slot])
    return found[::-1]


# %% always from the last step tags=["wrong", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    found = []
    for row in range(len(symbols) - 1, -1, -1):
        found.append(int(symbols[row, slot]))
        slot = int(parents[row, slot])
    return found[::-1]


# %% leaves out the first symbol tags=["wrong", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    found = []
    while t > 0:
        found.insert(0, int(symbols[t, slot]))
        slot = int(parents[t, slot])
        t -= 1
    return found


# %% returns tensors tags=["wrong", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    found = []
    for row in range(t, -1, -1):
        found.append(symbols[row, slot])
        slot = int(parents[row, slot])
    return torch.stack(found[::-1])


# %% calls itself tags=["right", "id:backtrack"]
def backtrack(symbols, parents, t, slot):
    own = [symbols[t, slot].item()]
    return own if t == 0 else backtrack(symbols, parents, t - 1, parents[t, slot].item()) + own


# %% the best k of each parent tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for t in range(T):
        chosen = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            own = [([*output, v], score + lp, after) for v, lp in enumerate(log_probs.tolist())]
            own = sorted((c for c in own if c[1] > -math.inf), key=lambda c: -c[1])
            chosen += own[: k - len(found)]
        running = [c for c in chosen if c[0][-1] != end and t < T - 1]
        found += [c[:2] for c in chosen if c[0][-1] == end or t == T - 1]
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% the beam stays k wide tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for t in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp, after))
        candidates.sort(key=lambda c: -c[1])
        running = []
        for output, score, after in candidates[:k]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score, after))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% extends complete hypotheses tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    running = [([], 0.0, state)]
    for _ in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp, after))
        running = sorted(candidates, key=lambda c: -c[1])[:k]
    return [(output, score) for output, score, _ in running]


# %% stops at the first complete hypothesis tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for t in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp, after))
        candidates.sort(key=lambda c: -c[1])
        running = []
        for output, score, after in candidates[:k]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score, after))
        if found:
            break
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% drops what is cut at T tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for _ in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp, after))
        candidates.sort(key=lambda c: -c[1])
        running, places = [], k - len(found)
        for output, score, after in candidates[:places]:
            if output[-1] == end:
                found.append((output, score))
            else:
                running.append((output, score, after))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% states stay behind when hypotheses change places tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running, states = [], [([], 0.0)], [state] * max(k, 1)
    for t in range(T):
        candidates = []
        for i, (output, score) in enumerate(running):
            log_probs, states[i] = step(output[-1] if output else start, states[i])
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp))
        if t == 0:
            states = [states[0]] * k
        candidates.sort(key=lambda c: -c[1])
        running, places = [], k - len(found)
        for output, score in candidates[:places]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% adds to the mean instead of the sum tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for t in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], (score * t + lp) / (t + 1), after))
        candidates.sort(key=lambda c: -c[1])
        running, places = [], k - len(found)
        for output, score, after in candidates[:places]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score, after))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% keeps symbols of probability zero tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for t in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                candidates.append(([*output, v], score + lp, after))
        candidates.sort(key=lambda c: -c[1])
        running, places = [], k - len(found)
        for output, score, after in candidates[:places]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score, after))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% of equal candidates the last ones tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    found, running = [], [([], 0.0, state)]
    for t in range(T):
        candidates = []
        for output, score, s in running:
            log_probs, after = step(output[-1] if output else start, s)
            for v, lp in enumerate(log_probs.tolist()):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp, after))
        candidates = sorted(candidates, key=lambda c: c[1])[::-1]
        running, places = [], k - len(found)
        for output, score, after in candidates[:places]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score, after))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% a call for every candidate tags=["wrong", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    def distribution(output):
        s, last = state, start
        for symbol in [*output, None]:
            log_probs, s = step(last, s)
            last = symbol
        return log_probs.tolist()

    found, running = [], [([], 0.0)]
    for t in range(T):
        candidates = []
        for output, score in running:
            for v, lp in enumerate(distribution(output)):
                if lp > -math.inf:
                    candidates.append(([*output, v], score + lp))
        candidates.sort(key=lambda c: -c[1])
        running, places = [], k - len(found)
        for output, score in candidates[:places]:
            if output[-1] == end or t == T - 1:
                found.append((output, score))
            else:
                running.append((output, score))
    return sorted(found, key=lambda h: (-h[1], h[0]))


# %% with nodes that know their parent tags=["right", "id:beam-search"]
def beam_search(step, state, start, end, k, T):
    class Node:
        def __init__(self, symbol, score, parent, state):
            self.symbol, self.score, self.parent, self.state = symbol, score, parent, state

        def read(self):
            return [] if self.parent is None else [*self.parent.read(), self.symbol]

    beam, complete = [Node(start, 0.0, None, state)], []
    for t in range(1, T + 1):
        children = []
        for node in beam:
            log_probs, after = step(node.symbol, node.state)
            scores = (node.score + log_probs.double()).tolist()
            children += [Node(v, s, node, after) for v, s in enumerate(scores) if s != -math.inf]
        ranked = sorted(range(len(children)), key=lambda i: (-children[i].score, i))
        best = [children[i] for i in ranked[: k - len(complete)]]
        beam = [n for n in best if n.symbol != end and t < T]
        complete += [n for n in best if n.symbol == end or t == T]
        if not beam:
            break
    pairs = [(n.read(), n.score) for n in complete]
    pairs.sort(key=lambda pair: pair[0])
    pairs.sort(key=lambda pair: pair[1], reverse=True)
    return pairs


# %% multiplies by alpha tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if (lengths < 1).any():
        raise ValueError("length")
    return scores / (1 + alpha * ((offset + lengths) / (offset + 1) - 1))


# %% forgets the denominator of the penalty tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if (lengths < 1).any():
        raise ValueError("length")
    return scores / (offset + lengths) ** alpha


# %% multiplies the score tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if (lengths < 1).any():
        raise ValueError("length")
    return scores * ((offset + lengths) / (offset + 1)) ** alpha


# %% ignores the offset tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if (lengths < 1).any():
        raise ValueError("length")
    return scores / lengths**alpha


# %% the exponent on the numerator only tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if (lengths < 1).any():
        raise ValueError("length")
    return scores / ((offset + lengths) ** alpha / (offset + 1))


# %% does not look at the lengths tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    return scores / ((offset + lengths.to(scores.dtype)) / (offset + 1)) ** alpha


# %% divides in place tags=["wrong", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if (lengths < 1).any():
        raise ValueError("length")
    scores /= ((offset + lengths) / (offset + 1)) ** alpha
    return scores


# %% with logarithms tags=["right", "id:length-normalised"]
def length_normalised(scores, lengths, alpha, offset=0.0):
    if lengths.min() < 1:
        raise ValueError("a length below 1")
    t = lengths.to(dtype=scores.dtype, device=scores.device)
    return scores * torch.exp(alpha * (math.log(offset + 1) - torch.log(offset + t)))


# %% one sentence after the other tags=["wrong", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    def single(symbol, state):
        log_probs, after = step(torch.tensor([symbol], device=states.device), state[None])
        return log_probs[0], after[0]

    return [beam_search(single, state, start, end, k, T) for state in states]


# %% states are not reordered tags=["wrong", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    B, h = states.shape[0], states.repeat_interleave(k, dim=0)
    symbols = torch.full((B * k,), start, device=states.device)
    scores = h.new_full((B, k), -math.inf)
    scores[:, 0] = 0
    places = torch.full((B, 1), k, device=states.device)
    found, said, came = [[] for _ in range(B)], [], []
    for t in range(T):
        log_probs, h = step(symbols, h)
        V = log_probs.shape[1]
        joint = (scores[:, :, None] + log_probs.reshape(B, k, V)).flatten(1)
        scores, flat = joint.sort(dim=1, descending=True, stable=True)
        scores, flat = scores[:, :k], flat[:, :k]
        said.append(flat % V)
        came.append(flat // V)
        counts = (torch.arange(k, device=states.device) < places) & (scores > -math.inf)
        done = counts & ((said[-1] == end) | (t == T - 1))
        for b, j in done.nonzero().tolist():
            output = backtrack(torch.stack(said)[:, b], torch.stack(came)[:, b], t, j)
            found[b].append((output, scores[b, j].item()))
        places = places - done.sum(1, keepdim=True)
        scores = scores.masked_fill(~counts | done, -math.inf)
        symbols = said[-1].flatten()
        if bool((scores == -math.inf).all()):
            break
    return [sorted(each, key=lambda pair: (-pair[1], pair[0])) for each in found]


# %% states are reordered within the first sentence only tags=["wrong", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    B, h = states.shape[0], states.repeat_interleave(k, dim=0)
    symbols = torch.full((B * k,), start, device=states.device)
    scores = h.new_full((B, k), -math.inf)
    scores[:, 0] = 0
    places = torch.full((B, 1), k, device=states.device)
    found, said, came = [[] for _ in range(B)], [], []
    for t in range(T):
        log_probs, h = step(symbols, h)
        V = log_probs.shape[1]
        joint = (scores[:, :, None] + log_probs.reshape(B, k, V)).flatten(1)
        scores, flat = joint.sort(dim=1, descending=True, stable=True)
        scores, flat = scores[:, :k], flat[:, :k]
        said.append(flat % V)
        came.append(flat // V)
        counts = (torch.arange(k, device=states.device) < places) & (scores > -math.inf)
        done = counts & ((said[-1] == end) | (t == T - 1))
        for b, j in done.nonzero().tolist():
            output = backtrack(torch.stack(said)[:, b], torch.stack(came)[:, b], t, j)
            found[b].append((output, scores[b, j].item()))
        places = places - done.sum(1, keepdim=True)
        scores = scores.masked_fill(~counts | done, -math.inf)
        h, symbols = h[came[-1].flatten()], said[-1].flatten()
        if bool((scores == -math.inf).all()):
            break
    return [sorted(each, key=lambda pair: (-pair[1], pair[0])) for each in found]


# %% all slots begin with score zero tags=["wrong", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    B, h = states.shape[0], states.repeat_interleave(k, dim=0)
    first = torch.arange(B, device=states.device)[:, None] * k
    symbols = torch.full((B * k,), start, device=states.device)
    scores = h.new_zeros((B, k))
    places = torch.full((B, 1), k, device=states.device)
    found, said, came = [[] for _ in range(B)], [], []
    for t in range(T):
        log_probs, h = step(symbols, h)
        V = log_probs.shape[1]
        joint = (scores[:, :, None] + log_probs.reshape(B, k, V)).flatten(1)
        scores, flat = joint.sort(dim=1, descending=True, stable=True)
        scores, flat = scores[:, :k], flat[:, :k]
        said.append(flat % V)
        came.append(flat // V)
        counts = (torch.arange(k, device=states.device) < places) & (scores > -math.inf)
        done = counts & ((said[-1] == end) | (t == T - 1))
        for b, j in done.nonzero().tolist():
            output = backtrack(torch.stack(said)[:, b], torch.stack(came)[:, b], t, j)
            found[b].append((output, scores[b, j].item()))
        places = places - done.sum(1, keepdim=True)
        scores = scores.masked_fill(~counts | done, -math.inf)
        h, symbols = h[(first + came[-1]).flatten()], said[-1].flatten()
        if bool((scores == -math.inf).all()):
            break
    return [sorted(each, key=lambda pair: (-pair[1], pair[0])) for each in found]


# %% complete hypotheses do not keep their place tags=["wrong", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    B, h = states.shape[0], states.repeat_interleave(k, dim=0)
    first = torch.arange(B, device=states.device)[:, None] * k
    symbols = torch.full((B * k,), start, device=states.device)
    scores = h.new_full((B, k), -math.inf)
    scores[:, 0] = 0
    found, said, came = [[] for _ in range(B)], [], []
    for t in range(T):
        log_probs, h = step(symbols, h)
        V = log_probs.shape[1]
        joint = (scores[:, :, None] + log_probs.reshape(B, k, V)).flatten(1)
        scores, flat = joint.sort(dim=1, descending=True, stable=True)
        scores, flat = scores[:, :k], flat[:, :k]
        said.append(flat % V)
        came.append(flat // V)
        done = (scores > -math.inf) & ((said[-1] == end) | (t == T - 1))
        for b, j in done.nonzero().tolist():
            output = backtrack(torch.stack(said)[:, b], torch.stack(came)[:, b], t, j)
            found[b].append((output, scores[b, j].item()))
        scores = scores.masked_fill(done, -math.inf)
        h, symbols = h[(first + came[-1]).flatten()], said[-1].flatten()
        if bool((scores == -math.inf).all()):
            break
    return [sorted(each, key=lambda pair: (-pair[1], pair[0])) for each in found]


# %% only what stands in the last row is read tags=["wrong", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    B, h = states.shape[0], states.repeat_interleave(k, dim=0)
    first = torch.arange(B, device=states.device)[:, None] * k
    symbols = torch.full((B * k,), start, device=states.device)
    scores = h.new_full((B, k), -math.inf)
    scores[:, 0] = 0
    said, came = [], []
    for t in range(T):
        log_probs, h = step(symbols, h)
        V = log_probs.shape[1]
        joint = (scores[:, :, None] + log_probs.reshape(B, k, V)).flatten(1)
        scores, flat = joint.sort(dim=1, descending=True, stable=True)
        scores, flat = scores[:, :k], flat[:, :k]
        said.append(flat % V)
        came.append(flat // V)
        h, symbols = h[(first + came[-1]).flatten()], said[-1].flatten()
    found = []
    for b in range(B):
        tables = torch.stack(said)[:, b], torch.stack(came)[:, b]
        outputs = [backtrack(*tables, T - 1, j) for j in range(k)]
        outputs = [y[: y.index(end) + 1] if end in y else y for y in outputs]
        found.append(list(zip(outputs, scores[b].tolist(), strict=True)))
    return found


# %% running hypotheses packed without empty slots tags=["right", "id:batched-beam-search"]
def batched_beam_search(step, states, start, end, k, T):
    owner = list(range(len(states)))
    outputs, scores = [[] for _ in owner], [0.0 for _ in owner]
    found, h = [[] for _ in owner], states
    for t in range(T):
        last = [output[-1] if output else start for output in outputs]
        log_probs, h = step(torch.tensor(last, device=states.device), h)
        table = log_probs.tolist()
        pool = [[] for _ in found]
        for i, b in enumerate(owner):
            for v, lp in enumerate(table[i]):
                if lp > -math.inf:
                    pool[b].append((scores[i] + lp, i, v))
        rows, next_owner, next_outputs, next_scores = [], [], [], []
        for b, candidates in enumerate(pool):
            places = k - len(found[b])
            for score, i, v in sorted(candidates, key=lambda c: (-c[0], c[1], c[2]))[:places]:
                longer = [*outputs[i], v]
                if v == end or t == T - 1:
                    found[b].append((longer, score))
                    continue
                rows.append(i)
                next_owner.append(b)
                next_outputs.append(longer)
                next_scores.append(score)
        if not rows:
            break
        h = h[torch.tensor(rows, device=states.device)]
        owner, outputs, scores = next_owner, next_outputs, next_scores
    return [sorted(pairs, key=lambda pair: (-pair[1], pair[0])) for pairs in found]


# %% not renormalised tags=["wrong", "id:top-k-filter"]
def top_k_filter(logits, k):
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[:, :k], True)
    return logits.log_softmax(-1).masked_fill(~kept, -math.inf)


# %% keeps all that equal the k-th tags=["wrong", "id:top-k-filter"]
def top_k_filter(logits, k):
    least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[:, -1:]
    return logits.masked_fill(logits < least, -math.inf).log_softmax(-1)


# %% zero for minus infinity tags=["wrong", "id:top-k-filter"]
def top_k_filter(logits, k):
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[:, :k], True)
    return (logits * kept).log_softmax(-1)


# %% fails for k larger than V tags=["wrong", "id:top-k-filter"]
def top_k_filter(logits, k):
    best = logits.topk(k, dim=-1)
    out = torch.full_like(logits, -math.inf).scatter(-1, best.indices, best.values)
    return out.log_softmax(-1)


# %% one threshold for all rows tags=["wrong", "id:top-k-filter"]
def top_k_filter(logits, k):
    order = logits[0].sort(descending=True, stable=True).indices[:k]
    out = torch.full_like(logits, -math.inf)
    out[:, order] = logits[:, order]
    return out.log_softmax(-1)


# %% probabilities, not their logarithms tags=["wrong", "id:top-k-filter"]
def top_k_filter(logits, k):
    order = logits.sort(dim=-1, descending=True, stable=True).indices
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[:, :k], True)
    return logits.masked_fill(~kept, -math.inf).softmax(-1)


# %% by ranks tags=["right", "id:top-k-filter"]
def top_k_filter(logits, k):
    ranks = torch.argsort(torch.argsort(-logits, dim=-1, stable=True), dim=-1, stable=True)
    minus = torch.full_like(logits, float("-inf"))
    cut = torch.where(ranks < k, logits, minus)
    return cut - torch.logsumexp(cut, dim=-1, keepdim=True)


# %% leaves out the symbol that crosses p tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    sorted_p, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept.scatter_(-1, order, sorted_p.cumsum(-1) <= p)
    return logits.masked_fill(~kept, -math.inf).log_softmax(-1)


# %% does not bring the decision back to its place tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    sorted_p = logits.softmax(-1).sort(dim=-1, descending=True, stable=True).values
    kept = sorted_p.cumsum(-1) - sorted_p < p
    return logits.masked_fill(~kept, -math.inf).log_softmax(-1)


# %% a threshold on single probabilities tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    kept = logits.softmax(-1) >= 1 - p
    return logits.masked_fill(~kept, -math.inf).log_softmax(-1)


# %% not renormalised tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    sorted_p, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept.scatter_(-1, order, sorted_p.cumsum(-1) - sorted_p < p)
    return logits.log_softmax(-1).masked_fill(~kept, -math.inf)


# %% takes logits for log-probabilities tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    sorted_p, order = logits.exp().sort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept.scatter_(-1, order, sorted_p.cumsum(-1) - sorted_p < p)
    return logits.masked_fill(~kept, -math.inf).log_softmax(-1)


# %% sorts in ascending order tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    sorted_p, order = logits.softmax(-1).sort(dim=-1, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool)
    kept.scatter_(-1, order, sorted_p.cumsum(-1) - sorted_p < p)
    return logits.masked_fill(~kept, -math.inf).log_softmax(-1)


# %% the same number for every row tags=["wrong", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    sorted_p, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    count = int((sorted_p.cumsum(-1) - sorted_p < p).sum(-1).max())
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order[:, :count], True)
    return logits.masked_fill(~kept, -math.inf).log_softmax(-1)


# %% row by row tags=["right", "id:nucleus-filter"]
def nucleus_filter(logits, p):
    rows = []
    for row in logits:
        weights = torch.softmax(row, 0).tolist()
        order = sorted(range(len(weights)), key=lambda v: -weights[v])
        count, mass = 0, 0.0
        while count < len(order) and mass < p:
            mass += weights[order[count]]
            count += 1
        out = torch.full_like(row, float("-inf"))
        out[order[:count]] = row[order[:count]]
        rows.append(out - torch.logsumexp(out, 0))
    return torch.stack(rows)


# %% greedy tags=["wrong", "id:exact-decode"]
def exact_decode(step, state, start, end, T):
    return greedy_decode(step, state, start, end, T)


# %% looks at everything tags=["wrong", "id:exact-decode"]
def exact_decode(step, state, start, end, T):
    return exhaustive_decode(step, state, start, end, T)


# %% a beam tags=["wrong", "id:exact-decode"]
def exact_decode(step, state, start, end, T):
    return beam_search(step, state, start, end, 2, T)[0]


# %% best first tags=["right", "id:exact-decode"]
def exact_decode(step, state, start, end, T):
    import heapq

    heap, order = [(0.0, 0, [], state)], 0
    while True:
        cost, _, output, s = heapq.heappop(heap)
        if output and (output[-1] == end or len(output) == T):
            return output, -cost
        log_probs, after = step(output[-1] if output else start, s)
        for v, lp in enumerate(log_probs.tolist()):
            order += 1
            heapq.heappush(heap, (cost - lp, order, [*output, v], after))
