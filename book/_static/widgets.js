"use strict";
// What the book's widgets share. A widget is a <figure class="widget" data-widget="name"> with a picture, which is what a
// page without scripts shows, and the data that the chapter computed, as JSON (brainbook.plots.widgets). A script
// widget_<name>.js puts a function into brainbook.widgets that makes its sliders and returns how to draw.
const brainbook = { widgets: {}, sliders: 0 };

brainbook.svg = (parent, tag, attributes = {}, text = "") => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
};

brainbook.html = (parent, tag, attributes = {}, text = "") => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return parent.appendChild(element);
};

// A labelled slider; `say` turns its value into what is shown beside it and read aloud. Returns a function: its value.
brainbook.slider = (parent, label, { min, max, step = 1, value }, say, changed) => {
  const id = `widget-slider-${(brainbook.sliders += 1)}`;
  const row = brainbook.html(parent, "div", { class: "widget-slider" });
  brainbook.html(row, "label", { for: id }, label);
  const input = brainbook.html(row, "input", { type: "range", id, min, max, step, value });
  const output = brainbook.html(row, "output", { for: id });
  const show = () => {
    output.textContent = say(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    show();
    changed();
  });
  show();
  return () => Number(input.value);
};

brainbook.start = (figure) => {
  const data = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  const controls = brainbook.html(figure, "div", { class: "widget-controls" });
  const drawing = brainbook.html(figure, "div", { class: "widget-drawing" });
  const text = brainbook.html(figure, "p", { class: "widget-text", "aria-live": "polite" });
  let draw = () => {};
  const redraw = () => {
    drawing.replaceChildren();
    text.textContent = draw(drawing, Math.max(240, drawing.clientWidth));
  };
  const slider = (label, range, say = String) => brainbook.slider(controls, label, range, say, redraw);
  draw = brainbook.widgets[figure.dataset.widget](data, slider);
  figure.querySelector(".widget-picture").hidden = true;
  let width = 0;
  new ResizeObserver(() => {
    if (drawing.clientWidth !== width) {
      width = drawing.clientWidth;
      redraw();
    }
  }).observe(drawing);
};

addEventListener("DOMContentLoaded", () => {
  for (const figure of document.querySelectorAll("figure.widget")) {
    if (brainbook.widgets[figure.dataset.widget]) brainbook.start(figure);
  }
});
