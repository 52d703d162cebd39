"use strict";
// What is folded away is printed all the same, but for logs, which the style leaves out.
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open], .log)")) {
    each.open = true;
    each.dataset.opened = "";
  }
});
addEventListener("afterprint", () => {
  for (const each of document.querySelectorAll("details[data-opened]")) {
    each.open = false;
    delete each.dataset.opened;
  }
});
for (const search of document.querySelectorAll("input[type=search]")) {
  const rows = [...document.getElementById(search.dataset.filters).tBodies[0].rows];
  const count = document.getElementById(search.dataset.count);
  search.closest("[hidden]").hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });
}
