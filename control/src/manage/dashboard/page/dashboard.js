// The page: asks the firewall again and again, and shows what it says. Nothing of what it says is ever markup: all of it
// becomes text nodes.
"use strict";

const $ = id => document.getElementById(id);
const short = Charts.short;
const numbers = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const dated = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium", hour12: false });

// ---------------------------------------------------------------------------------------------------------- elements

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
};
const setText = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
const time = text => {
  if (!text) return "–";
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return element("time", { dateTime: text, title: text }, (today ? clock : dated).format(at));
};
const number = value => value === null || value === undefined ? "–" : numbers.format(value);
const list = (items, none = "any") => items && items.length ? items.join(", ") : none;
const chip = (text, kind) => element("span", { className: `chip ${kind}-chip` }, text);

// A column: its head, what stands in it, and whether these are numbers or long texts.
const column = (head, cell, kind = "") => ({ head, cell, kind });
const shown = new Map();

// Shows rows as a table, or in words that there are none; what did not change is left alone, so that it can be read and copied.
const table = (id, columns, rows, none, note = "") => {
  const state = JSON.stringify([columns.map(one => one.head), rows, none, note]);
  if (shown.get(id) === state) return;
  shown.set(id, state);
  const place = $(id);
  if (!rows.length) {
    place.removeAttribute("tabindex");
    place.replaceChildren(element("p", { className: "empty" }, none));
    return;
  }
  const head = columns.map(one => element("th", { scope: "col", className: one.kind }, one.head));
  const body = rows.map(row => element("tr", {}, ...columns.map(one => {
    const cell = one.cell(row);
    return element("td", { className: one.kind }, cell === "" || cell === null || cell === undefined ? "–" : cell);
  })));
  const made = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  const [top, left] = [place.scrollTop, place.scrollLeft];
  place.replaceChildren(made, ...(note ? [element("p", { className: "note" }, note)] : []));
  place.scrollTo(left, top);
  // What scrolls can be reached by the keyboard.
  place.tabIndex = 0;
};

// ---------------------------------------------------------------------------------------------------------- requests

const state = { heard: 0, shown: null, before: null, locked: false, failing: false };

const ask = async (name, query = {}) => {
  const words = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  const answer = await fetch(`/api/${name}${words.size ? "?" + words : ""}`, { signal: AbortSignal.timeout(5000) });
  if (answer.status === 401) openDoor();
  if (!answer.ok) throw Object.assign(new Error(name), { status: answer.status });
  return answer.json();
};

// Asks again and again, each time after an answer; what fails is tried again.
const loops = [];
const every = (milliseconds, task) => {
  let timer;
  const turn = async () => {
    clearTimeout(timer);
    let next = milliseconds;
    if (!document.hidden && !$("door").open) {
      try {
        next = await task() || milliseconds;
      } catch (error) {
        if (!(error.status || error.name === "TypeError" || error.name === "TimeoutError" || error.name === "AbortError")) throw error;
      }
    }
    clearTimeout(timer);
    timer = setTimeout(turn, next);
  };
  loops.push(turn);
  return turn;
};

const openDoor = () => {
  if (!$("door").open) $("door").showModal();
};
$("door").addEventListener("cancel", event => event.preventDefault());
$("login").addEventListener("submit", async event => {
  event.preventDefault();
  setText("refused", "");
  try {
    const headers = { Authorization: `Bearer ${$("token").value.trim()}` };
    const answer = await fetch("/api/login", { headers });
    if (answer.ok) {
      $("token").value = "";
      $("door").close();
      loops.forEach(turn => turn());
      return;
    }
    setText("refused", answer.status === 429 ? "Too many tries: wait ten seconds." : "That is not the token.");
  } catch {
    setText("refused", "The firewall does not answer.");
  }
});
$("logout").addEventListener("click", async () => {
  await fetch("/api/logout").catch(() => {});
  location.reload();
});

// ------------------------------------------------------------------------------------------------------ what is true

const hostState = row => {
  const kind = row.state === "up" ? "good" : row.state === "opening" || row.state === "connecting" ? "warn" : "bad";
  return chip(row.state, kind);
};

const rate = (now, before, of) => {
  if (!before) return null;
  const seconds = (new Date(now.time) - new Date(before.time)) / 1000;
  const grown = of(now) - of(before);
  return seconds > 0 && grown >= 0 ? grown / seconds : null;
};
const perSecond = (value, unit) => value === null ? "–" : short(Math.round(value * 10) / 10, unit);

const showNow = now => {
  const before = state.before && state.before.boot === now.boot ? state.before : null;
  state.before = now;
  state.shown = now;
  state.heard = Date.now();
  state.locked = now.locked;
  $("logout").hidden = !now.locked;
  document.title = `${now["host-name"]} – Ostiary`;
  setText("host", now["host-name"]);
  setText("about", `Ostiary ${now.version}, up since ${dated.format(new Date(now.started))}, signatures ${now.signatures}`);
  const dropped = one => one.drops.reduce((sum, drop) => sum + drop.count, 0);
  setText("tile-bits", perSecond(rate(now, before, one => one.octets * 8), "bit/s"));
  setText("tile-packets", perSecond(rate(now, before, one => one.packets), "/s"));
  setText("tile-dropped", perSecond(rate(now, before, dropped), "/s"));
  setText("tile-opened", perSecond(rate(now, before, one => one.sessions.opened), "/s"));
  setText("tile-sessions", number(now.sessions.active));
  setText("tile-im", number(now.online.im));
  setText("tile-access", number(now.online.access));

  table("applications-table", [
    column("Application", row => row.name),
    column("Flows", row => number(row.flows), "number"),
    column("Sessions ended", row => number(row.closed), "number"),
    column("Volume", row => short(row.octets, "B"), "number"),
  ], now.applications, "No application was recognised yet.");
  table("drops-table", [
    column("Reason", row => row.name),
    column("Packets", row => number(row.count), "number"),
    column("Meaning", row => row.about, "wide"),
  ], [...now.drops].sort((a, b) => b.count - a.count), "Nothing was dropped yet.");
  table("hosts-table", [
    column("Host", row => row.name),
    column("State", hostState),
    column("Target", row => row.target),
    column("Transport", row => `${row.transport}, ${row.format}`),
    column("Queue", row => number(row.queued), "number"),
    column("On disk", row => number(row.spooled), "number"),
    column("Taken", row => number(row.acknowledged), "number"),
    column("Lost", row => row.dropped ? chip(number(row.dropped), "bad") : "0", "number"),
    column("Since", row => time(row.since)),
    column("Last error", row => row.error || "none", "wide"),
  ], now.hosts, "There is no log host: records go nowhere but to the files of the audit trail.");
  table("records-table", [
    column("Class", row => row.class),
    column("Events", row => number(row.events), "number"),
    column("Records", row => number(row.records), "number"),
    column("Events lost", row => row["lost-events"] ? chip(number(row["lost-events"]), "bad") : "0", "number"),
  ], now.records, "Nothing is recorded.");
  const portRate = (row, name) => {
    const of = one => { const port = one.ports.find(port => port.name === row.name); return port ? port[name] : 0; };
    return rate(now, before, of);
  };
  const ports = now.ports.map(row => ({
    ...row, "rate-in": portRate(row, "received-octets"), "rate-out": portRate(row, "sent-octets"),
  }));
  table("ports-table", [
    column("Port", row => row.name),
    column("Zone", row => row.zone),
    column("Link", row => chip(row.link + (row.megabits ? ` ${short(row.megabits * 1e6, "bit/s")}` : ""), row.link === "up" ? "good" : "bad")),
    column("In", row => perSecond(row["rate-in"] === null ? null : row["rate-in"] * 8, "bit/s"), "number"),
    column("Out", row => perSecond(row["rate-out"] === null ? null : row["rate-out"] * 8, "bit/s"), "number"),
    column("Received", row => number(row.received), "number"),
    column("Sent", row => number(row.sent), "number"),
    column("Missed", row => number(row.missed + row["no-buffer"]), "number"),
    column("Errors", row => number(row["receive-errors"] + row["send-errors"]), "number"),
    column("Driver", row => row.driver),
  ], ports, "There is no port.");
  table("workers-table", [
    column("Worker", row => row.name),
    column("Core", row => number(row.core), "number"),
    column("Busy", row => element("span", {}, element("meter", {
      min: 0, max: 100, low: 80, high: 95, optimum: 0, value: row["busy-percent"], ariaLabel: `${row["busy-percent"]} percent busy`,
    }), ` ${row["busy-percent"]} %`)),
    column("Packets", row => number(row.packets), "number"),
    column("Dropped", row => number(row.dropped), "number"),
    column("Sessions", row => number(row.sessions), "number"),
    column("Events lost", row => number(row["lost-events"]), "number"),
  ], now.workers, "There is no worker.");
  setText("pool", `Packet buffers: ${number(now.pool["in-use"])} of ${number(now.pool.size)} in use.`);
  const pending = now.configuration.unconfirmed ? " A commit waits to be confirmed."
    : now.configuration.scheduled ? " A commit waits for its time."
      : now.configuration.modified ? " There are edits that nobody has committed." : "";
  setText("policy-about", `Policy ${number(now.policy.version)} in force since ${dated.format(new Date(now.policy.since))}, `
    + `${number(now.policy.rules)} ${now.policy.rules === 1 ? "rule" : "rules"}.${pending}`);
  offer(now.applications);
  heard();
};

// The applications that can be chosen; of the access network, the sources.
const offer = applications => {
  const select = $("users-of");
  const names = kind() === "im" ? applications.map(row => row.name).filter(name => name !== "unknown").sort()
    : ["radius", "pppoe", "8021x", "dhcp", "dhcpv6"];
  const offered = [...select.options].slice(1).map(option => option.value);
  if (names.join("\n") === offered.join("\n")) return;
  const chosen = select.value;
  select.replaceChildren(element("option", { value: "" }, "all"), ...names.map(name => element("option", { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : "";
};

const heard = () => {
  const age = state.heard ? Math.round((Date.now() - state.heard) / 1000) : null;
  const isLost = age !== null && age > 4 || age === null && state.failing;
  document.body.classList.toggle("stale", isLost);
  $("stale").hidden = !isLost;
  $("link").className = `chip ${isLost ? "down" : age === null ? "waiting" : "up"}`;
  setText("link", isLost ? "connection lost" : age === null ? "connecting" : "live");
  if (!isLost) return;
  setText("stale", age === null ? "The firewall does not answer."
    : `The firewall has not answered for ${age} s: everything here is as it was at ${clock.format(state.heard)}.`);
};
setInterval(heard, 1000);

// ------------------------------------------------------------------------------------------------------- the sections

const kind = () => document.querySelector("input[name=kind]:checked").value;
const span = () => document.querySelector("input[name=span]:checked").value;
const notNamed = "Users are not shown here: users = true in [dashboard] shows them.";

every(1000, async () => {
  try {
    showNow(await ask("now"));
    state.failing = false;
  } catch (error) {
    state.failing = error.status !== 401;
    heard();
    throw error;
  }
});

const past = every(2000, async () => {
  const { time: times, bits, sessions, opened, drops, "other-drops": others } = await ask("history", { span: span() });
  Charts.draw("chart-bits", times, [{ name: "throughput", values: bits }], "bit/s");
  Charts.draw("chart-sessions", times, [{ name: "open", values: sessions }, { name: "new a second", values: opened }], "");
  const lines = drops.map(drop => ({ name: drop.name, values: drop.values }));
  if (others.some(value => value > 0)) lines.push({ name: "others", values: others });
  $("chart-drops").hidden = !lines.length;
  $("no-drops").hidden = !!lines.length;
  if (lines.length) Charts.draw("chart-drops", times, lines, "/s");
});

const users = every(2000, async () => {
  if (!state.shown) return 200;
  if (!state.shown.shows.users) {
    table("users-table", [], [], notNamed);
    return 60_000;
  }
  const which = kind();
  const found = await ask("users", { kind: which, of: $("users-of").value, text: $("users-text").value.trim() });
  const narrowed = $("users-of").value || $("users-text").value.trim();
  const note = found.more ? `There are more: these are the first ${found.rows.length}. Narrow it, or ask by ostiary show.`
    : found.cut ? "The table is larger than what is looked through here: ask by ostiary show." : "";
  const rows = [...found.rows].sort((a, b) => a.since < b.since ? 1 : a.since > b.since ? -1 : 0);
  const none = !found.complete ? "The table is being looked through …" : narrowed ? "Nobody who is online fits this filter."
    : which === "im" ? "Nobody is online in a messenger." : "Nobody is signed on at the access network.";
  table("users-table", which === "im" ? [
    column("Application", row => row.application),
    column("Account", row => row.account),
    column("Address", row => row.client),
    column("Server", row => row.server),
    column("Rule", row => row.rule),
    column("Known by", row => row.evidence),
    column("Online since", row => time(row.since)),
    column("Last heard", row => time(row.last)),
  ] : [
    column("Source", row => list(row.sources, row.source)),
    column("User", row => row.user || row.account),
    column("IPv4", row => row.ipv4),
    column("IPv6", row => row.ipv6 || row.prefix),
    column("MAC", row => row.mac),
    column("Interface", row => row.interface),
    column("Access server", row => row["nas-id"] || row.nas),
    column("Groups", row => list(row.groups, "none")),
    column("Known by", row => row.evidence),
    column("Since", row => time(row.since)),
  ], rows, none, note);
  return found.complete ? 0 : 300;
});

const matches = (row, text) => !text || JSON.stringify(Object.values(row)).toLowerCase().includes(text);

const signOns = every(1000, async () => {
  if (!state.shown) return 200;
  if (!state.shown.shows.users) {
    table("sign-ons-table", [], [], notNamed);
    return 60_000;
  }
  const { rows } = await ask("sign-ons");
  const text = $("sign-ons-text").value.trim().toLowerCase();
  const kinds = { login: "good", seen: "good", logout: "warn", fail: "bad", failure: "bad" };
  table("sign-ons-table", [
    column("Time", row => time(row.time)),
    column("Action", row => chip(row.action, kinds[row.action] || "warn")),
    column("Application", row => row.application || row.source),
    column("Account", row => row.account || row.user),
    column("Address", row => row.client || row.ipv4 || row.ipv6 || row.address),
    column("Server", row => row.server),
    column("Reason", row => row.reason),
    column("Rule", row => row.rule),
  ], rows.filter(row => matches(row, text)), text ? "No recent sign-on fits this filter." : "Nobody has signed on or off yet.");
});

const policy = every(3000, async () => {
  const found = await ask("policy", { text: $("policy-text").value.trim() });
  const actions = { permit: "good", deny: "bad", reset: "bad" };
  const note = found.more ? `These are the first ${found.rows.length} of ${number(found.rules)} rules: narrow it to see others.` : "";
  table("policy-table", [
    column("#", row => number(row.number), "number"),
    column("Rule", row => row.name),
    column("Action", row => chip(row.action, actions[row.action] || "warn")),
    column("Hits", row => number(row.hits), "number"),
    column("From", row => list(row.from)),
    column("To", row => list(row.to)),
    column("Source", row => list(row.source), "wide"),
    column("Destination", row => list(row.destination), "wide"),
    column("Service", row => list(row.service)),
    column("Application", row => list(row.application)),
    column("Users", row => list([...row.user, ...row["user-group"]])),
    column("Recorded", row => row["session-logging"] ? "yes" : "no"),
  ], found.rows, "No rule fits this filter.", note);
});

every(2000, async () => {
  if (!state.shown) return 200;
  if (!state.shown.shows.audit) {
    table("audit-table", [], [], "The audit trail is not shown here: audit = true in [dashboard] shows its end.");
    return 60_000;
  }
  const { rows } = await ask("audit");
  const usual = new Set(["event", "time", "seq", "action", "outcome", "user", "uid", "pid", "role", "origin", "via", "session"]);
  const rest = row => Object.entries(row).filter(([name]) => !usual.has(name)).map(([name, value]) => `${name}=${value}`).join(" ");
  table("audit-table", [
    column("Time", row => time(row.time)),
    column("Event", row => row.action || row.event),
    column("Outcome", row => row.outcome ? chip(row.outcome, row.outcome === "failure" ? "bad" : "good") : "–"),
    column("Who", row => row.user || (row.uid === undefined ? row.via : `uid ${row.uid}`)),
    column("From", row => row.origin || row.via),
    column("Details", rest, "wide"),
  ], rows, "Nothing was recorded yet.");
});

document.querySelectorAll("form[role=search]").forEach(form => form.addEventListener("submit", event => event.preventDefault()));
document.querySelectorAll("input[name=span]").forEach(input => input.addEventListener("change", past));
document.querySelectorAll("input[name=kind]").forEach(input => input.addEventListener("change", () => {
  $("users-of").value = "";
  if (state.shown) offer(state.shown.applications);
  users();
}));
let typing;
const later = turn => () => { clearTimeout(typing); typing = setTimeout(turn, 250); };
$("users-of").addEventListener("change", users);
$("users-text").addEventListener("input", later(users));
$("sign-ons-text").addEventListener("input", later(signOns));
$("policy-text").addEventListener("input", later(policy));
document.addEventListener("visibilitychange", () => { if (!document.hidden) loops.forEach(turn => turn()); });
loops.forEach(turn => turn());
