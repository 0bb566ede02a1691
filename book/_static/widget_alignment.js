"use strict";
// Words between their scans: above, the scan that variable-length alignment gives a word to; below, fixed-length
// alignment's, for as many words per scan as the slider says. Distances: from a word's onset to the middle of its scan.
brainbook.widgets.alignment = (data, slider) => {
  const { words, onsets, tr } = data;
  const perScan = slider("Words per scan (FLA)", { min: 1, max: 12, value: data.words_per_scan });
  const start = slider("First scan shown", { min: 0, max: Math.max(0, data.n_scans - 3), value: data.first_scan });

  // [scan of each word (null: no scan is left), distance in s] under an alignment
  const place = (scans) => scans.map((scan, k) => (scan < data.n_scans ? [scan, (scan + 0.5) * tr - onsets[k]] : [null, 0]));
  const describe = (placed) => {
    const off = placed.filter(([scan]) => scan !== null).map(([, distance]) => Math.abs(distance)).sort((a, b) => a - b);
    const middle = off.length / 2;
    const median = (off[Math.ceil(middle) - 1] + off[Math.floor(middle)]) / 2;
    const percent = (count) => `${Math.round((100 * count) / words.length)}%`;
    const far = off.filter((distance) => distance > tr).length;
    return { median, worst: off[off.length - 1], far: percent(far), unplaced: percent(words.length - off.length) };
  };

  return (drawing, width) => {
    const n = Math.min(data.n_scans, 8, Math.max(3, Math.floor(width / 96)));
    const first = Math.min(start(), data.n_scans - n);
    const alignments = {
      VLA: place(onsets.map((onset) => Math.floor(onset / tr))),
      FLA: place(onsets.map((_, k) => Math.floor(k / perScan()))),
    };
    const [vla, fla] = [describe(alignments.VLA), describe(alignments.FLA)];
    const text =
      `FLA with ${perScan()} words per scan: the median word of this section lies ${fla.median.toFixed(1)} s from where ` +
      `it was heard, the worst ${fla.worst.toFixed(1)} s; ${fla.far} of the words lie more than one scan away, ` +
      `${fla.unplaced} get no scan. VLA: median ${vla.median.toFixed(1)} s, worst ${vla.worst.toFixed(1)} s.`;
    const svg = brainbook.svg(drawing, "svg", { viewBox: `0 0 ${width} 330`, role: "img", "aria-label": text });
    const x = (seconds) => ((seconds / tr - first) * width) / n;
    const rows = { VLA: { box: 22, from: 92, to: 50 }, FLA: { box: 268, from: 184, to: 266 } };
    for (let scan = first; scan < first + n; scan += 1) {
      for (const { box } of Object.values(rows)) {
        brainbook.svg(svg, "rect", { x: x(scan * tr) + 1, y: box, width: width / n - 2, height: 26, class: "box" });
        brainbook.svg(svg, "text", { x: x((scan + 0.5) * tr), y: box + 17, class: "middle" }, `scan ${scan}`);
      }
      brainbook.svg(svg, "text", { x: x((scan + 0.5) * tr), y: 324, class: "middle" }, `${(scan + 0.5) * tr} s`);
    }
    brainbook.svg(svg, "text", { x: 2, y: 14, class: "title" }, "VLA: the scan during which a word began");
    brainbook.svg(svg, "text", { x: 2, y: 309, class: "title" }, `FLA: ${perScan()} words to every scan`);
    words.forEach((word, k) => {
      const at = x(onsets[k]);
      if (at < 0 || at >= width) return;
      brainbook.svg(svg, "text", { transform: `translate(${Math.max(11, at + 4)},180) rotate(-90)`, class: "word" }, word);
      for (const [name, { from, to }] of Object.entries(rows)) {
        const [scan, distance] = alignments[name][k];
        const style = `link ${Math.abs(distance) > tr ? "far" : "near"}`;
        if (scan === null) {
          brainbook.svg(svg, "text", { x: at, y: from + 14, class: "middle far" }, "×");
          continue;
        }
        const end = x((scan + 0.5) * tr);
        const shown = Math.min(width - 5, Math.max(5, end));
        brainbook.svg(svg, "line", { x1: at, y1: from, x2: shown, y2: to, class: style });
        const tip = shown === end ? "●" : end < shown ? "◀" : "▶";
        brainbook.svg(svg, "text", { x: shown, y: to + 4, class: `middle tip ${style}` }, tip);
      }
    });
    return text;
  };
};
