/*
 * A JavaScript client that does as it is told, in Node (peer.js) and in a page (page.js).
 * What say() and the returned function get is described in peer.js.
 */
"use strict";

/* Functions that the server may call. */
const actions = {
  ping: (data, callback) => callback(null, data),
  nested: { foo: (data, callback) => callback(null, { foo: data }) },
  never: () => {},
  boom: (data, callback) => callback(new Error("action failed")),
};

module.exports = (TokenSocket, options, say) => {
  const authentication = { user: "ada", nested: { a: [1] } };
  const socket = new TokenSocket({ ...options, authentication }, actions);
  for (const event of ["ready", "onreconnect"])
    socket[event]((error) =>
      say({ event: event.replace(/^on/, ""), error: error && String(error.message || error) }));
  socket.onmessage((channel, message) => say({ event: "message", channel, message }));
  return ({ id, name, args }) =>
    socket[name](...args, (error, resp) => say({ event: "answer", id, error, resp }));
};
