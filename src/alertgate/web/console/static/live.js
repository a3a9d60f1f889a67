"use strict";

// Keeps an open page true. The server says what has changed (/live); the page then fetches itself, and takes over its
// live parts: elements with an id and data-live="topics". Inside them an element with an id stays the same element, so
// that focus, open details, half-filled fields and scrolled boxes stay as they are.

// A page without such parts, as one that asks something, stays as it was loaded, and says so.

const SILENT_FOR = 45_000; // the server speaks every 15 s
const AGAIN_AFTER = 20_000;
const ANNOUNCE_EVERY = 20_000;

const state = document.getElementById("live");
if (state) {
  const about = new Set([...document.querySelectorAll("[data-live]")].flatMap((part) => part.dataset.live.split(" ")));
  about.delete("");
  const stays = about.size === 0;
  let stream = null;
  let isTold = false; // by this stream: until its first word nobody knows whether it sees what changes
  let heardAt = Date.now();
  let triedAt = 0;
  let fetchedAt = Date.now();
  let timer = 0;

  function connect() {
    clearTimeout(timer);
    if (stream || document.hidden) return;
    triedAt = Date.now();
    isTold = false;
    const asked = new URLSearchParams([...about, "incidents"].map((topic) => ["about", topic]));
    stream = new EventSource(`/live?${asked}`);
    stream.addEventListener("alive", () => { heardAt = Date.now(); });
    stream.onmessage = (event) => { // the first one is of everything, so that the page catches up
      const hint = JSON.parse(event.data);
      isTold = true;
      count(hint.open);
      if (hint.topics.some((topic) => about.has(topic))) refresh();
      else if (hint.topics.length) heard();
      else heardAt = Date.now();
    };
    stream.onerror = () => {
      isTold = false;
      lost();
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again
      disconnect();
      refresh(); // says whether the session is over
      timer = setTimeout(connect, AGAIN_AFTER * (1 + Math.random()));
    };
  }
  function disconnect() {
    stream?.close();
    stream = null;
  }
  function reconnect() {
    disconnect();
    connect();
  }
  function heard() {
    heardAt = Date.now();
    say("Live.");
  }
  function lost() {
    const since = new Date(heardAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    if (!state.textContent.startsWith("Not")) say(`Not live since ${since}; trying again.`);
  }
  function say(text) {
    if (stays) text = "Not live: this page stays as it was loaded.";
    if (state.textContent !== text) state.textContent = text;
  }

  // The page, fetched again.
  let fetching = false;
  let again = false;
  async function refresh() {
    again = true;
    if (fetching) return;
    fetching = true;
    try {
      while (again) {
        again = false;
        const answer = await fetch(location.href, { headers: { "X-Live": "1" }, signal: AbortSignal.timeout(AGAIN_AFTER) });
        if (answer.status === 401) {
          location.replace(location.pathname + location.search); // the sign-in, which leads back
          return;
        }
        if (!answer.ok) throw new Error(`${answer.status}`);
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        setClock(fresh);
        take(fresh);
        fetchedAt = Date.now();
      }
      if (isTold && stream?.readyState === EventSource.OPEN) heard();
    } catch {
      lost();
      clearTimeout(timer);
      timer = setTimeout(reconnect, AGAIN_AFTER);
    } finally {
      fetching = false;
    }
  }

  // Nothing moves under a finger that is pressing a button.
  let pressing = false;
  let waiting = null;
  addEventListener("pointerdown", () => { pressing = true; }, true);
  for (const end of ["pointerup", "pointercancel", "contextmenu"]) { // a menu takes the end of the press with it
    addEventListener(end, () => setTimeout(() => {
      pressing = false;
      if (waiting) take(waiting);
    }, 300), true);
  }

  function take(fresh) {
    if (stays) return;
    waiting = pressing ? fresh : null;
    if (waiting) return;
    const focused = document.activeElement;
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (next) patch(part, next);
      else if (!isBusy(part)) part.replaceChildren();
    }
    if (document.activeElement !== focused) {
      const there = focused.isConnected ? focused : document.getElementById(focused.id);
      there?.focus({ preventScroll: true });
    }
    title = unnumbered(fresh.title) || title;
    number(open);
    tick();
  }
  function patch(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.data = fresh.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    patchChildren(old, fresh);
  }
  function patchChildren(old, fresh) {
    const wanted = new Set([...fresh.children].map((child) => child.id));
    for (const child of [...old.children]) {
      if (child.id && !wanted.has(child.id) && !isBusy(child)) child.remove();
    }
    let at = old.firstChild;
    for (const next of [...fresh.childNodes]) {
      const same = next.id ? [...old.children].find((child) => child.id === next.id) : at;
      if (!same || (same.id ?? "") !== (next.id ?? "") || same.nodeName !== next.nodeName) {
        old.insertBefore(next, at);
        continue;
      }
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      patch(same, next);
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      if (!isBusy(gone)) gone.remove();
    }
  }
  function isBusy(node) {
    if (node.nodeType !== Node.ELEMENT_NODE) return false;
    const fields = [...node.querySelectorAll("input, textarea, select")];
    if (node.matches("input, textarea, select")) fields.push(node);
    return fields.some((field) => field === document.activeElement || field.checked !== field.defaultChecked
      || (field.localName !== "select" && field.value !== field.defaultValue));
  }

  // How many incidents are open: in the title, on the icon, and said when there are more.
  const icon = document.querySelector("link[rel=icon]");
  const plain = icon.href;
  const announcer = document.createElement("p");
  announcer.className = "unseen";
  announcer.setAttribute("role", "status");
  document.body.append(announcer);
  const unnumbered = (text) => text.replace(/^\(\S+\) /, ""); // a page may count by itself
  let title = unnumbered(document.title);
  let open = null;
  let announcement = 0;
  let announcedAt = 0;
  function count(now) {
    if (now === open) return;
    if (open !== null && now > open) announce();
    open = now;
    number(now);
    icon.href = now ? `data:image/svg+xml,${encodeURIComponent(drawn(short(now)))}` : plain;
    if (now) navigator.setAppBadge?.(now).catch(() => {});
    else navigator.clearAppBadge?.().catch(() => {});
  }
  function number(now) {
    const wanted = now ? `(${short(now)}) ${title}` : title;
    if (document.title !== wanted) document.title = wanted;
  }
  function short(now) {
    return now > 99 ? "99+" : `${now}`;
  }
  function drawn(text) {
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#b91c1c"/>
<text x="16" y="23" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="${text.length > 2 ? 14 : 20}" fill="#fff">${text}</text></svg>`;
  }
  function announce() {
    if (announcement) return;
    announcement = setTimeout(() => {
      announcement = 0;
      announcedAt = Date.now();
      if (open) announcer.textContent = open === 1 ? "1 incident is open." : `${short(open)} incidents are open.`;
    }, Math.max(500, announcedAt + ANNOUNCE_EVERY - Date.now()));
  }

  function leave() {
    disconnect();
    lost();
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : reconnect()));
  addEventListener("online", reconnect);
  addEventListener("offline", lost);
  addEventListener("pageshow", (event) => event.persisted && reconnect());
  addEventListener("pagehide", leave);
  setInterval(() => {
    if (stream && Date.now() - Math.max(heardAt, triedAt) > SILENT_FOR) { // a connection that died unnoticed, or the machine slept
      lost();
      reconnect();
    }
    const lasts = document.querySelector("[data-fresh]")?.dataset.fresh; // what grows old although nothing changes
    if (lasts && stream?.readyState === EventSource.OPEN && Date.now() - fetchedAt > lasts * 1000) refresh();
  }, 5_000);
  if (stays) say();
  connect();
}
