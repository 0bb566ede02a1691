"use strict";
// Ridge regression in the page: counts of words, moved later by one delay, predict a recording to which noise is added.
// Columns are standardised by the training scans; a scan whose delay looks back beyond its run has unknown columns, which
// get the training mean (0), as SimpleImputer and StandardScaler do in the chapter.
brainbook.widgets.first_model = (data, slider) => {
  const { tr, runs, words, n_words: k, training, shown } = data;
  const n = runs.length;
  const penalty = slider("Penalty", { min: -1, max: 6, step: 0.5, value: Math.log10(data.penalty) }, (e) =>
    (10 ** e).toLocaleString("en", { maximumSignificantDigits: 2 }));
  const delay = slider("Delay", { min: 0, max: data.most_delay, value: data.delay }, (d) => `${d * tr} s`);
  const noise = slider("Added noise", { min: 0, max: 3, step: 0.25, value: 0 }, (s) => `${s} SD`);
  const isTraining = runs.map((run) => training.includes(run));
  const nTraining = isTraining.filter(Boolean).length;
  let design = null; // of the delay at which it was made

  const makeDesign = (scans) => {
    const X = new Float64Array(n * k);
    const known = runs.map((run, t) => t >= scans && runs[t - scans] === run);
    known.forEach((is, t) => is && words[t - scans].forEach((column) => (X[t * k + column] += 1)));
    const [mean, variance, gram] = [new Float64Array(k), new Float64Array(k), new Float64Array(k * k)];
    const rows = runs.map((_, t) => t).filter((t) => isTraining[t] && known[t]);
    for (const t of rows) for (let j = 0; j < k; j += 1) mean[j] += X[t * k + j] / rows.length;
    for (const t of rows) for (let j = 0; j < k; j += 1) variance[j] += (X[t * k + j] - mean[j]) ** 2 / nTraining;
    for (let t = 0; t < n; t += 1) {
      for (let j = 0; j < k; j += 1) {
        X[t * k + j] = known[t] ? (X[t * k + j] - mean[j]) / (Math.sqrt(variance[j]) || 1) : 0;
      }
    }
    for (const t of rows) {
      for (let i = 0; i < k; i += 1) {
        const value = X[t * k + i];
        for (let j = 0; j <= i; j += 1) gram[i * k + j] += value * X[t * k + j];
      }
    }
    return { scans, X, gram };
  };

  // Solve (gram + alpha I) w = b by Cholesky's decomposition.
  const solve = (gram, alpha, b) => {
    const L = Float64Array.from(gram);
    const w = Float64Array.from(b);
    for (let i = 0; i < k; i += 1) {
      L[i * k + i] += alpha;
      for (let j = 0; j <= i; j += 1) {
        let sum = L[i * k + j];
        for (let m = 0; m < j; m += 1) sum -= L[i * k + m] * L[j * k + m];
        L[i * k + j] = i === j ? Math.sqrt(sum) : sum / L[j * k + j];
      }
    }
    for (let i = 0; i < k; i += 1) {
      for (let m = 0; m < i; m += 1) w[i] -= L[i * k + m] * w[m];
      w[i] /= L[i * k + i];
    }
    for (let i = k - 1; i >= 0; i -= 1) {
      for (let m = i + 1; m < k; m += 1) w[i] -= L[m * k + i] * w[m];
      w[i] /= L[i * k + i];
    }
    return w;
  };

  const moments = (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)];
  };
  const correlation = (a, b) => {
    const [[meanA, sdA], [meanB, sdB]] = [moments(a), moments(b)];
    if (!sdA || !sdB) return NaN;
    return a.reduce((sum, value, t) => sum + (value - meanA) * (b[t] - meanB), 0) / (a.length * sdA * sdB);
  };

  const fit = () => {
    if (!design || design.scans !== delay()) design = makeDesign(delay());
    const sd = moments(data.response)[1];
    const y = data.response.map((value, t) => value + noise() * sd * data.noise[t]);
    const mean = moments(y.filter((_, t) => isTraining[t]))[0];
    const b = new Float64Array(k);
    for (let t = 0; t < n; t += 1) {
      if (isTraining[t]) for (let j = 0; j < k; j += 1) b[j] += design.X[t * k + j] * (y[t] - mean);
    }
    const w = solve(design.gram, 10 ** penalty(), b);
    const predicted = y.map((_, t) => mean + w.reduce((sum, value, j) => sum + value * design.X[t * k + j], 0));
    const score = (which) => correlation(predicted.filter((_, t) => which(t)), y.filter((_, t) => which(t)));
    return { y, predicted, inside: score((t) => isTraining[t]), outside: score((t) => !isTraining[t]) };
  };

  return (drawing, width) => {
    const { y, predicted, inside, outside } = fit();
    const r = (value) => (Number.isFinite(value) ? value.toFixed(2) : "undefined (the prediction is flat)");
    const text =
      `r = ${r(inside)} on the ${nTraining} training scans (${training.length} runs), ` +
      `r = ${r(outside)} on the ${n - nTraining} held-out scans of all other runs.`;
    const rows = runs.map((_, t) => t).filter((t) => runs[t] === shown);
    const [mean, sd] = moments(rows.map((t) => y[t]));
    const svg = brainbook.svg(drawing, "svg", { viewBox: `0 0 ${width} 240`, role: "img", "aria-label": text });
    const x = (place) => 30 + ((place + 0.5) * (width - 34)) / rows.length;
    const yOf = (z) => 120 - 30 * Math.max(-3.3, Math.min(3.3, z));
    for (const z of [-2, 0, 2]) {
      brainbook.svg(svg, "line", { x1: 30, x2: width, y1: yOf(z), y2: yOf(z), class: "grid" });
      brainbook.svg(svg, "text", { x: 24, y: yOf(z) + 4, class: "end" }, String(z).replace("-", "−"));
    }
    for (const [name, values] of Object.entries({ recorded: y, predicted })) {
      const points = rows.map((t, place) => `${x(place).toFixed(1)},${yOf((values[t] - mean) / sd).toFixed(1)}`);
      brainbook.svg(svg, "polyline", { points: points.join(" "), class: name });
    }
    brainbook.svg(svg, "text", { x: 32, y: 12, class: "title recorded" }, `recorded (held-out run ${shown}, z)`);
    brainbook.svg(svg, "text", { x: width - 4, y: 12, class: "title end predicted" }, "predicted");
    brainbook.svg(svg, "text", { x: 30, y: 234 }, "0 s");
    brainbook.svg(svg, "text", { x: width - 4, y: 234, class: "end" }, `${rows.length * tr} s`);
    return text;
  };
};
