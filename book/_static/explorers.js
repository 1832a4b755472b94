// Explorers: figures that a reader can move. `unrolled.explorer.Explorer` writes the numbers into
// the page; the functions below draw them. One function for each kind; everything else is shared.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const kinds = {};

  // ---- shared: elements, controls, axes -------------------------------------------------------

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function draw(parent, name, attributes = {}, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function canvas(stage, width, height, name) {
    const svg = draw(stage, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
    return svg;
  }

  // The width to draw for: text keeps its size on a phone, the drawing gives way.
  const room = (stage) => Math.max(320, Math.min(640, stage.clientWidth || 640));

  // A labelled range input over a list of values; arrow keys and touch come with the input.
  function slider(bar, label, values, at, show, changed) {
    const shown = element("span", { class: "explorer-value" }, show(values[at]));
    const input = element("input", { type: "range", min: 0, max: values.length - 1, step: 1, value: at });
    input.setAttribute("aria-valuetext", show(values[at]));
    input.addEventListener("input", () => {
      const value = values[Number(input.value)];
      shown.textContent = show(value);
      input.setAttribute("aria-valuetext", show(value));
      changed(value, Number(input.value));
    });
    bar.append(element("label", {}, element("span", {}, label), input, shown));
    return input;
  }

  function choice(bar, label, values, at, changed) {
    const select = element("select");
    values.forEach((value, i) => select.append(element("option", i === at ? { selected: "" } : {}, value)));
    select.addEventListener("change", () => changed(values[select.selectedIndex], select.selectedIndex));
    bar.append(element("label", {}, element("span", {}, label), select));
    return select;
  }

  // What a screen reader hears and a test reads after every move.
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
    ? String(Number(x.toPrecision(2))) : (([a, b]) => `${a}·${power(Number(b))}`)(x.toExponential(1).split("e")));

  // ---- gradient flow: what is left of a gradient, by spectral radius and length (chapter 6) ----

  kinds["gradient-flow"] = (stage, data) => {
    const state = { kind: data.kinds[0], scale: data.scales.indexOf(1), lag: Math.floor(data.lags.length / 2) };
    if (state.scale < 0) state.scale = Math.floor(data.scales.length / 2);
    const bar = element("div", { class: "explorer-bar" });
    stage.append(bar);
    const W = room(stage), H = Math.max(220, 0.47 * W), left = 52, right = 16, top = 14, bottom = 42, low = -14, high = 7;
    const svg = canvas(stage, W, H, "Norm of the gradient against how many steps it was sent back");
    const say = readout(stage);
    const x = (lag) => left + (W - left - right) * (lag - data.lags[0]) / (data.lags.at(-1) - data.lags[0]);
    const y = (v) => top + (H - top - bottom) * (high - Math.min(high, Math.max(low, Math.log10(v || 1e-300)))) / (high - low);
    const line = (values) => values.map((v, i) => `${i ? "L" : "M"}${x(data.lags[i]).toFixed(1)} ${y(v).toFixed(1)}`).join("");

    function show() {
      svg.replaceChildren();
      for (let p = low; p <= high; p += 7) {
        draw(svg, "line", { x1: left, x2: W - right, y1: y(10 ** p), y2: y(10 ** p), class: p ? "grid" : "axis" });
        draw(svg, "text", { x: left - 8, y: y(10 ** p) + 4, "text-anchor": "end" }, p ? power(p) : "1");
      }
      for (const lag of data.lags.filter((l) => l % 10 === 0))
        draw(svg, "text", { x: x(lag), y: H - bottom + 18, "text-anchor": "middle" }, lag);
      draw(svg, "text", { x: (left + W - right) / 2, y: H - 6, "text-anchor": "middle" }, "steps back");
      const norms = data.norm[state.kind][state.scale], bounds = data.bound[state.kind][state.scale];
      draw(svg, "path", { d: line(bounds), class: "second dashed" });
      draw(svg, "path", { d: line(norms), class: "first" });
      draw(svg, "line", { x1: x(data.lags[state.lag]), x2: x(data.lags[state.lag]), y1: top, y2: H - bottom, class: "grid" });
      draw(svg, "circle", { cx: x(data.lags[state.lag]), cy: y(norms[state.lag]), r: 5, class: "first dot" });
      const radius = data.scales[state.scale], lag = data.lags[state.lag];
      say(`Scale ${radius}, ${state.kind}: after ${lag} steps back ${short(norms[state.lag])} of the gradient is left; the bound (dashed) is ${short(bounds[state.lag])}.`,
        { ...state, scale: radius, lag });
    }

    choice(bar, "matrix", data.kinds, 0, (kind) => { state.kind = kind; show(); });
    slider(bar, "scale", data.scales, state.scale, String, (_, i) => { state.scale = i; show(); });
    slider(bar, "steps back", data.lags, state.lag, String, (_, i) => { state.lag = i; show(); });
    show();
  };

  // ---- start: every explorer of the page whose numbers can be drawn ----------------------------

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
