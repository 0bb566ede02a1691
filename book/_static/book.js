// What the theme leaves without a name or with a role that has no parts, for those who listen to a page.
addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll("summary")) {
    if (!summary.innerText.trim()) summary.setAttribute("aria-label", "Pages below");
  }
  for (const list of document.querySelectorAll("div.citation-list[role=list]")) list.removeAttribute("role");
});

// One switch shows or hides all code of all chapters; the browser remembers it.
addEventListener("DOMContentLoaded", () => {
  const place = document.querySelector(".article-header-buttons");
  if (!place || !document.querySelector("div.cell_input")) return;
  const button = document.createElement("button");
  button.className = "btn btn-sm code-switch";
  button.type = "button";
  const show = (shown) => {
    document.documentElement.classList.toggle("no-code", !shown);
    button.textContent = shown ? "Hide code" : "Show code";
  };
  let shown = true;
  try {
    shown = localStorage.getItem("brainbook-code") !== "hidden";
  } catch {} // a browser that stores nothing
  show(shown);
  button.addEventListener("click", () => {
    shown = !shown;
    show(shown);
    try {
      localStorage.setItem("brainbook-code", shown ? "shown" : "hidden");
    } catch {}
  });
  place.prepend(button);
});
