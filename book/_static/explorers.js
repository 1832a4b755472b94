// Draws the explorers, figures that a reader can move, from the numbers that
// `unrolled.explorer.Explorer` put into the page: one function for each kind.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const kinds = {};

  function fill(made, attributes, ...children) {
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const element = (name, attributes = {}, ...children) =>
    fill(document.createElement(name), attributes, ...children);

  function draw(parent, name, attributes = {}, text) {
    const made = fill(document.createElementNS(SVG, name), attributes);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  const write = (svg, x, y, text, anchor = "middle", kind = "") =>
    draw(svg, "text", { x, y, "text-anchor": anchor, class: kind }, text);

  const line = (svg, x1, y1, x2, y2, kind) => draw(svg, "line", { x1, y1, x2, y2, class: kind });
  const box = (svg, x, y, width, height, kind) => draw(svg, "rect", { x, y, width, height, class: kind });
  const canvas = (stage, name) => draw(stage, "svg", { role: "img", "aria-label": name });

  function clear(svg, width, height) {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  // Text keeps its size on a phone, the drawing gives way.
  const room = (stage) => Math.max(300, Math.min(672, stage.clientWidth || 640));

  function keep(stage, show) {
    let width = room(stage);
    show();
    new ResizeObserver(() => {
      if (stage.clientWidth && room(stage) !== width) { width = room(stage); show(); }
    }).observe(stage);
  }

  const label = (bar, text, ...parts) => bar.append(element("label", {}, element("span", {}, text), ...parts));

  // A range input over a list; whoever changes the list calls `fit`.
  function slider(bar, name, values, at, show, changed) {
    const shown = element("span", { class: "explorer-value" });
    const input = element("input", { type: "range", min: 0, max: values.length - 1, step: 1, value: at });
    const tell = () => {
      shown.textContent = show(values[input.value]);
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.fit = (place) => { input.max = values.length - 1; input.value = place; tell(); };
    input.oninput = () => { tell(); changed(values[input.value], Number(input.value)); };
    tell();
    label(bar, name, input, shown);
    return input;
  }

  function choice(bar, name, values, at, changed) {
    const select = element("select");
    select.append(...values.map((value) => new Option(value)));
    select.selectedIndex = at;
    select.onchange = () => changed(select.value, select.selectedIndex);
    label(bar, name, select);
  }

  function field(bar, name, value, changed, more = {}) {
    const input = element("input", { type: "text", value, spellcheck: "false", autocomplete: "off", autocapitalize: "none", ...more });
    input.oninput = () => changed(input.value);
    label(bar, name, input);
  }

  const controls = (stage) => stage.appendChild(element("div", { class: "explorer-bar" }));

  // What a screen reader hears and a test reads.
  function readout(stage) {
    const said = element("output", { class: "explorer-says", "aria-live": "polite" });
    stage.append(said);
    return (text, state) => {
      said.textContent = text;
      stage.parentElement.dataset.state = JSON.stringify(state);
    };
  }

  const power = (n) => `10${[...String(n)].map((c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻").join("")}`;
  const short = (x) => (x === 0 ? "0" : Math.abs(x) >= 0.01 && Math.abs(x) < 1000
    ? String(Number(x.toPrecision(2))) : x.toExponential(1).replace(/e(.*)/, (_, n) => `·${power(Number(n))}`));
  const fixed = (x, digits = 2) => x.toFixed(digits).replace("-", "−");
  const span = (n, make) => Array.from({ length: n }, (_, i) => make(i));
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

  const cell = (svg, x, y, width, height, value) => fill(box(svg, x, y, width, height, value < 0 ? "cell minus" : "cell"),
    { "fill-opacity": Math.min(1, Math.abs(value)) });

  // Chapter 6: what is left of a gradient, by spectral radius and length.
  kinds["gradient-flow"] = (stage, data) => {
    const state = { kind: data.kinds[0], scale: Math.max(0, data.scales.indexOf(1)), lag: data.lags.length >> 1 };
    const bar = controls(stage);
    const svg = canvas(stage, "Norm of the gradient against steps back");
    const say = readout(stage);

    function show() {
      const W = room(stage), H = Math.max(220, 0.47 * W), left = 52, right = 16, top = 14, bottom = 42, low = -14, high = 7;
      const x = (lag) => left + (W - left - right) * (lag - data.lags[0]) / (data.lags.at(-1) - data.lags[0]);
      const y = (v) => top + (H - top - bottom) * (high - Math.min(high, Math.max(low, Math.log10(v || 1e-300)))) / (high - low);
      const curve = (values) => `M${values.map((v, i) => [x(data.lags[i]), y(v)]).join("L")}`;
      clear(svg, W, H);
      for (let p = low; p <= high; p += 7) {
        line(svg, left, y(10 ** p), W - right, y(10 ** p), p ? "grid" : "axis");
        write(svg, left - 8, y(10 ** p) + 4, p ? power(p) : "1", "end");
      }
      for (const lag of data.lags.filter((l) => l % 10 === 0)) write(svg, x(lag), H - bottom + 18, lag);
      write(svg, (left + W - right) / 2, H - 6, "steps back");
      const norms = data.norm[state.kind][state.scale], bounds = data.bound[state.kind][state.scale];
      draw(svg, "path", { d: curve(bounds), class: "second dashed" });
      draw(svg, "path", { d: curve(norms), class: "first" });
      const radius = data.scales[state.scale], lag = data.lags[state.lag];
      line(svg, x(lag), top, x(lag), H - bottom, "grid");
      draw(svg, "circle", { cx: x(lag), cy: y(norms[state.lag]), r: 5, class: "first dot" });
      say(`Scale ${radius}, ${state.kind}: after ${lag} steps back ${short(norms[state.lag])} of the gradient is left; the bound (dashed) is ${short(bounds[state.lag])}.`,
        { ...state, scale: radius, lag });
    }

    choice(bar, "matrix", data.kinds, 0, (kind) => { state.kind = kind; show(); });
    slider(bar, "scale", data.scales, state.scale, String, (_, i) => { state.scale = i; show(); });
    slider(bar, "steps back", data.lags, state.lag, String, (_, i) => { state.lag = i; show(); });
    keep(stage, show);
  };

  // Chapter 10: trees[model][width - 1] lists [parent, word, log-probability, state], parents first.
  kinds["beam-tree"] = (stage, data) => {
    const state = { model: data.models[0], width: 2, alpha: 0, step: 0, node: 0 };
    const bar = controls(stage);
    const svg = canvas(stage, "Search tree");
    svg.setAttribute("role", "tree");
    stage.append(element("p", { class: "explorer-key" }, ...[["first", "● kept"], ["second", "× pruned"],
      ["third", "■ finished"], ["", "━ best finished"]].map(([kind, text]) => element("span", { class: kind }, text))));
    const say = readout(stage);
    let tree, columns, drawn;
    const steps = [];

    function grow() {
      const listed = data.trees[data.models.indexOf(state.model)][state.width - 1];
      tree = listed.map(([parent, word, logp, kind], id) => ({ id, parent, word: word || "start", logp, kind, below: [] }));
      columns = [];
      for (const node of tree) {
        const above = tree[node.parent];
        node.step = above ? above.step + 1 : 0;
        node.score = above ? above.score + node.logp : 0;
        above?.below.push(node);
        (columns[node.step] ??= []).push(node);
      }
      for (const column of columns) {
        column.sort((a, b) => (tree[a.parent]?.place ?? 0) - (tree[b.parent]?.place ?? 0) || b.score - a.score);
        column.forEach((node, i) => { node.place = i; });
      }
      steps.splice(0, steps.length, ...columns.keys());
      replay.fit(state.step = columns.length - 1);
      state.node = 0;
    }

    const rank = (node) => node.score / node.step ** state.alpha;
    const path = (node) => (node && node.step ? [...path(tree[node.parent]), node] : []);
    const text = (node) => path(node).map((n) => n.word).join(" ");
    const visible = (node) => node && node.step <= state.step;
    const winner = () => tree.filter((n) => n.kind === "finished" && visible(n)).sort((a, b) => rank(b) - rank(a))[0];

    function report(node) {
      const best = winner(), now = { ...state, winner: best?.id };
      if (node?.step) say(`${text(node)}: “${node.word}” has log-probability ${fixed(node.logp)}, score ${fixed(node.score)}, divided by ${node.step} to the power α: ${fixed(rank(node))}; ${node.kind}.`,
        { ...now, word: node.word, kind: node.kind, score: node.score });
      else say(best ? `Beam ${state.width}, α = ${state.alpha}: the best finished sentence is “${text(best)}”, score ${fixed(best.score)}, divided by ${best.step} to the power α: ${fixed(rank(best))}.`
        : `Beam ${state.width}, step ${state.step}: nothing is finished yet.`, now);
    }

    function select(node, focus) {
      fill(drawn[state.node], { tabindex: -1, "aria-selected": false });
      fill(drawn[state.node = node.id], { tabindex: 0, "aria-selected": true });
      if (focus) drawn[node.id].focus();
      else report(node);
    }

    function show() {
      const W = room(stage), rows = Math.max(...columns.map((c) => c.length)), pitch = 36, H = rows * pitch + 8;
      const gap = W / columns.length, x = (n) => gap * (n.step + 0.5), best = new Set(path(winner()));
      const y = (n) => H / 2 + pitch * (n.place - (columns[n.step].length - 1) / 2) + 8;
      clear(svg, W, H);
      drawn = {};
      if (!visible(tree[state.node])) state.node = 0;
      for (const n of tree.filter((n) => n.step && visible(n))) {
        const above = tree[n.parent];
        line(svg, x(above), y(above), x(n), y(n), `branch ${n.kind}${best.has(n) ? " best" : ""}`);
      }
      for (const n of tree.filter(visible)) {
        const g = draw(svg, "g", { class: `node ${n.kind}`, role: "treeitem", "aria-level": n.step + 1, "aria-label": `${n.word}, ${n.kind}`,
          "aria-selected": n.id === state.node, tabindex: n.id === state.node ? 0 : -1 });
        const X = x(n), Y = y(n);
        box(g, X - gap / 2 + 1, Y - 25, gap - 2, pitch - 2, "hit");
        if (n.kind === "kept") draw(g, "circle", { cx: X, cy: Y, r: 5 });
        else if (n.kind === "finished") box(g, X - 5, Y - 5, 10, 10, "");
        else draw(g, "path", { d: `M${X - 4} ${Y - 4}l8 8m0 -8l-8 8` });
        write(g, X, Y - 11, gap > 76 && n.step ? `${n.word} ${fixed(n.score, 1)}` : n.word);
        g.onfocus = () => select(n);
        g.onclick = () => select(n, true);
        drawn[n.id] = g;
      }
    }

    svg.onkeydown = (event) => {
      const n = tree[state.node], column = columns[n.step];
      const next = { ArrowLeft: () => tree[n.parent], ArrowRight: () => [...n.below].sort((a, b) => a.place - b.place)[0],
        ArrowUp: () => column[n.place - 1], ArrowDown: () => column[n.place + 1], Home: () => tree[0], End: winner }[event.key];
      if (!next) return;
      event.preventDefault();
      if (visible(next())) select(next(), true);
    };

    const move = () => { show(); report(); };
    choice(bar, "decoder", data.models, 0, (model) => { state.model = model; grow(); move(); });
    slider(bar, "beam width", [1, 2, 3, 4], 1, String, (width) => { state.width = width; grow(); move(); });
    slider(bar, "length penalty α", span(16, (i) => i / 10), 0, (v) => v.toFixed(1), (alpha) => { state.alpha = alpha; move(); });
    const replay = slider(bar, "step", steps, 0, (v) => String(v ?? ""), (step) => { state.step = step; move(); });
    grow();
    keep(stage, show);
    report();
  };

  // Chapter 7: an LSTM reads what you type; W_x has a row for each word, blocks are i, f, c, o.
  kinds.gates = (stage, data) => {
    const H = data.W_h.length, sigmoid = (a) => 1 / (1 + Math.exp(-a)), units = span(H, (u) => `${u + 1}`);
    const state = { unit: data.unit, step: 0 }, words = [];
    const bar = controls(stage), svg = canvas(stage, "Gates at every word"), say = readout(stage);
    let trace, skipped;

    function run(text) {
      const asked = text.toLowerCase().match(/[\p{L}'-]+|[.,]/gu) ?? [];
      skipped = asked.filter((word) => !(word in data.W_x));
      words.splice(0, words.length, ...asked.filter((word) => word in data.W_x).slice(0, 40));
      let h = span(H, () => 0), c = h;
      trace = words.map((word) => {
        const a = data.b.map((bias, j) => bias + data.W_x[word][j] + h.reduce((sum, v, k) => sum + v * data.W_h[k][j], 0));
        const block = (q, squash) => a.slice(q * H, (q + 1) * H).map(squash);
        const i = block(0, sigmoid), f = block(1, sigmoid), fresh = block(2, Math.tanh), o = block(3, sigmoid);
        c = c.map((v, u) => f[u] * v + i[u] * fresh[u]);
        h = c.map((v, u) => o[u] * Math.tanh(v));
        return { f, i, o, "c̃": fresh, c, h, plural: sigmoid(dot(h, data.w) + data.w_0) };
      });
      at.fit(state.step = Math.max(0, words.length - 1));
    }

    const verdict = (t) => (t && words[t] !== "." && words[t - 1] !== "." ? `${Math.round(100 * trace[t].plural)} %` : "–");

    function show() {
      const u = state.unit, columns = ["f", "i", "o", "c̃", "c", "h"];
      const W = room(stage), left = 92, pitch = 24, top = 22, wide = (W - left) / 7, x = (k) => left + wide * k;
      clear(svg, W, top + pitch * words.length + 4);
      [...columns, "plural"].forEach((head, k) => write(svg, x(k + 0.5), 14, head));
      trace.forEach((s, t) => {
        const y = top + pitch * t, row = draw(svg, "g", { class: "reading" });
        box(row, 0.5, y + 0.5, W - 1, pitch - 1, t === state.step ? "chosen" : "hit");
        write(row, 6, y + 16, words[t], "start");
        columns.forEach((q, k) => {
          cell(row, x(k) + 1, y + 2, wide - 2, pitch - 4, s[q][u]);
          write(row, x(k + 0.5), y + 16, fixed(s[q][u], wide > 44 ? 2 : 1));
        });
        write(row, x(6.5), y + 16, verdict(t));
        row.onclick = () => { at.fit(state.step = t); show(); };
      });
      const s = trace[state.step], lost = skipped.length ? ` Unknown: ${skipped.join(", ")}.` : "";
      say((s ? `“${words[state.step]}”: unit ${u + 1} keeps ${Math.round(100 * s.f[u])} % of its memory and writes ${fixed(s.i[u] * s["c̃"][u])}; the memory is ${fixed(s.c[u])}. Plural subject: ${verdict(state.step)}.`
        : `Type a sentence, such as “${data.sentence}”.`) + lost, { ...state, words, skipped, memory: s?.c, plural: s?.plural });
    }

    field(bar, "sentence", data.sentence, (text) => { run(text); show(); }, { class: "wide" });
    choice(bar, "unit", units, state.unit, (_, u) => { state.unit = u; show(); });
    const at = slider(bar, "word", words, 0, (word) => word ?? "", (_, i) => { state.step = i; show(); });
    run(data.sentence);
    keep(stage, show);
  };

  // Chapter 3: neighbours and analogies of word vectors.
  kinds["word-search"] = (stage, data) => {
    const state = { word: data.word, a: data.analogy[0], b: data.analogy[1], c: data.analogy[2], own: false };
    const list = stage.appendChild(element("datalist", { id: "explorer-words" }));
    list.append(...[...data.words].sort().map((value) => element("option", { value })));
    const unit = (v) => v.map((x) => x / Math.hypot(...v));
    const vectors = Object.fromEntries(data.words.map((word, i) => [word, unit(data.vectors[i])]));
    const search = controls(stage), above = canvas(stage, "Nearest neighbours");
    const bar = controls(stage), below = canvas(stage, "Answers"), say = readout(stage);

    const nearest = (v, without, count) => Object.entries(vectors).filter(([word]) => !without.includes(word))
      .map(([word, w]) => ({ word, cosine: dot(unit(v), w) })).sort((p, q) => q.cosine - p.cosine).slice(0, count);

    function bars(svg, found) {
      const W = room(stage), left = 110, pitch = 24;
      clear(svg, W, pitch * found.length + 4);
      found.forEach(({ word, cosine }, i) => {
        const length = Math.max(1, (W - left - 50) * cosine);
        write(svg, left - 8, pitch * i + 17, word, "end");
        box(svg, left, pitch * i + 4, length, pitch - 7, i ? "bar" : "bar top");
        write(svg, left + length + 6, pitch * i + 17, fixed(cosine), "start");
      });
    }

    function show() {
      const { word, a, b, c, own } = state, unknown = [word, a, b, c].filter((w) => !(w in vectors));
      const near = word in vectors ? nearest(vectors[word], [word], 8) : [];
      const sum = [a, b, c].every((w) => w in vectors) ? vectors[b].map((x, i) => x - vectors[a][i] + vectors[c][i]) : null;
      const answers = sum ? nearest(sum, own ? [] : [a, b, c], 5) : [];
      bars(above, near);
      bars(below, answers);
      say([near.length && `Nearest to ${word}: ${near.slice(0, 3).map((n) => `${n.word} ${fixed(n.cosine)}`).join(", ")}.`,
        answers.length && `${a} is to ${b} as ${c} is to ${answers[0].word} (${fixed(answers[0].cosine)}).`,
        unknown.length && `Unknown: ${unknown.join(", ")}.`].filter(Boolean).join(" "),
      { ...state, near, answers });
    }

    const ask = (where, name, key) => field(where, name, state[key], (text) => { state[key] = text.trim().toLowerCase(); show(); }, { list: list.id });
    ask(search, "neighbours of", "word");
    ask(bar, "if", "a");
    ask(bar, "is to", "b");
    ask(bar, "then to what is", "c");
    choice(bar, "the question's words", ["do not count", "may be answers"], 0, (_, i) => { state.own = i === 1; show(); });
    keep(stage, show);
  };

  // Chapter 5: forward, then backward through time, one node a move.
  kinds.unroll = (stage, data) => {
    const H = data.W_hh.length, T = data.loss.length, moves = [], grid = (make) => span(H, () => span(H, make));
    const state = { steps: 4, move: 0 };
    const bar = controls(stage), svg = canvas(stage, "The network unrolled"), say = readout(stage);
    let back; // by step: gradients at h and z, and the term that is added to dW

    function unroll() {
      const n = state.steps;
      back = [];
      for (let t = n; t >= 1; t--) {
        const later = t < n ? data.W_hh.map((row) => dot(row, back[t + 1].z)) : span(H, () => 0);
        const h = later.map((v, i) => v + data.own[t - 1][i]);
        const z = h.map((v, i) => v * (1 - data.h[t][i] ** 2));
        back[t] = { later, h, z, term: data.h[t - 1].map((a) => z.map((b) => a * b)) };
      }
      moves.splice(0, moves.length, { kind: "start", t: 0 }, ...span(n, (i) => [{ kind: "state", t: i + 1 }, { kind: "loss", t: i + 1 }]).flat(),
        ...span(n, (i) => [{ kind: "back", t: n - i }, { kind: "term", t: n - i }]).flat());
      at.fit(state.move = Math.min(state.move, moves.length - 1));
    }

    function strip(x, y, values, kind) {
      values.forEach((v, i) => cell(svg, x - 17.5 + 35 / H * i, y, 35 / H, 12, v));
      box(svg, x - 18.5, y - 1, 37, 14, `frame ${kind}`);
    }

    function matrix(x, y, values, scale, name) {
      const size = 16;
      values.forEach((row, i) => row.forEach((v, j) => cell(svg, x + size * j, y + size * i, size, size, v / scale)));
      box(svg, x - 1, y - 1, size * H + 2, size * H + 2, "frame");
      write(svg, x + size * H / 2, y + size * H + 17, name);
    }

    function show() {
      const n = state.steps, { kind, t } = moves[state.move], past = moves.slice(0, state.move + 1);
      const done = (kind, t) => past.some((m) => m.kind === kind && m.t === t);
      const W = room(stage), x = (t) => 22 + (W - 44) / 7 * t, up = 34, mid = 84, low = 102, end = 164;
      clear(svg, W, 206 + 16 * H);
      ["next", "loss", "reads"].forEach((name, i) => write(svg, x(0), [16, up, end][i], name));
      strip(x(0), mid, data.h[0], kind === "start" ? "lit" : "");
      for (let s = 1; s <= n; s++) {
        const way = (...ways) => `branch ${ways.find(([name, at]) => done(name, at))?.[2] ?? "pruned"}`, lit = (...names) => (s === t && names.includes(kind) ? "lit" : "");
        line(svg, x(s - 1) + 19, mid + 6, x(s) - 19, mid + 6, way(["state", s, "kept"]));
        line(svg, x(s), end - 14, x(s), low + 14, way(["state", s, "kept"]));
        line(svg, x(s), mid - 2, x(s), up + 6, way(["back", s, "finished"], ["loss", s, "kept"]));
        write(svg, x(s), end, data.inputs[s - 1], "middle", lit("state"));
        write(svg, x(s), up, done("loss", s) ? fixed(data.loss[s - 1]) : "·", "middle", lit("loss"));
        write(svg, x(s), up - 18, data.targets[s - 1], "middle", lit("loss"));
        strip(x(s), mid, done("state", s) ? data.h[s] : [], lit("state"));
        if (!done("back", s)) continue;
        line(svg, x(s - 1) + 19, low + 6, x(s) - 19, low + 6, way(["back", s - 1, "finished"]));
        strip(x(s), low, back[s].h, `back ${lit("back", "term")}`);
      }
      const sum = grid(() => 0);
      for (const m of past) if (m.kind === "term") sum.forEach((row, i) => row.forEach((_, j) => { row[j] += back[m.t].term[i][j]; }));
      const last = kind === "term" ? back[t].term : grid(() => 0), scale = Math.max(1e-9, ...[...sum, ...last].flat().map(Math.abs));
      matrix(W / 2 - 110, 182, last, scale, "this term");
      write(svg, W / 2, 187 + 8 * H, "→");
      matrix(W / 2 + 30, 182, sum, scale, "sum so far");
      const vector = (v) => `(${v.map((a) => fixed(a)).join(", ")})`, norm = (m) => fixed(Math.hypot(...m.flat()));
      say({
        start: () => `${n} steps. The state h₀ is given: ${vector(data.h[0])}.`,
        state: () => `Forward, step ${t}: reads “${data.inputs[t - 1]}”, the state h${t} is ${vector(data.h[t])}.`,
        loss: () => `Forward, step ${t}: “${data.targets[t - 1]}” follows, the loss is ${fixed(data.loss[t - 1])}.`,
        back: () => `Backward, step ${t}: the gradient at h${t}, from its own loss${t < n ? ` and from step ${t + 1}` : ""}, is ${vector(back[t].h)}.`,
        term: () => `Backward, step ${t}: adds h${t - 1}ᵀ z̄${t}, norm ${norm(last)}, to the gradient of W_hh; the sum has norm ${norm(sum)}.`,
      }[kind](), { ...state, kind, t, h: data.h[t], gradient: done("back", t) ? back[t].h : null, sum });
    }

    slider(bar, "steps", span(T, (i) => i + 1), state.steps - 1, String, (steps) => { state.steps = steps; unroll(); show(); });
    const at = slider(bar, "move", moves, 0, (m) => (m ? `${moves.indexOf(m)} of ${moves.length - 1}` : ""), (_, i) => { state.move = i; show(); });
    unroll();
    keep(stage, show);
  };

  function start(root) {
    const make = kinds[root.dataset.explorer];
    if (!make) return;
    const numbers = JSON.parse(root.querySelector("script[type='application/json']").textContent);
    const stage = element("div", { class: "explorer-stage", role: "group" });
    stage.setAttribute("aria-label", root.querySelector("img").alt);
    root.append(stage);
    try {
      make(stage, numbers);
      root.classList.add("explorer-live"); // the style sheet hides the picture
    } catch (error) {
      stage.remove(); // the picture stays
      console.error(error);
    }
  }

  const all = () => document.querySelectorAll(".explorer").forEach(start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", all);
  else all();
})();
