/*
 * The same peer as peer.js in a page: /page.html?TRANSPORT&CONTROL[&HOST], where HOST is the
 * client's option, by default the page's own.  The test is at the URL CONTROL, another origin than the server: calls come from there as server-sent events,
 * what happens goes there by POST, one after the other.
 */
"use strict";

const [transport, control, host] = location.search.slice(1).split("&").map(decodeURIComponent);
let said = Promise.resolve();

function say(line) {
  said = said.then(() => fetch(control, { method: "POST", body: JSON.stringify(line) }));
}

addEventListener("error", ({ message }) => say({ event: "uncaught", message }));

class PageSocket extends TokenSocket {
  /* The original calls back with SockJS's close event, in the place of an error. */
  end(callback) { super.end(() => callback(null)); }
}

const obey = module.exports(PageSocket, { host, sockjs: { transports: [transport] } }, say);
new EventSource(control).onmessage = ({ data }) => obey(JSON.parse(data));
