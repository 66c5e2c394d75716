// What a page does without a full reload. Every page works without this script.
"use strict";

document.documentElement.classList.add("scripted");

// A choice that is sent as soon as it is made.
for (const choice of document.querySelectorAll("[data-submit]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

// A part that the server sends whenever it changes, while somebody looks at it. Where no stream can be had, it is
// fetched again every few seconds. Where neither comes through, the page says so.
for (const part of document.querySelectorAll("[data-refresh]")) {
  const pause = 1000 * Number(part.dataset.every || 3);
  const stalled = part.parentElement.querySelector("[data-stalled]");
  let stream = null;
  let polls = !part.dataset.stream || !window.EventSource;
  let heard = Date.now();
  const show = (text) => {
    heard = Date.now();
    const shown = text.trimEnd();
    if (shown !== part.dataset.shown) {
      part.innerHTML = shown;
      part.dataset.shown = shown;
    }
  };
  const listen = () => {
    if (polls || stream || document.hidden) return;
    stream = new EventSource(part.dataset.stream);
    stream.addEventListener("message", (event) => show(event.data));
    stream.addEventListener("open", () => { heard = Date.now(); });
    stream.addEventListener("error", () => {
      if (stream?.readyState !== EventSource.CLOSED) return; // it connects again by itself
      stream = null;
      polls = true;
    });
  };
  const fetchPart = async () => {
    try {
      const answer = await fetch(part.dataset.refresh, { headers: { Accept: "text/html" }, redirect: "error" });
      if (answer.ok) show(await answer.text());
    } catch {
      // the next round tries again
    }
  };
  const round = async () => {
    if (!document.hidden) {
      if (polls) await fetchPart();
      const isOpen = stream?.readyState === EventSource.OPEN;
      if (stalled) stalled.hidden = isOpen || Date.now() - heard < 5 * pause;
    }
    window.setTimeout(round, pause);
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else {
      heard = Date.now();
      listen();
    }
  });
  listen();
  window.setTimeout(round, pause);
}

// One more row of a form: the first hidden one is shown.
for (const button of document.querySelectorAll("[data-more]")) {
  button.hidden = !document.querySelector(`${button.dataset.more} > .spare`);
  button.addEventListener("click", () => {
    const next = document.querySelector(`${button.dataset.more} > .spare`);
    if (!next) return;
    next.classList.remove("spare");
    next.querySelector("input")?.focus();
    if (!document.querySelector(`${button.dataset.more} > .spare`)) button.hidden = true;
  });
}

// One box that ticks all others of its table, and how many are ticked.
for (const all of document.querySelectorAll("[data-all]")) {
  const boxes = [...document.querySelectorAll(all.dataset.all)];
  const counter = document.querySelector("[data-count]");
  const count = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    if (counter) counter.textContent = String(ticked);
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  };
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    count();
  });
  for (const box of boxes) box.addEventListener("change", count);
  count();
}

// Keys in a list of requests: j and k move, x ticks, Enter opens (as for any link), / goes to the search.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select")) {
    if (!(event.target.type === "checkbox" && "jkx/".includes(event.key))) return;
  }
  if (event.key === "/") {
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
    return;
  }
  const rows = [...document.querySelectorAll("[data-rows] > *")];
  if (!rows.length || !"jkx".includes(event.key)) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  if (event.key === "x") {
    rows[at]?.querySelector("input[type=checkbox]")?.click();
    return;
  }
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + (event.key === "j" ? 1 : -1)))];
  next.querySelector("a.id")?.focus();
});
