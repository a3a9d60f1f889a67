"use strict";

// The sign-in says which time zone this browser is in: all times are written there.
for (const field of document.querySelectorAll("[data-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// Relative times stay true while the page is open, as `times.py` writes them; by the server's clock, as this one may be
// wrong. A page says at its foot when that made it.
let ahead = 0;
function setClock(page) {
  const made = page.querySelector("#as-of time");
  if (made) ahead = Date.parse(made.dateTime) - Date.now();
}
setClock(document);
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];
function roughly(seconds) {
  const found = UNITS.find(([unit]) => seconds >= unit);
  return found ? `${Math.round(seconds / found[0])} ${found[1]}` : "now";
}
function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const gone = (Date.now() + ahead - Date.parse(time.dateTime)) / 1000;
    const said = roughly(Math.abs(gone));
    time.textContent = said === "now" ? said : gone >= 0 ? `${said} ago` : `in ${said}`;
  }
}
setInterval(tick, 10_000);

// A form whose link works once isn't sent twice by a second touch: the answer to the first one has the session.
for (const form of document.querySelectorAll("form[data-once]")) {
  let isSent = false;
  form.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault();
    isSent = true;
  });
  addEventListener("pageshow", () => { isSent = false; });
}

// On a phone the bar of pages is wider than the screen: the page that is open stands in its middle.
const here = document.querySelector(".top nav [aria-current]");
if (here) {
  const bar = here.closest("nav");
  bar.scrollLeft = here.offsetLeft - bar.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
}

// What was done is said once: a page that is loaded again hours later shows how it stands then.
if (document.querySelector(".notice[role=status]")) {
  const here = new URL(location.href);
  here.searchParams.delete("said");
  history.replaceState(null, "", here);
}
