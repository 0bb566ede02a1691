// What the theme leaves without a name or with a role that has no parts, for those who listen to a page.
addEventListener("DOMContentLoaded", () => {
  for (const summary of document.querySelectorAll("summary")) {
    if (!summary.innerText.trim()) summary.setAttribute("aria-label", "Pages below");
  }
  for (const list of document.querySelectorAll("div.citation-list[role=list]")) list.removeAttribute("role");
});
