// Keeps the events page up to date while it is open. Everything on the page works without this file.
"use strict";

(() => {
  const list = document.getElementById("events");
  const live = document.getElementById("live");
  const announcer = document.getElementById("announcer");
  // Changes of one moment are fetched together, and not by every browser in the same instant.
  const GATHER_MS = 250;
  const changed = new Set();
  let source = null;
  const RESYNC_MS = 2000;
  let gathering = null;
  let waiting = null;

  function show(state) {
    live.hidden = false;
    live.classList.toggle("waiting", state !== "live");
    live.textContent = live.dataset[state];
  }

  // The text of a page of ours; null when there is none. Without a session the reload leads to the sign-in page.
  async function fetched(address) {
    try {
      const answer = await fetch(address, { cache: "no-store" });
      if (answer.status === 401) {
        location.reload();
      }
      return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
    } catch {
      return null; // no network now
    }
  }

  function replace(old, fresh) {
    if (old.outerHTML === fresh.outerHTML) {
      return;
    }
    const focused = old.contains(document.activeElement) ? document.activeElement.localName : null;
    const role = old.querySelector("select")?.value;
    old.replaceWith(fresh);
    const choice = fresh.querySelector("select");
    if (choice && [...choice.options].some((option) => option.value === role)) {
      choice.value = role;
    }
    if (focused) {
      fresh.querySelector(focused)?.focus();
    }
    if (old.dataset.announce !== fresh.dataset.announce) {
      announcer.textContent = fresh.dataset.announce;
    }
  }

  const cards = (root) => [...root.querySelectorAll("[data-event]")];

  // A page that could not be fetched is fetched again, for the stream says everything only once.
  function again() {
    show("reconnecting");
    waiting ??= setTimeout(() => {
      waiting = null;
      refresh();
    }, 1000 + Math.random() * 4000);
  }

  async function refresh() {
    const fresh = (await fetched(location.href))?.getElementById("events");
    if (!fresh) {
      again();
      return;
    }
    if (source.readyState === EventSource.OPEN) {
      show("live");
    }
    const ids = (root) => cards(root).map((card) => card.id).join(" ");
    if (ids(list) !== ids(fresh)) {
      list.replaceChildren(...fresh.childNodes);
      return;
    }
    const byId = new Map(cards(fresh).map((card) => [card.id, card]));
    cards(list).forEach((card) => replace(card, byId.get(card.id)));
  }

  async function fetchChanged() {
    gathering = null;
    const ids = [...changed];
    changed.clear();
    for (const id of ids) {
      const old = document.getElementById(id);
      if (!old) {
        await refresh(); // of another page, or new
        return;
      }
      const fresh = await fetched(`/events/${encodeURIComponent(id)}/card?page=${list.dataset.page}`);
      const card = fresh?.querySelector("[data-event]");
      if (!card) {
        await refresh(); // gone, or not of this page any more
        return;
      }
      if (old.isConnected) {
        replace(old, card);
      }
    }
  }

  function connect() {
    source = new EventSource("/stream");
    source.addEventListener("ready", refresh);
    // Everybody is told at once, as when the database is back; not everybody asks at once.
    source.addEventListener("resync", () => setTimeout(refresh, Math.random() * RESYNC_MS));
    source.addEventListener("change", (event) => {
      changed.add(JSON.parse(event.data).event_id);
      gathering ??= setTimeout(fetchChanged, Math.random() * GATHER_MS);
    });
    source.addEventListener("paused", () => show("reconnecting"));
    source.addEventListener("bye", () => show("reconnecting"));
    source.addEventListener("error", () => {
      show("reconnecting");
      // After an answer other than 200 the browser itself does not try again.
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(retry, 3000 + Math.random() * 7000);
      }
    });
  }

  async function retry() {
    if (source.readyState === EventSource.CLOSED) {
      await refresh();
      connect();
    }
  }

  connect();
  // A page in the browser's back-forward store must not hold a stream.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && connect());
})();
