"use strict";
// Sums of mean latents, decoded beforehand: a sprite has a row for each sum and a column for each way of decoding.
brainbook.widgets.number_sense = (data, slider) => {
  const [a, b, c] = ["a", "b", "c"].map((name, place) => slider(name, { min: 1, max: 9, value: data.start[place] }));
  const row = new Map(data.sums.map((sum, place) => [sum.join(), place]));
  const sprite = new Image();
  const tile = (parent, label, column, line) => {
    const box = brainbook.html(parent, "span", { class: "widget-tile" });
    const canvas = brainbook.html(box, "canvas", { width: data.size, height: data.size, role: "img", "aria-label": label });
    const paint = () => canvas.getContext("2d").drawImage(
      sprite, column * data.size, line * data.size, data.size, data.size, 0, 0, data.size, data.size);
    if (line !== undefined) sprite.complete ? paint() : sprite.addEventListener("load", paint, { once: true });
    brainbook.html(box, "span", {}, label);
  };
  sprite.src = data.sprite;

  return (drawing) => {
    const [n, m, k] = [a(), b(), c()];
    const answer = n + m - k;
    const line = row.get([Math.min(n, m), Math.max(n, m), k].join());
    const strip = brainbook.html(drawing, "div", { class: "widget-strip" });
    [n, m, k].forEach((number, place) => {
      tile(strip, String(number), 0, data.sums.length + number - 1);
      brainbook.html(strip, "span", { class: "widget-sign" }, ["+", "−", "="][place]);
    });
    data.decoded.forEach((name, column) => tile(strip, `decoded: ${name}`, column, line));
    const sum = `${n} + ${m} − ${k} = ${answer}`;
    if (line === undefined) return `${sum}: no image has that number, and nothing was decoded.`;
    const nearest = data.nearest[line];
    const identity = n === k || m === k ? " An identity: it is right in any latent space." : "";
    const verdict = nearest === answer ? "as it should be" : "a wrong answer";
    return `${sum}. Nearest to this sum of latents is the class mean of ${nearest}, ${verdict}.${identity}`;
  };
};
